/** JWTs that name a session: any service verifies them by signature, and they end with their session. */
import {
  checkId,
  checkOptions,
  type Options,
  optionTable,
  type SettingsOf,
  SojournError,
  settingsReader,
  systemClock,
  systemRandom,
} from '@sojourn/core/internal'
import { type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { headerOf, withoutClaims } from './jwt-faults.js'
import type { IssueOptions, RefreshOptions, SessionTokensOptions, VerifyOptions } from './options.generated.js'
import { RememberedTokens } from './remembered-tokens.js'
import type { TokenSession, TokenSessions } from './sessions.js'
import { checkClaims, defined, readClaims, refusal, type TokenClaims } from './token-claims.js'
import { type PublicJwk, type TokenKeys, TokenRing } from './token-keys.js'
import { ISSUE_OPTIONS, REFRESH_OPTIONS, TOKENS_OPTIONS, VERIFY_OPTIONS } from './token-options.js'

/** RFC 9068: a token for APIs, so that nobody takes an ID token, or whatever else the keys signed, for one. */
const TYPE = 'at+jwt'
/** Decoders forgive blanks and padding; so of one good token there would be any number, each to be remembered. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/
const HEADER = ['alg', 'kid', 'typ']
const JTI_BYTES = 16

const readOptions = settingsReader(TOKENS_OPTIONS, 'sessionTokens', {
  algorithms: 'Each of the keys has its `alg`, and no other is taken',
  secret: 'Give key pairs as `keys`: whoever verifies must not be able to sign',
})
const readIssue = settingsReader(ISSUE_OPTIONS, 'issue')
const readRefresh = settingsReader(REFRESH_OPTIONS, 'refresh')
const VERIFY_TABLE = optionTable<Options>(VERIFY_OPTIONS)

/** What a client gets for the secret of a session. */
export interface Refreshed<S> {
  /** With a new id: the refresh token. */
  readonly session: S
  readonly token: string
}

/** Its options, with the type of the store's sessions. */
export type TokensOf<S extends TokenSession> = SessionTokensOptions & { readonly sessions: TokenSessions<S> }

/** What `sessionTokens` makes. */
export class SessionTokens<S extends TokenSession = TokenSession> {
  readonly #settings: SettingsOf<typeof TOKENS_OPTIONS>
  readonly #remembered: RememberedTokens
  #ring: TokenRing

  /** @internal */
  constructor(options: TokensOf<S>) {
    this.#settings = readOptions(options)
    this.#ring = this.#settings.keys
    this.#remembered = new RememberedTokens(this.#settings.limits.maxRememberedTokens)
  }

  /**
   * A token for whoever holds a session's id. It lives for `ttl`, and never longer than the session does now.
   * @example
   * const token = await tokens.issue(id, { ttl: '1m' })
   * @throws SESSION_NOT_FOUND; INVALID_OPTION where nobody has logged in to the session
   */
  async issue(id: string, options: IssueOptions = {}): Promise<string> {
    const settings = readIssue(options)
    return this.#sign(await this.#session(id), settings, this.#ring.active)
  }

  /**
   * What a verified token says: its signature, its claims, and that its session lives here. No other region is asked, and no network.
   * @example
   * const { sub, sid } = await tokens.verify(request.headers.authorization.replace(/^Bearer /i, ''))
   * @throws TOKEN_INVALID, with a `reason`
   */
  async verify(jwt: string, options?: VerifyOptions): Promise<TokenClaims> {
    const found = this.#checked(jwt, options)
    const claims = found instanceof Promise ? await found : found
    const { sessions } = this.#settings
    const live = sessions.isLiveNow ? sessions.isLiveNow(claims.sid) : sessions.isLive(claims.sid)
    if (!(typeof live === 'boolean' ? live : await live)) throw refusal('ended')
    return claims
  }

  /**
   * What a token says: its signature and its claims, and not whether its session lives. For ending that, also where it has not arrived yet.
   * @example
   * await sessions.endHandle((await tokens.claims(token)).sid)
   * @throws TOKEN_INVALID, with a `reason`
   */
  async claims(jwt: string, options?: VerifyOptions): Promise<TokenClaims> {
    return this.#checked(jwt, options)
  }

  /** At once where the signature was verified before. @throws TOKEN_INVALID */
  #checked(jwt: string, options: VerifyOptions | undefined): TokenClaims | Promise<TokenClaims> {
    if (options !== undefined) checkOptions(options, VERIFY_TABLE, 'verify')
    if (typeof jwt !== 'string') throw refusal('malformed')
    if (jwt.length > this.#settings.limits.maxTokenBytes) throw refusal('too-long')
    const known = this.#remembered.get(jwt)
    return known
      ? this.#current(jwt, known, options)
      : this.#read(jwt).then((read) => this.#current(jwt, read, options))
  }

  /** @throws TOKEN_INVALID */
  #current(jwt: string, claims: TokenClaims, options: VerifyOptions | undefined): TokenClaims {
    const { audience, clockTolerance, clock = systemClock } = this.#settings
    const now = clock.now()
    if (claims.exp * 1_000 <= now) this.#remembered.delete(jwt)
    checkClaims(claims, options?.audience ?? audience, now, clockTolerance)
    return claims
  }

  /**
   * A new secret for the session, and a token. The old secret works for `grace` longer: a client whose answer was lost asks again with it.
   * Who shows it later is refused, and the store emits `reused`.
   * @example
   * const { session, token } = await tokens.refresh(id)
   * @throws SESSION_NOT_FOUND; INVALID_OPTION where nobody has logged in to the session
   */
  async refresh(id: string, options: RefreshOptions = {}): Promise<Refreshed<S>> {
    const { grace, ...settings } = readRefresh(options)
    // Before the secret is another one: a refusal must leave the client with one that works.
    const key = this.#ring.active
    await this.#session(id)
    const sessions = this.#settings.sessions as TokenSessions<S>
    const session = await sessions.rotate(id, grace === 0 ? {} : { grace })
    return { session, token: await this.#sign(session, settings, key) }
  }

  /**
   * The public keys, for services that verify by themselves (RFC 7517).
   * @example response.end(JSON.stringify(tokens.jwks()))
   */
  jwks(): { readonly keys: readonly PublicJwk[] } {
    return this.#ring.jwks()
  }

  /**
   * Other keys from now on. Publish a new key first, make it active once everybody has it, and drop the old one when its last token has expired.
   * @example tokens.replaceKeys({ active: '2026-12', keys: [december, november] })
   * @throws INVALID_OPTION; the old keys go on
   */
  replaceKeys(keys: TokenKeys): void {
    this.#ring = new TokenRing(keys)
    this.#remembered.clear()
  }

  /**
   * How full it is.
   * @example tokens.status().rememberedTokens
   */
  status(): { readonly rememberedTokens: number } {
    return { rememberedTokens: this.#remembered.size }
  }

  /** A live session of somebody, which lives for a second at least. */
  async #session(id: string): Promise<TokenSession> {
    const { sessions, clock = systemClock } = this.#settings
    checkId(id)
    const session = await sessions.get(id)
    if (session === undefined || lastSecond(session) <= seconds(clock.now()))
      throw new SojournError('SESSION_NOT_FOUND', 'no live session has this id here')
    if (session.subject === undefined)
      throw new SojournError('INVALID_OPTION', 'id: the session has no subject. Log the user in with elevate first', {
        option: 'id',
      })
    return session
  }

  #sign(
    session: TokenSession,
    { audience, ttl }: SettingsOf<typeof ISSUE_OPTIONS>,
    { kid, alg, privateKey }: TokenRing['active'],
  ): Promise<string> {
    const settings = this.#settings
    const { issuer, clock = systemClock, random = systemRandom } = settings
    const now = clock.now()
    const { subject, handle, auth } = session
    const claims = {
      iss: issuer,
      aud: audience ?? settings.audience,
      sub: subject,
      client_id: settings.clientId ?? issuer,
      sid: handle,
      iat: seconds(now),
      exp: Math.min(Math.ceil((now + (ttl ?? settings.ttl)) / 1_000), lastSecond(session)),
      jti: Buffer.from(random.bytes(JTI_BYTES)).toString('base64url'),
      auth_time: auth && seconds(auth.time),
      acr: auth?.acr,
      amr: auth?.amr?.length ? auth.amr : undefined,
    }
    return new SignJWT(defined(claims) as JWTPayload).setProtectedHeader({ alg, kid, typ: TYPE }).sign(privateKey)
  }

  /** @throws TOKEN_INVALID */
  async #read(jwt: string): Promise<TokenClaims> {
    const { issuer, clock = systemClock, clockTolerance } = this.#settings
    const ring = this.#ring
    const { kid, alg } = checkHeader(jwt)
    const key = typeof kid === 'string' ? ring.find(kid) : undefined
    if (key === undefined) throw refusal('key')
    if (alg !== key.alg) throw refusal('algorithm')
    try {
      const { payload } = await jwtVerify(jwt, key.publicKey, {
        algorithms: [key.alg],
        typ: TYPE,
        issuer,
        currentDate: new Date(clock.now()),
        clockTolerance: clockTolerance / 1_000,
      })
      const claims = readClaims(payload)
      // The keys may have been replaced meanwhile, and then it is not known whether this one still counts.
      if (ring === this.#ring) this.#remembered.add(jwt, claims)
      return claims
    } catch (error) {
      throw reasonOf(error)
    }
  }
}

