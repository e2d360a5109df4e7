/** A session as its caller gets it, with data and identity that are made when they are first read. */
import { type SessionKey, sessionKey } from './key.js'
import type { Authenticated, Session } from './session.js'

/** What `util.inspect` of Node.js asks an object for, by a name that needs no import. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** Who logged in, as a caller sees it. */
export interface ShownIdentity {
  readonly subject: string | undefined
  readonly device: string | undefined
  readonly auth: Authenticated | undefined
}

/** What a session is made of: what is known of it at once, and what is made when it is first asked for. */
export interface SessionSource {
  readonly id: string
  /** Undefined: it is computed when it is first read. */
  readonly handle: SessionKey | undefined
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastUsedAt: number
  /** Whether somebody logged in, or the device was named. */
  readonly isNamed: boolean
  /** Called until it has made them, once. */
  data(): unknown
  /** Called once, and only of one that {@link isNamed}. */
  identity(): ShownIdentity
  written(): string | undefined
  /** See {@link LazySession.opensUntil}. */
  opensUntil(): number | undefined
}

/**
 * A session whose data is made when it is first read, which many callers of a write never do. To its user it is a plain object.
 *
 * All share their getters: with one for each, the engine would give every session a hidden class of its own, which costs more than to
 * make the session, and keeps what it can reach from being collected while it is young.
 */
export class LazySession<T extends object> implements Session<T> {
  declare readonly id: string
  declare readonly handle: SessionKey
  declare readonly data: Readonly<T>
  declare readonly createdAt: number
  declare readonly expiresAt: number
  declare readonly lastUsedAt: number
  declare readonly subject?: string
  declare readonly device?: string
  declare readonly auth?: Authenticated
  readonly #source: SessionSource
  #handle: SessionKey | undefined
  /** Undefined: not made yet. */
  #data: unknown
  #identity: ShownIdentity | undefined

  constructor(source: SessionSource) {
    this.#source = source
    this.id = source.id
    const { handle } = source
    if (handle === undefined) Object.defineProperty(this, 'handle', LazySession.#named)
    else this.handle = handle
    Object.defineProperty(this, 'data', LazySession.#shared)
    this.createdAt = source.createdAt
    this.expiresAt = source.expiresAt
    this.lastUsedAt = source.lastUsedAt
    if (source.isNamed) Object.defineProperties(this, LazySession.#identified)
  }

  /** Not among what is shown: it says nothing of the session. */
  get written(): string | undefined {
    return this.#source.written()
  }

  /**
   * @internal From then on the id does not open the session any more, milliseconds since the epoch: who keeps a copy for the id must not show it
   * any longer. Undefined: nobody has superseded the secret.
   */
  get opensUntil(): number | undefined {
    return this.#source.opensUntil()
  }

  get #who(): ShownIdentity {
    this.#identity ??= this.#source.identity()
    return this.#identity
  }

  /** `console.log` and its like show the data. Without this they would show that there is a getter. */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    return inspect({ ...this }, { ...options, depth })
  }

  static readonly #shared: PropertyDescriptor & ThisType<LazySession<object>> = {
    enumerable: true,
    get() {
      this.#data ??= this.#source.data()
      return this.#data
    },
  }

  static readonly #named: PropertyDescriptor & ThisType<LazySession<object>> = {
    enumerable: true,
    get() {
      this.#handle ??= sessionKey(this.id)
      return this.#handle
    },
  }

  static readonly #identified: PropertyDescriptorMap & ThisType<LazySession<object>> = {
    subject: {
      enumerable: true,
      get() {
        return this.#who.subject
      },
    },
    device: {
      enumerable: true,
      get() {
        return this.#who.device
      },
    },
    auth: {
      enumerable: true,
      get() {
        return this.#who.auth
      },
    },
  }
}
