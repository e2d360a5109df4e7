/** What the identity settings make of their keys: what verifies JWTs and logout tokens, and takes in files as they change. */
import { type Clock, isSojournError, SojournError, systemClock } from '@sojourn/core/internal'
import {
  type Jwks,
  type LogoutTokens,
  logoutTokens,
  readIssuerKeys,
  type SessionTokens,
  sessionTokens,
  type TokenKeys,
  type TokenSessions,
} from '@sojourn/identity'
import type { Settings } from '../config/schema.js'
import { readKeyFile, verifyingKeys } from './key-files.js'
import { RemoteKeys } from './remote-keys.js'

export interface IdentityKeysOptions {
  readonly settings: Settings['identity']
  readonly clock: Clock
  /** Asked only once the store is open. */
  readonly sessions: () => TokenSessions
  /** The keys of the issuer were asked for at their address. */
  readonly asked: (option: string, error?: SojournError) => void
}

const KEYS = 'identity.keysFile'
const LOGOUT_KEYS = 'identity.logout.keysFile'
const LOGOUT_URL = 'identity.logout.keysUrl'

/** The keys of one server, and what verifies by them. */
export class IdentityKeys {
  readonly #options: IdentityKeysOptions
  /** Verifies JWTs; undefined where none is known. */
  readonly tokens: SessionTokens | undefined
  /** Verifies logout tokens; undefined where none are taken. */
  readonly logouts: LogoutTokens | undefined
  #own: TokenKeys | undefined
  #issuers: Jwks | undefined

  /** @throws INVALID_OPTION where a file cannot be read, or its keys cannot be used */
  constructor(options: IdentityKeysOptions) {
    this.#options = options
    const { keysFile, logout } = options.settings
    this.#own = keysFile === undefined ? undefined : this.#readOwn(keysFile)
    this.#issuers = logout.keysFile === undefined ? undefined : this.#readIssuers(logout.keysFile)
    this.tokens = this.#own && this.#openTokens(this.#own)
    this.logouts = logout.issuer === undefined ? undefined : this.#openLogouts(logout.issuer)
  }

  /** What is looked at now and then, by the names of their settings. */
  get files(): { readonly [option: string]: { reload(): boolean } } {
    const { keysFile, logout } = this.#options.settings
    return {
      ...(keysFile !== undefined && { [KEYS]: { reload: () => this.#reloadOwn(keysFile) } }),
      ...(logout.keysFile !== undefined && { [LOGOUT_KEYS]: { reload: () => this.#reloadIssuers(logout.keysFile!) } }),
    }
  }

  #openTokens(keys: TokenKeys): SessionTokens {
    const { settings, clock, sessions } = this.#options
    // The settings are whole where there is a file: a check of them says so.
    const options = { issuer: settings.issuer!, audience: settings.audience, keys, clock, sessions: late(sessions) }
    return naming(KEYS, () => sessionTokens(options))
  }

  #openLogouts(issuer: string): LogoutTokens {
    const { settings, clock, asked } = this.#options
    const { audience, keysUrl, algorithms, maxAge } = settings.logout
    if (keysUrl === undefined)
      return logoutTokens({ issuer, audience, keys: () => this.#issuers!, algorithms, maxAge, clock })
    const remote = new RemoteKeys({
      url: new URL(keysUrl),
      option: LOGOUT_URL,
      clock,
      maxBytes: settings.limits.maxKeysBytes,
      timeoutMs: settings.limits.maxKeysMs,
      asked: (error) => asked(LOGOUT_URL, error),
    })
    return logoutTokens({ issuer, audience, keys: (wanted) => remote.get(wanted), algorithms, maxAge, clock })
  }

  #readOwn(path: string): TokenKeys {
    return verifyingKeys(readKeyFile(path, KEYS, this.#options.settings.limits.maxKeysBytes), KEYS)
  }

  #readIssuers(path: string): Jwks {
    const jwks = readKeyFile(path, LOGOUT_KEYS, this.#options.settings.limits.maxKeysBytes)
    readIssuerKeys(jwks, LOGOUT_KEYS)
    return jwks
  }

  #reloadOwn(path: string): boolean {
    const keys = this.#readOwn(path)
    if (isSame(keys, this.#own)) return false
    naming(KEYS, () => this.tokens!.replaceKeys(keys))
    this.#own = keys
    return true
  }

  #reloadIssuers(path: string): boolean {
    const jwks = this.#readIssuers(path)
    if (isSame(jwks, this.#issuers)) return false
    this.#issuers = jwks
    return true
  }
}

/**
 * Reads the files of keys as a server would, and opens nothing.
 * @throws INVALID_OPTION
 */
export const checkKeyFiles = ({ identity }: Settings): void => {
  const sessions = (): never => {
    throw new SojournError('REPLICA_CLOSED', 'no store is open')
  }
  new IdentityKeys({ settings: identity, clock: systemClock, sessions, asked: () => {} })
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** The sessions of a store that is not open yet. */
const late = (sessions: () => TokenSessions): TokenSessions => ({
  get: (id) => sessions().get(id),
  rotate: (id, options) => sessions().rotate(id, options),
  isLive: (handle) => sessions().isLive(handle),
  isLiveNow: (handle) => {
    const opened = sessions()
    return opened.isLiveNow ? opened.isLiveNow(handle) : opened.isLive(handle)
  },
})

/** What is wrong with keys is wrong with what a setting names. */
const naming = <T>(option: string, call: () => T): T => {
  try {
    return call()
  } catch (error) {
    if (!isSojournError(error, 'INVALID_OPTION')) throw error
    throw new SojournError('INVALID_OPTION', `${option}: ${error.message.slice(`${error.code}: `.length)}`, { option })
  }
}
