/** The session API: what is called, and what a session is to its caller. */
import type { Data } from './document/value.js'
import type { SessionKey } from './key.js'
import type {
  CreateOptions,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndSubjectOptions,
  ReadOptions,
  ReplaceOptions,
  RotateOptions,
  TouchOptions,
  UpdateOptions,
} from './options.generated.js'

/** Data whose shape a caller has not stated. */
// biome-ignore lint/suspicious/noExplicitAny: only the caller knows what it put in; `unknown` would make every read a cast.
export type AnyData = any

/** A session as a caller sees it: a snapshot, which later writes do not change. */
export interface Session<T extends object = Data> {
  /** The bearer secret that addresses it. */
  readonly id: string
  /** Its public name, which never changes: 32 hex digits, fit for logs and tokens. See `sessionKey`. */
  readonly handle: SessionKey
  /** Deep-frozen. The keys of each object are sorted, in whatever order they were written: the same in every region. */
  readonly data: Readonly<T>
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** The first millisecond at which the session no longer shows, unless it is renewed. */
  readonly expiresAt: number
  /** When its last use was written, milliseconds since the epoch: uses within `session.touchGranularity` are not. */
  readonly lastUsedAt: number
  /** Who logged in; undefined: nobody. */
  readonly subject?: string
  /** The label of the device on which that was. */
  readonly device?: string
  /** When and how the subject was authenticated. */
  readonly auth?: Authenticated
  /** Where its last commit is, for `get` with `after` in another region. A cookie may carry it. */
  readonly written?: string | undefined
}

/** When and how a subject was authenticated. */
export interface Authenticated {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** The authentication context class, as OpenID Connect names it. */
  readonly acr?: string
  /** The authentication methods, as RFC 8176 names them. */
  readonly amr?: readonly string[]
}

/** A session of a subject, as its other devices may see it: without its id and its data. */
export interface SubjectSession {
  readonly handle: SessionKey
  readonly device?: string
  readonly createdAt: number
  readonly lastUsedAt: number
  readonly expiresAt: number
  readonly auth?: Authenticated
  /** Where the subject logged in. */
  readonly region?: string
}

/** What became of an end of other sessions than the caller's. */
export interface EndReceipt {
  /** Sessions that were alive here, and are ended. */
  readonly ended: number
  /** Which regions hold the end, and which do not yet. One that is cut off gets it when it is back. */
  readonly regions: { readonly [region: string]: 'held' | 'pending' }
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
  /** `session.maxLifetime`, in milliseconds: nothing but a login extends a session past it. */
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
   * A login, or a new one: binds the session to a subject, gives it a new id and a new absolute limit, in one commit. The id that was
   * given ends at once, also where it is rotated elsewhere at the same time. The data goes on under another handle where middleware chose
   * the id, where another subject was logged in, and where the limit would be over `session.maxLifetime` after that of the creation.
   * @example
   * const { id: newId } = await sessions.elevate(id, { subject: 'ada', device: 'Firefox on Linux', auth: { amr: ['pwd'] } })
   * @throws SESSION_NOT_FOUND, SUBJECT_LIMIT, INVALID_OPTION where no key for subjects is set
   */
  elevate<T extends object = AnyData>(id: string, options: ElevateOptions): Promise<Session<T>>
  /**
   * A new id for the same session. The old one opens it for `grace` longer. Under an id that middleware chose, the data goes on
   * under another handle, and the old session ends.
   * @example
   * const { id: newId } = await sessions.rotate(id, { grace: '10s' })
   * @throws SESSION_NOT_FOUND
   */
  rotate<T extends object = AnyData>(id: string, options?: RotateOptions): Promise<Session<T>>
  /**
   * The live sessions of a subject, as held here, the oldest login first: never their ids.
   * @example
   * for await (const { handle, device, lastUsedAt } of sessions.sessionsOf('ada')) console.log(handle, device, lastUsedAt)
   */
  sessionsOf(subject: string): AsyncIterable<SubjectSession>
  /**
   * Whether a session of this handle lives here, without asking another region: ends that came here are the revocation list of tokens.
   * @example
   * await sessions.isLive(claims.sid)
   */
  isLive(handle: SessionKey): Promise<boolean>
  /**
   * Ends the session of a handle, as `end` does.
   * @example
   * await sessions.endHandle(handle, { reason: 'revoked' })
   */
  endHandle(handle: SessionKey, options?: EndHandleOptions): Promise<EndReceipt>
  /**
   * Ends all other sessions of the subject of a session, also those that other regions made and that have not arrived.
   * @example
   * const { ended } = await sessions.endOthers(id, { reason: 'revoked' })
   * @throws SESSION_NOT_FOUND, INVALID_OPTION where the session has no subject
   */
  endOthers(id: string, options?: EndHandleOptions): Promise<EndReceipt>
  /**
   * Ends all sessions of a subject that were authenticated until now, in every region, also those that have not arrived here.
   * @example
   * const { ended, regions } = await sessions.endSubject('ada', { reason: 'revoked', write: 'majority' })
   */
  endSubject(subject: string, options?: EndSubjectOptions): Promise<EndReceipt>
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
