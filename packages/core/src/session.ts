/** The session API: what is called, and what a session is to its caller. */
import type { Data } from './document/value.js'
import type { SessionKey } from './key.js'
import type {
  CreateOptions,
  EndOptions,
  ReadOptions,
  ReplaceOptions,
  TouchOptions,
  UpdateOptions,
  WriteOptions,
} from './options.generated.js'

/** Data whose shape a caller has not stated. */
// biome-ignore lint/suspicious/noExplicitAny: only the caller knows what it put in; `unknown` would make every read a cast.
export type AnyData = any

/** A session as a caller sees it: a snapshot, which later writes do not change. */
export interface Session<T extends object = Data> {
  /** The bearer secret that addresses it. */
  readonly id: string
  /** Deep-frozen. The keys of each object are sorted, in whatever order they were written: the same in every region. */
  readonly data: Readonly<T>
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** The first millisecond at which the session no longer shows, unless it is renewed. */
  readonly expiresAt: number
}

/** A session without its id, which is not stored. */
export interface StoredSession {
  readonly key: SessionKey
  readonly data: Data
  readonly createdAt: number
  readonly expiresAt: number
}

/** What holds for a session of which a call says nothing. */
export interface Lifetimes {
  /** `session.atomic`: JSON pointers of objects that are one value. Default: none. */
  readonly atomic?: readonly string[]
  /** `session.idleTimeout`, in milliseconds. */
  readonly idleTimeoutMs: number
  /** `session.maxLifetime`, in milliseconds: nothing extends any session past it. */
  readonly maxLifetimeMs: number
}

/** A draft to change in place, or the whole new data as return value; or a JSON merge patch (RFC 7396). */
// biome-ignore lint/suspicious/noConfusingVoidType: a draft function without a return statement is the usual case.
export type Update<T extends object> = ((draft: T) => T | undefined | void) | { readonly [key: string]: unknown }

/**
 * What adapters are built on: an embedded replica offers it, and so does a client over the network.
 *
 * Every method rejects with a SojournError; the codes common to all are REPLICA_CLOSED, INVALID_OPTION, QUORUM_UNMET (where a
 * level above `local` is asked for), OVERLOADED and STORE_FAILED; of a client also CLIENT_CLOSED, UNAVAILABLE, CONNECTION_LOST, TIMEOUT,
 * TOKEN_REFUSED, SCOPE_REFUSED, LINK_VERSION and FRAME_UNEXPECTED.
 */
export interface SessionApi {
  /**
   * A call without a `timeout` of its own is answered, or refused with what is wrong, within this, milliseconds: whoever gives calls up by
   * a clock of its own waits longer, or hides the better answer. Undefined: nobody knows. Not of `sessions` and `endAll`, which take as
   * long as they get on.
   */
  readonly answersWithinMs?: number | undefined
  /**
   * @throws SESSION_EXISTS, INVALID_DATA, SESSION_TOO_LARGE
   * @example
   * const { id } = await sessions.create({ user: 'ada', cart: {} }, { idleTimeout: '30m' })
   */
  create<T extends object = Data>(data: T, options?: CreateOptions): Promise<Session<T>>
  /**
   * @throws STORE_CORRUPT where the record is corrupt and no peer supplies it
   * @example
   * const session = await sessions.get(id, { read: 'majority' })
   * session?.data.user
   */
  get<T extends object = AnyData>(id: string, options?: ReadOptions): Promise<Session<T> | undefined>
  /**
   * @throws SESSION_NOT_FOUND, INVALID_DATA, SESSION_TOO_LARGE
   * @example
   * await sessions.update(id, (draft) => { draft.cart.tea = 1 })
   * await sessions.update(id, { theme: 'dark', hint: null }) // a merge patch: null deletes
   */
  update<T extends object = AnyData>(id: string, update: Update<T>, options?: UpdateOptions): Promise<Session<T>>
  /**
   * Writes what differs between `base` and `next`, and nothing else.
   * @example
   * const { data } = await sessions.get(id)
   * await sessions.replace(id, { ...data, theme: 'dark' }, { base: data })
   * @throws as `update`
   */
  replace<T extends object = AnyData>(id: string, next: T, options?: ReplaceOptions): Promise<Session<T>>
  /**
   * Adds to a counter, which is made where there is none; increments add up, wherever they are made. A counter shows 2^53 - 1 at most.
   *
   * @example await sessions.increment(id, '/views')
   * @param path a JSON pointer, such as `/views`
   * @throws as `update`; INVALID_DATA where there is no integer, where a value around it is no object, and beyond 2^53 (with `limit`)
   */
  increment<T extends object = AnyData>(
    id: string,
    path: string,
    by?: number,
    options?: UpdateOptions,
  ): Promise<Session<T>>
  /**
   * Renews the idle deadline. Undefined where no live session has the id.
   * @example
   * await sessions.touch(id)
   */
  touch<T extends object = AnyData>(id: string, options?: TouchOptions): Promise<Session<T> | undefined>
  /**
   * Whether the session was alive here. Final in every region, also where it had not arrived here yet.
   * @example
   * await sessions.end(id, { reason: 'logout', write: 'majority' })
   */
  end(id: string, options?: EndOptions): Promise<boolean>
  /**
   * A new id for the same data, creation time and deadlines; the old one ends.
   * @example
   * const { id: newId } = await sessions.rotate(id) // after a login
   * @throws SESSION_NOT_FOUND
   */
  rotate<T extends object = AnyData>(id: string, options?: WriteOptions): Promise<Session<T>>
  /**
   * Every live session, as held here, in the order of the keys.
   * @example
   * for await (const { key, expiresAt } of sessions.sessions()) console.log(key, new Date(expiresAt))
   */
  sessions(): AsyncIterable<StoredSession>
  /**
   * What the store is set to. A client answers what its server said when it let the client in.
   * @example
   * sessions.lifetimes().idleTimeoutMs // 1800000
   */
  lifetimes(): Lifetimes
  /**
   * How many live sessions are held here.
   * @example
   * await sessions.count()
   */
  count(): Promise<number>
  /**
   * Ends every session held here, many at a time, and goes on for as long as it gets on. Returns how many were alive.
   * @example
   * await sessions.endAll({ reason: 'revoked' })
   * @throws TIMEOUT where no session could be ended for a while; those that are ended stay so
   */
  endAll(options?: EndOptions): Promise<number>
}
