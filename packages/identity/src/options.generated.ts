/**
 * The options of cookies, of checks of CSRF, and of tokens: `npm run docs:options` writes them from where they are
 * declared (ADR 17).
 */
import type { Clock, Random } from '@sojourn/core/internal'
import type { SecretKey } from './hmac.js'

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
