/** The headers of cookies: the values of one name in what a browser sends, and what tells a browser to keep one (RFC 6265). */

/** Every value of a name, in their order; undefined where there are more than `maxSameName`. Names and values are taken as they stand. */
export const valuesIn = (header: string, name: string, maxSameName: number): string[] | undefined => {
  const values: string[] = []
  for (let from = 0; from < header.length; ) {
    const semicolon = header.indexOf(';', from)
    const end = semicolon < 0 ? header.length : semicolon
    const equals = header.indexOf('=', from)
    if (equals >= 0 && equals < end && header.slice(from, equals).trim() === name) {
      if (values.length === maxSameName) return undefined
      values.push(header.slice(equals + 1, end).trim())
    }
    from = end + 1
  }
  return values
}

/** What a cookie has beside its name and value, and its life. */
export interface CookieAttributes {
  readonly domain: string | undefined
  readonly path: string
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly isSecure: boolean
}

const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const

/**
 * The value of a Set-Cookie header.
 * @param livesForMs from now on; 0: the browser forgets it
 */
export const setCookie = (
  name: string,
  value: string,
  { domain, path, sameSite, isSecure }: CookieAttributes,
  livesForMs: number,
  now: number,
): string => {
  // Up to the next second: a session must not outlive its cookie.
  const seconds = Math.ceil(livesForMs / 1_000)
  return [
    `${name}=${value}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    `Max-Age=${seconds}`,
    `Expires=${new Date(seconds === 0 ? 0 : Math.ceil(now / 1_000) * 1_000 + seconds * 1_000).toUTCString()}`,
    'HttpOnly',
    ...(isSecure ? ['Secure'] : []),
    `SameSite=${SAME_SITE[sameSite]}`,
  ].join('; ')
}
