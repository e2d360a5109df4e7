/** What @sojourn/identity offers: the session cookie, and what keeps other sites from writing with it. */
export type { CookieValue } from './cookie-value.js'
export { type CsrfReason, type CsrfSession, checkCsrf, csrfToken } from './csrf-token.js'
export type { SecretKey, SecretKeys } from './hmac.js'
export type {
  CheckCsrfOptions,
  CheckOriginOptions,
  CsrfTokenOptions,
  SerializeOptions,
  SessionCookieOptions,
} from './options.generated.js'
export { CHECK_CSRF_OPTIONS, COOKIE_OPTIONS, CSRF_TOKEN_OPTIONS, ORIGIN_OPTIONS, SERIALIZE_OPTIONS } from './options.js'
export {
  checkOrigin,
  type OriginReason,
  type OriginVerdict,
  type RequestHeaders,
  type WrittenRequest,
} from './request-origin.js'
export { type SessionCookie, sessionCookie } from './session-cookie.js'
