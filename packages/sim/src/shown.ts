/** What a session shows, as text: for a witness to write down, and for checkers to compare. */

/** A session as text: the same for the same data, whoever shows it. */
export const shownOf = ({ data, expiresAt }: { readonly data: object; readonly expiresAt: number }): string =>
  `${expiresAt} ${JSON.stringify(sorted(data))}`

const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, part]) => [name, sorted(part)]),
      )
    : value
