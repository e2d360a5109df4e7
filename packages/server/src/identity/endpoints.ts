/** What services in any language ask of tokens: whether one is active, to end its session, and to end what an issuer logged out. */
import { isSojournError, type Session, type SessionApi, SojournError } from '@sojourn/core/internal'
import type { LogoutClaims, LogoutTokens, SessionTokens, TokenClaims } from '@sojourn/identity'

export interface EndpointsHost {
  readonly sessions: Pick<SessionApi, 'get' | 'end' | 'isLive' | 'endHandle' | 'endSubject'>
  /** Undefined: no JWT is known here. */
  readonly tokens: Pick<SessionTokens, 'verify' | 'claims'> | undefined
  /** Undefined: no issuer's logout is. */
  readonly logouts: LogoutTokens | undefined
  /** Who issues the JWTs. */
  readonly issuer: string | undefined
}

/** What came of a request, for the metrics. */
export type Outcome = 'active' | 'inactive' | 'ended' | 'unknown'

/** RFC 7662, 2.2: `active`, and what is known of the token. Times are in seconds since the epoch. */
export type Introspection = { readonly active: boolean; readonly [claim: string]: unknown }

const REASON = 'revoked'
const HANDLE = /^[0-9a-f]{32}$/

/** What the identity listener does, whoever asks over whatever. */
export class Endpoints {
  readonly #host: EndpointsHost

  constructor(host: EndpointsHost) {
    this.#host = host
  }

  /**
   * What a token is good for: a JWT, or the id of a session. Of one that is not, nothing is said but that.
   * @throws what a read of the session API throws
   */
  async introspect(token: string): Promise<Introspection> {
    const claims = await this.#claimsOf('verify', token)
    if (claims !== undefined) return { active: true, token_type: 'Bearer', ...claims }
    const session = await known(() => this.#host.sessions.get(token))
    return session === undefined ? { active: false } : { active: true, ...this.#claimsOfSession(session) }
  }

  /**
   * Ends the session of a token: a JWT, or the id of a session.
   * @throws what an end of the session API throws
   */
  async revoke(token: string): Promise<'ended' | 'unknown'> {
    const { sessions } = this.#host
    // Its session may live elsewhere, and not have arrived.
    const claims = await this.#claimsOf('claims', token)
    if (claims !== undefined) {
      await sessions.endHandle(claims.sid, { reason: REASON })
      return 'ended'
    }
    return (await known(() => sessions.end(token, { reason: REASON }))) ? 'ended' : 'unknown'
  }

  /**
   * Ends what a logout token names: the session whose handle its `sid` is, where that lives here. Otherwise the `sid` is the issuer's
   * own, or its session is over, and all sessions of `sub` are ended: rather more than none.
   * @throws TOKEN_INVALID; what an end of the session API throws
   */
  async logout(token: string): Promise<'ended' | 'unknown'> {
    const logouts = this.#host.logouts!
    const claims = await logouts.verify(token)
    try {
      return await this.#end(claims)
    } catch (error) {
      logouts.forget(claims)
      throw error
    }
  }

  async #end({ sid, sub }: LogoutClaims): Promise<'ended' | 'unknown'> {
    const { sessions } = this.#host
    const handle = sid !== undefined && HANDLE.test(sid) ? sid : undefined
    if (handle !== undefined && (sub === undefined || (await sessions.isLive(handle)))) {
      const { ended } = await sessions.endHandle(handle, { reason: 'logout' })
      return ended > 0 ? 'ended' : 'unknown'
    }
    if (sub === undefined)
      throw new SojournError('TOKEN_INVALID', 'the sid is no handle of a session, and there is no sub (claims)', {
        reason: 'claims',
      })
    const { ended } = await sessions.endSubject(sub, { reason: 'logout' })
    return ended > 0 ? 'ended' : 'unknown'
  }

  /** Of a JWT that is good here; undefined: it is not, or it is none. */
  async #claimsOf(how: 'verify' | 'claims', token: string): Promise<TokenClaims | undefined> {
    try {
      return await this.#host.tokens?.[how](token)
    } catch (error) {
      if (isSojournError(error, 'TOKEN_INVALID')) return undefined
      throw error
    }
  }

  #claimsOfSession({ handle, subject, createdAt, expiresAt, auth }: Session) {
    const { issuer } = this.#host
    return {
      ...(issuer !== undefined && { iss: issuer }),
      ...(subject !== undefined && { sub: subject }),
      sid: handle,
      iat: seconds(createdAt),
      exp: seconds(expiresAt),
      ...(auth !== undefined && { auth_time: seconds(auth.time) }),
      ...(auth?.acr !== undefined && { acr: auth.acr }),
      ...(auth?.amr?.length && { amr: auth.amr }),
    }
  }
}

/** What can be no id names no session. */
const known = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await call()
  } catch (error) {
    if (isSojournError(error, 'INVALID_OPTION') && error.option === 'id') return undefined
    throw error
  }
}

const seconds = (ms: number): number => Math.floor(ms / 1_000)
