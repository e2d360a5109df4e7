/**
 * The options of cookies, of checks of CSRF, of tokens, and of logout tokens: `npm run docs:options` writes them from
 * where they are declared (ADR 17).
 */
import type { Clock, Duration, Random } from '@sojourn/core/internal'
import type { SecretKey } from './hmac.js'
import type { LogoutKeys } from './issuer-keys.js'
import type { TokenSessions } from './sessions.js'
import type { TokenAlgorithm, TokenKeys } from './token-keys.js'
import type { Audience } from './token-options.js'

export interface SessionCookieOptions {
  /**
   * The name of the cookie. A browser lets `__Host-` be set by this host only; `__Secure-` goes with a domain or a
   * path. Give __Host- or __Secure-, and 1 to 64 letters, digits and other characters of a cookie name. Default:
   * `__Host-sid`.
   */
  readonly name?: string | undefined
  /**
   * Hosts below this domain get the cookie, too. It needs a name that begins with `__Secure-`. Give a domain such as
   * shop.example, without a dot before it. Default: this host alone.
   */
  readonly domain?: string | undefined
  /**
   * Where the cookie is sent. Another path than / needs a name that begins with `__Secure-`. Give a path such as /,
   * without spaces and semicolons. Default: `/`.
   */
  readonly path?: string | undefined
  /**
   * Which requests from other sites carry it: links only, none, or all. With `none`, check each write for CSRF.
   * Default: `lax`.
   */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** Scripts in the page cannot read the cookie. Default: `true`. */
  readonly httpOnly?: true | undefined
  /** Browsers send the cookie over HTTPS only. Default: `true`. */
  readonly secure?: true | undefined
  /**
   * For development on http://localhost: a name without prefix, no `Secure`, and a warning. Default: true where `url`
   * is http://localhost.
   */
  readonly insecureLocalhost?: boolean | undefined
  /**
   * The URL under which browsers see the app. Give a whole URL, such as https://shop.example. Default: an HTTPS
   * address.
   */
  readonly url?: string | undefined
  /** Secrets that sign the cookie: the first one signs, and each of them verifies. Default: no signature. */
  readonly keys?: readonly SecretKey[] | undefined
  /** What tells the time. Default: the system's. */
  readonly clock?: Clock | undefined
  readonly limits?: {
    /** Bytes of a Cookie header that is read. A longer one holds no session. Default: `16384`. */
    readonly maxHeaderBytes?: number | undefined
    /** Cookies of this name in one header. A header with more of them holds no session. Default: `4`. */
    readonly maxSameName?: number | undefined
  } | undefined
}

export interface SerializeOptions {
  /**
   * The session's last write, as a token. `read` returns it with the next request. Give 1 to 128 letters, digits, and .
   * _ -. Default: none.
   */
  readonly after?: string | undefined
  /** The time in milliseconds since the epoch. Give a whole number, 0 or more. Default: the clock's. */
  readonly now?: number | undefined
}

export interface CsrfTokenOptions {
  /** Secrets that sign tokens: the first one signs, and each of them verifies. */
  readonly keys: readonly SecretKey[]
  /** What gives unpredictable bytes. Default: the system's. */
  readonly random?: Random | undefined
}

export interface CheckCsrfOptions {
  /** Secrets that sign tokens: the first one signs, and each of them verifies. */
  readonly keys: readonly SecretKey[]
}

export interface CheckOriginOptions {
  /**
   * Origins whose pages may write: those of the app itself, and others that it trusts. Give a list of origins, such as
   * ['https://shop.example'].
   */
  readonly origins: readonly string[]
  /**
   * What to do with a write that names neither its site nor its origin. Browsers name them; other programs need not.
   * Default: `refuse`.
   */
  readonly withoutOrigin?: 'refuse' | 'allow' | undefined
}

export interface SessionTokensOptions {
  /** An open replica, or another implementation of the session API. */
  readonly sessions: TokenSessions
  /** Who issues the tokens, as a URL: their `iss`. Give a string of 1 to 512 characters. */
  readonly issuer: string
  /** For whom the tokens are: their `aud`, and what `verify` asks for. */
  readonly audience: Audience
  /** What signs and verifies. The active key signs; retired keys go on verifying. */
  readonly keys: TokenKeys
  /**
   * The `client_id` of the tokens, which RFC 9068 requires. Give a string of 1 to 512 characters. Default: the issuer.
   */
  readonly clientId?: string | undefined
  /** How long a token lives, if its session lives that long. Default: `5m`. */
  readonly ttl?: Duration | undefined
  /** How far the clock of the issuer may be ahead. A token never outlives its `exp` by it. Default: `5s`. */
  readonly clockTolerance?: Duration | undefined
  /** What tells the time. Default: the system's. */
  readonly clock?: Clock | undefined
  /** What gives unpredictable bytes. Default: the system's. */
  readonly random?: Random | undefined
  readonly limits?: {
    /** Bytes of a token that is read. A longer one is refused. Default: `4096`. */
    readonly maxTokenBytes?: number | undefined
    /** Tokens in memory whose signature is known to be good. Give a whole number, 2 or more. Default: `20000`. */
    readonly maxRememberedTokens?: number | undefined
  } | undefined
}

export interface IssueOptions {
  /** For whom this token is. Default: that of the issuer. */
  readonly audience?: Audience | undefined
  /** How long this token lives, if its session lives that long. Default: that of the issuer. */
  readonly ttl?: Duration | undefined
}

export interface VerifyOptions {
  /** For whom the token must be. Of several, one is enough. Default: that of the issuer. */
  readonly audience?: Audience | undefined
}

export interface RefreshOptions {
  /** For whom this token is. Default: that of the issuer. */
  readonly audience?: Audience | undefined
  /** How long this token lives, if its session lives that long. Default: that of the issuer. */
  readonly ttl?: Duration | undefined
  /** How long the old secret works on, for requests under way and answers that were lost. Default: `10s`. */
  readonly grace?: Duration | undefined
}

export interface LogoutTokensOptions {
  /** Who issues the tokens: their `iss`, as it stands. Give a string of 1 to 512 characters. */
  readonly issuer: string
  /** Whom the tokens are for: the client id that the issuer has for the app. */
  readonly audience: Audience
  /** The public keys of the issuer, or what gets them. */
  readonly keys: LogoutKeys
  /** Algorithms that the issuer may sign logout tokens with. Default: all of these. */
  readonly algorithms?: readonly TokenAlgorithm[] | undefined
  /** How old a logout token may be, whatever its `exp` says. Default: `5m`. */
  readonly maxAge?: Duration | undefined
  /** How far the clocks of both sides may differ. Default: `5s`. */
  readonly clockTolerance?: Duration | undefined
  /** What tells the time. Default: the system's. */
  readonly clock?: Clock | undefined
  readonly limits?: {
    /** Bytes of a token that is read. A longer one is refused. Default: `8192`. */
    readonly maxTokenBytes?: number | undefined
    /**
     * Tokens that are remembered, so that none counts twice. Beyond that, the oldest one is forgotten. Default:
     * `20000`.
     */
    readonly maxRememberedIds?: number | undefined
  } | undefined
}
