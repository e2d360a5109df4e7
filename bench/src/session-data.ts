/** What the sessions of this bench hold. */
export interface SessionData {
  readonly user: string
  readonly name: string
  readonly roles: readonly string[]
  readonly theme: string
  readonly views: number
  readonly cart: { readonly count: number; readonly total: number }
  readonly lastPath: string
  readonly csrf: string
}

/** About 165 bytes as JSON: who is logged in, a small cart, a token. */
export const sessionData = (number: number): SessionData => ({
  user: `u-${String(number).padStart(7, '0')}`,
  name: 'Ada Lovelace',
  roles: ['customer'],
  theme: 'dark',
  views: 12,
  cart: { count: 2, total: 4_950 },
  lastPath: '/products/1234',
  csrf: String(number).padStart(6, '0'),
})

/** The one field that an update changes: another value each time, of the same length. */
export const lastPath = (number: number): string => `/products/${1_000 + (number % 9_000)}`

export const SESSION_BYTES = Buffer.byteLength(JSON.stringify(sessionData(1)))

/** As in a shop where people stay: half an hour without use ends a session. */
export const IDLE_TIMEOUT_MS = 30 * 60_000
