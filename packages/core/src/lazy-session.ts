/** A session as its caller gets it, with data that is made when it is first read. */
import type { Session } from './session.js'

/** What `util.inspect` of Node.js asks an object for, by a name that needs no import. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/**
 * A session whose data is made when it is first read, which many callers of a write never do. To its user it is a plain object.
 *
 * All share one getter: with one for each, the engine would give every session a hidden class of its own, which costs more than to
 * make the session, and keeps what it can reach from being collected while it is young.
 */
export class LazySession<T extends object> implements Session<T> {
  declare readonly id: string
  declare readonly data: Readonly<T>
  declare readonly createdAt: number
  declare readonly expiresAt: number
  #make: (() => unknown) | undefined
  #data: unknown

  /** @param make called at most once */
  constructor(id: string, make: () => unknown, createdAt: number, expiresAt: number) {
    this.#make = make
    this.id = id
    Object.defineProperty(this, 'data', LazySession.#shared)
    this.createdAt = createdAt
    this.expiresAt = expiresAt
  }

  /** `console.log` and its like show the data. Without this they would show that there is a getter. */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const { id, data, createdAt, expiresAt } = this
    return inspect({ id, data, createdAt, expiresAt }, { ...options, depth })
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
}
