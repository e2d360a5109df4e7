/** Verifies the tokens with which an OpenID provider says that somebody has logged out there. */
import { type SettingsOf, settingsReader, systemClock } from '@sojourn/core/internal'
import { type errors, jwtVerify } from 'jose'
import { type IssuerKeys, type Jwks, readIssuerKeys } from './issuer-keys.js'
import { headerOf, withoutClaims } from './jwt-faults.js'
import { type LogoutClaims, logoutRefusal, readLogoutClaims } from './logout-claims.js'
import { LOGOUT_OPTIONS } from './logout-options.js'
import type { LogoutTokensOptions } from './options.generated.js'
import { SeenTokens } from './seen-tokens.js'
import { FITS, type TokenAlgorithm } from './token-keys.js'

const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/
/** Providers need not set a type; where they do, it is one of these. An access token is none of them. */
const TYPES: readonly unknown[] = [undefined, 'jwt', 'logout+jwt']
/** What brings keys, or asks for what is not done. */
const REFUSED = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip']

const readOptions = settingsReader(LOGOUT_OPTIONS, 'logoutTokens')

interface Header {
  readonly alg: TokenAlgorithm
  readonly kid: unknown
}

/** What `logoutTokens` makes. */
export class LogoutTokens {
  readonly #settings: SettingsOf<typeof LOGOUT_OPTIONS>
  readonly #seen: SeenTokens
  /** The set that was read last, so that it is read once. */
  #read: { readonly jwks: Jwks; readonly keys: IssuerKeys } | undefined

  /** @internal */
  constructor(options: LogoutTokensOptions) {
    this.#settings = readOptions(options)
    this.#seen = new SeenTokens(this.#settings.limits.maxRememberedIds)
    const { keys } = this.#settings
    if (typeof keys !== 'function') this.#keysOf(keys)
  }

  /**
   * Whom a logout token logs out. It is good once: it is remembered until it expires, by this process alone.
   * @example
   * const { sub } = await logouts.verify(new URLSearchParams(body).get('logout_token'))
   * @throws TOKEN_INVALID, with a `reason`; what the function throws that gets the keys
   */
  async verify(jwt: string): Promise<LogoutClaims> {
    const { issuer, audience, maxAge, clockTolerance, clock = systemClock, limits } = this.#settings
    if (typeof jwt !== 'string') throw logoutRefusal('malformed')
    if (jwt.length > limits.maxTokenBytes) throw logoutRefusal('too-long')
    const header = this.#checkHeader(jwt)
    const key = await this.#key(header)
    const now = clock.now()
    const { payload } = await jwtVerify(jwt, key, {
      algorithms: [header.alg],
      issuer,
      audience: typeof audience === 'string' ? audience : [...audience],
      currentDate: new Date(now),
      clockTolerance: clockTolerance / 1_000,
      maxTokenAge: maxAge / 1_000,
      requiredClaims: ['exp', 'iat', 'jti'],
    }).catch((error: unknown) => {
      throw reasonOf(error)
    })
    const claims = readLogoutClaims(payload)
    const until = Math.min(claims.exp * 1_000, claims.iat * 1_000 + maxAge) + clockTolerance
    // Whole seconds are compared above.
    if (!this.#seen.add(claims.jti, until + 1_000, now)) throw logoutRefusal('replayed')
    return claims
  }

  /**
   * The token may come again: what it asked for could not be done.
   * @example await sessions.endSubject(claims.sub).catch(() => logouts.forget(claims))
   */
  forget({ jti }: LogoutClaims): void {
    this.#seen.delete(jti)
  }

  /**
   * How full it is.
   * @example logouts.status().rememberedIds
   */
  status(): { readonly rememberedIds: number } {
    return { rememberedIds: this.#seen.size }
  }

  /** @throws TOKEN_INVALID */
  #checkHeader(jwt: string): Header {
    const { alg, kid, typ, ...others } = headerOf(jwt, COMPACT, logoutRefusal)
    if (REFUSED.some((name) => Object.hasOwn(others, name))) throw logoutRefusal('header')
    const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ
    if (!TYPES.includes(type)) throw logoutRefusal('type')
    const { algorithms = Object.keys(FITS) as TokenAlgorithm[] } = this.#settings
    if (!algorithms.includes(alg as TokenAlgorithm)) throw logoutRefusal('algorithm')
    return { alg: alg as TokenAlgorithm, kid }
  }

  /** @throws TOKEN_INVALID */
  async #key({ alg, kid }: Header) {
    const { keys } = this.#settings
    if (typeof keys !== 'function') return this.#keysOf(keys).find(kid, alg) ?? unknownKey()
    const found = this.#keysOf(await keys({ fresh: false })).find(kid, alg)
    return found ?? this.#keysOf(await keys({ fresh: true })).find(kid, alg) ?? unknownKey()
  }

  #keysOf(jwks: Jwks): IssuerKeys {
    if (this.#read?.jwks !== jwks) this.#read = { jwks, keys: readIssuerKeys(jwks, 'keys') }
    return this.#read.keys
  }
}

/**
 * Verifies logout tokens of an OpenID provider (Back-Channel Logout 1.0): their signature, issuer, audience and times, that they ask for
 * a logout, and that none comes twice.
 *
 * @example
 * const logouts = logoutTokens({ issuer: 'https://login.example', audience: 'shop', keys: jwks })
 * const { sub } = await logouts.verify(token)
 * if (sub !== undefined) await sessions.endSubject(sub)
 * @throws INVALID_OPTION
 */
export const logoutTokens = (options: LogoutTokensOptions): LogoutTokens => new LogoutTokens(options)

const unknownKey = (): never => {
  throw logoutRefusal('key')
}

const reasonOf = (error: unknown): unknown =>
  withoutClaims(error, logoutRefusal, (failed) => logoutRefusal(reasonOfClaim(failed)))

const reasonOfClaim = ({ claim, reason }: errors.JWTClaimValidationFailed) => {
  if (claim === 'iss') return 'issuer'
  if (claim === 'aud') return 'audience'
  return reason === 'check_failed' && (claim === 'iat' || claim === 'nbf') ? 'not-yet-valid' : 'claims'
}
