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

/** What is known of a session at once. */
export interface SessionFacts {
  readonly id: string
  /** Undefined: it is computed when it is first read. */
  readonly handle: SessionKey | undefined
  readonly createdAt: number
  readonly expiresAt: number
  readonly lastUsedAt: number
  /** Undefined: nobody logged in. */
  readonly identity: (() => ShownIdentity) | undefined
  readonly written: (() => string) | undefined
  /** See {@link LazySession.opensUntil}. */
  readonly opensUntil?: () => number | undefined
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
  #handle: SessionKey | undefined
  #make: (() => unknown) | undefined
  #data: unknown
  #identify: (() => ShownIdentity) | undefined
  #identity: ShownIdentity | undefined
  readonly #written: (() => string) | undefined
  readonly #opensUntil: (() => number | undefined) | undefined

  /** @param make called at most once */
  constructor(facts: SessionFacts, make: () => unknown) {
    this.#make = make
    this.id = facts.id
    if (facts.handle === undefined) Object.defineProperty(this, 'handle', LazySession.#named)
    else this.handle = facts.handle
    Object.defineProperty(this, 'data', LazySession.#shared)
    this.createdAt = facts.createdAt
    this.expiresAt = facts.expiresAt
    this.lastUsedAt = facts.lastUsedAt
    this.#written = facts.written
    this.#opensUntil = facts.opensUntil
    if (facts.identity) {
      this.#identify = facts.identity
      Object.defineProperties(this, LazySession.#identified)
    }
  }

  /** Not among what is shown: it says nothing of the session. */
  get written(): string | undefined {
    return this.#written?.()
  }

  /**
   * @internal From then on the id does not open the session any more, milliseconds since the epoch: who keeps a copy for the id must not show it
   * any longer. Undefined: nobody has superseded the secret.
   */
  get opensUntil(): number | undefined {
    return this.#opensUntil?.()
  }

  get #who(): ShownIdentity {
    if (this.#identify) {
      this.#identity = this.#identify()
      this.#identify = undefined
    }
    return this.#identity!
  }

  /** `console.log` and its like show the data. Without this they would show that there is a getter. */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    return inspect({ ...this }, { ...options, depth })
  }

  static readonly #shared: PropertyDescriptor & ThisType<LazySession<object>> = {
    enumerable: true,
    get() {
      if (this.#make) {
        this.#data = this.#make()
        this.#make = undefined
      }
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
