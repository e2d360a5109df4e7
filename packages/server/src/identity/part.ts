/** The part of a server that answers for tokens: its listener, where the settings ask for one. */
import type { Clock, SessionApi, SojournError } from '@sojourn/core/internal'
import type { TokenSessions } from '@sojourn/identity'
import type { CreateServer } from '@sojourn/net'
import type { Settings } from '../config/schema.js'
import type { HttpListener } from '../http-listener.js'
import type { LogThrottle } from '../log-throttle.js'
import type { Metrics } from '../metrics.js'
import type { Part } from '../part.js'
import type { TokenBook } from '../tokens.js'
import { Endpoints } from './endpoints.js'
import { IdentityKeys } from './keys.js'
import { listenForIdentity } from './listener.js'

export interface IdentityOptions {
  readonly settings: Settings['identity']
  readonly clock: Clock
  readonly tokens: TokenBook
  readonly createServer: CreateServer
  /** Only what comes after the store was opened asks for it. */
  readonly replica: () => TokenSessions
  readonly sessions: () => SessionApi
  /** Whether the replica holds what its peers had. */
  readonly mayOpen: () => boolean
  readonly metrics: Pick<Metrics, 'askedOfTokens' | 'reloaded'>
  readonly throttle: LogThrottle
  readonly failed: (error: unknown) => void
}

export class Identity implements Part {
  readonly name = 'identity'
  readonly #options: IdentityOptions
  readonly #keys: IdentityKeys
  #listener: HttpListener | undefined
  #isReady = false

  /** @throws INVALID_OPTION where the keys cannot be used that the settings name */
  constructor(options: IdentityOptions) {
    const { settings, clock, replica } = options
    this.#options = options
    const asked = (option: string, error?: SojournError) => error && this.#keysFailed(option, error)
    this.#keys = new IdentityKeys({ settings, clock, sessions: replica, asked })
  }

  /** Files of keys, which may change. */
  get files(): IdentityKeys['files'] {
    return this.#keys.files
  }

  /** Undefined where nobody is listened to. */
  get listener(): HttpListener | undefined {
    return this.#listener
  }

  async start(): Promise<void> {
    const { settings, sessions, tokens: callers, createServer, metrics, failed } = this.#options
    const { host, port, limits, issuer } = settings
    if (port === undefined) return
    const { tokens, logouts } = this.#keys
    this.#listener = await listenForIdentity({
      tokens: callers,
      createServer,
      failed,
      answered: (endpoint, outcome) => metrics.askedOfTokens(endpoint, outcome),
      host,
      port,
      limits,
      endpoints: new Endpoints({ sessions: sessions(), tokens, logouts, issuer }),
      jwks: tokens && (() => tokens.jwks()),
      takesLogouts: logouts !== undefined,
      isReady: () => this.#mayOpen(),
    })
  }

  async stop(): Promise<void> {
    await this.#listener?.drain()
  }

  #keysFailed(option: string, error: SojournError): void {
    const { metrics, throttle } = this.#options
    metrics.reloaded(option, error)
    throttle.write({
      name: option,
      level: 'warn',
      body: { file: option, why: error.message },
      message: 'keys of the issuer cannot be had',
    })
  }

  /** Once it was ready, no peer that is away makes it unready. */
  #mayOpen(): boolean {
    this.#isReady ||= this.#options.mayOpen()
    return this.#isReady
  }
}
