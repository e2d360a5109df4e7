/** What @sojourn/identity offers: the session cookie. */
export type { CookieValue } from './cookie-value.js'
export type { SecretKey, SecretKeys } from './hmac.js'
export type { SerializeOptions, SessionCookieOptions } from './options.generated.js'
export { COOKIE_OPTIONS, SERIALIZE_OPTIONS } from './options.js'
export { type SessionCookie, sessionCookie } from './session-cookie.js'