/**
 * Issues and verifies JWTs that name a session (RFC 9068). A service that holds a replica refuses the tokens of a session that has
 * ended, without a list of what was revoked: the sessions are that list.
 *
 * @example
 * const tokens = sessionTokens({ sessions, issuer: 'https://shop.example', audience: 'https://api.shop.example', keys })
 * const token = await tokens.issue(id)
 * const { sub } = await tokens.verify(token)
 * @throws INVALID_OPTION
 */
export const sessionTokens = <S extends TokenSession>(options: TokensOf<S>): SessionTokens<S> =>
  new SessionTokens(options)

const seconds = (ms: number): number => Math.floor(ms / 1_000)

/** The last whole second of its life, which no token outlives. */
const lastSecond = ({ expiresAt }: TokenSession): number => seconds(expiresAt)

/** Everything that it has beside the three is refused: `jwk`, `jku`, `x5u` and `x5c` bring keys, `crit` and `zip` ask for what is not done. */
const checkHeader = (jwt: string): { readonly kid?: unknown; readonly alg?: unknown } => {
  const header = headerOf(jwt, COMPACT, refusal)
  if (Object.keys(header).some((name) => !HEADER.includes(name))) throw refusal('header')
  const type = typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : undefined
  if (type !== TYPE) throw refusal('type')
  return header
}

const reasonOf = (error: unknown): unknown =>
  withoutClaims(error, refusal, ({ claim }) =>
    refusal(claim === 'iss' ? 'issuer' : claim === 'nbf' ? 'not-yet-valid' : 'claims'),
  )
