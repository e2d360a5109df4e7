/** What @sojourn/identity offers: the session cookie, what keeps other sites from writing with it, and JWTs. */
export type { CookieValue } from './cookie-value.js'
export { type CsrfReason, type CsrfSession, checkCsrf, csrfToken } from './csrf-token.js'
export type { SecretKey, SecretKeys } from './hmac.js'
export { type Jwks, type LogoutKeys, readIssuerKeys } from './issuer-keys.js'
export type { LogoutClaims, LogoutReason } from './logout-claims.js'
export { LOGOUT_OPTIONS, LOGOUT_RULES } from './logout-options.js'
export { type LogoutTokens, logoutTokens } from './logout-tokens.js'
export type {
  CheckCsrfOptions,
  CheckOriginOptions,
  CsrfTokenOptions,
  IssueOptions,
  LogoutTokensOptions,
  RefreshOptions,
  SerializeOptions,
  SessionCookieOptions,
  SessionTokensOptions,
  VerifyOptions,
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
export { type Refreshed, type SessionTokens, sessionTokens } from './session-tokens.js'
export type { TokenSession, TokenSessions } from './sessions.js'
export type { TokenClaims, TokenReason } from './token-claims.js'
export type { PublicJwk, TokenAlgorithm, TokenKey, TokenKeys } from './token-keys.js'
export { type Audience, ISSUE_OPTIONS, REFRESH_OPTIONS, TOKENS_OPTIONS, VERIFY_OPTIONS } from './token-options.js'
