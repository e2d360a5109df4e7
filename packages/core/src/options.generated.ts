/**
 * The limits of a replica, and the options of the calls of the session API: `npm run docs:options` writes them from
 * where they are declared (ADR 17).
 */
import type { Duration } from './duration.js'
import type { EndReason } from './lifetime.js'
import type { Level } from './quorum.js'

export interface Limits {
  /** Encoded bytes of one session that a local write may reach. Default: `65536`. */
  readonly maxSessionBytes: number
  /**
   * Encoded bytes of one session that a peer may send. The union of concurrent edits can be larger than each edit.
   * Default: `1048576`.
   */
  readonly maxRecordBytes: number
  /** Bytes of one key of an object. Default: `1024`. */
  readonly maxKeyBytes: number
  /** Nesting of objects and arrays in a session. Give a whole number from 1 to 256. Default: `32`. */
  readonly maxDepth: number
  /** Bytes of one frame on a link. Default: `4194304`. */
  readonly maxFrameBytes: number
  /** Bytes that a sender puts into one frame before it begins the next. Default: `65536`. */
  readonly targetFrameBytes: number
  /** Bytes that wait in a link's socket. Above this, the sender pauses. Default: `1048576`. */
  readonly maxBufferedBytes: number
  /**
   * Bytes that a link may send without an acknowledgement. Each item counts 2,048 bytes more, for its memory. Default:
   * `4194304`.
   */
  readonly maxUnackedBytes: number
  /** Commits that wait for the disk. One more is refused with OVERLOADED. Default: `20000`. */
  readonly maxPendingCommits: number
  /** Bytes of those commits. One more commit is refused with OVERLOADED. Default: `8388608`. */
  readonly maxPendingBytes: number
  /**
   * Bytes that the journal grows by before a checkpoint. Opening the store replays at most as many. Default:
   * `16777216`.
   */
  readonly checkpointBytes: number
  /**
   * Records that a checkpoint writes in one batch, or eight times as many under load. Other work runs between batches.
   * Default: `512`.
   */
  readonly checkpointRows: number
  /**
   * Bytes of changed records that wait for a checkpoint. Commits beyond this are refused with OVERLOADED. Default:
   * `67108864`.
   */
  readonly maxUncheckpointedBytes: number
  /** Quorum calls that wait for regions. One more is refused with OVERLOADED. Default: `20000`. */
  readonly maxPendingQuorums: number
  /**
   * Encoded bytes of sessions whose writes wait for regions. One more write is refused with OVERLOADED. Default:
   * `8388608`.
   */
  readonly maxPendingQuorumBytes: number
  /** Milliseconds that a call may wait for regions. A longer `timeout` is refused. Default: `60000`. */
  readonly maxTimeoutMs: number
  /** Received frames of one link that wait to be committed, or to be claimed in a vector. Default: `1024`. */
  readonly maxPendingFrames: number
  /**
   * Recent commits kept in memory as deltas for links in step. A link that lags further gets whole records. Default:
   * `8192`.
   */
  readonly maxRecentCommits: number
  /** Bytes of those deltas. Default: `8388608`. */
  readonly maxRecentBytes: number
  /** Sessions kept in memory. Default: `50000`. */
  readonly maxCacheEntries: number
  /** Encoded bytes of those sessions. Default: `25165824`. */
  readonly maxCacheBytes: number
  /**
   * Feeds that a vector remembers. It forgets the longest unchanged first, which costs a longer catch-up. Default:
   * `64`.
   */
  readonly maxVectorFeeds: number
  /**
   * Unauthenticated connections of peers at a time. One more closes the one that was silent longest. Default: `256`.
   */
  readonly maxHandshakes: number
  /** Unauthenticated connections from one address (of IPv6: one /64 network). Default: `64`. */
  readonly maxHandshakesPerAddress: number
}

export interface ReadOptions {
  /** How many regions are asked. Default: the store's `consistency.read`. */
  readonly read?: Level | undefined
  /**
   * What the session must show: the `written` of a session that a write gave, in whatever region. Give the `written` of
   * a session. Default: what the level gives.
   */
  readonly after?: string | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
}

export interface WriteOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
}

export interface DataOptions {
  /**
   * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to
   * those of the store. Give an array of JSON pointers, such as ['/user']. Default: none.
   */
  readonly atomic?: readonly string[] | undefined
}

export interface CreateOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** For middleware that makes its own ids. Give a string of 1 to 512 characters. Default: 256 random bits. */
  readonly id?: string | undefined
  /**
   * Whose session it is: the name of a user in the application. Give a string of 1 to 256 characters. Default: nobody.
   */
  readonly subject?: string | undefined
  /** A label of the device, for lists of sessions. Give a string of 1 to 256 bytes. Default: none. */
  readonly device?: string | undefined
  /** How the user was authenticated. Default: now, and nothing is said of how. */
  readonly auth?: {
    /**
     * When the user proved who they are, in milliseconds since the epoch. Give milliseconds since the epoch. Up to
     * `maxClockSkew` later than now counts as now. Default: now.
     */
    readonly time?: number | undefined
    /** The authentication context class, as OpenID Connect names it. Give a string of 1 to 256 bytes. Default: none. */
    readonly acr?: string | undefined
    /**
     * The authentication methods, as RFC 8176 names them. At most 16. Give an array of authentication methods, such as
     * ['pwd', 'otp']. Default: none.
     */
    readonly amr?: readonly string[] | undefined
  } | undefined
  /**
   * The session expires when unused for this, or up to `session.touchGranularity` of the store later. It never outlives
   * its `maxLifetime`. Default: the store's `session.idleTimeout`.
   */
  readonly idleTimeout?: Duration | undefined
  /**
   * The session expires after this, however often it is used. At most the store's `session.maxLifetime`. Default: the
   * store's `session.maxLifetime`.
   */
  readonly maxLifetime?: Duration | undefined
  /**
   * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to
   * those of the store. Give an array of JSON pointers, such as ['/user']. Default: none.
   */
  readonly atomic?: readonly string[] | undefined
}

export interface ElevateOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Who logged in: the name of a user in the application. Give a string of 1 to 256 characters. */
  readonly subject: string
  /** A label of the device, for lists of sessions. Give a string of 1 to 256 bytes. Default: none. */
  readonly device?: string | undefined
  /** How the user was authenticated. Default: now, and nothing is said of how. */
  readonly auth?: {
    /**
     * When the user proved who they are, in milliseconds since the epoch. Give milliseconds since the epoch. Up to
     * `maxClockSkew` later than now counts as now. Default: now.
     */
    readonly time?: number | undefined
    /** The authentication context class, as OpenID Connect names it. Give a string of 1 to 256 bytes. Default: none. */
    readonly acr?: string | undefined
    /**
     * The authentication methods, as RFC 8176 names them. At most 16. Give an array of authentication methods, such as
     * ['pwd', 'otp']. Default: none.
     */
    readonly amr?: readonly string[] | undefined
  } | undefined
  /** A new idle timeout for the session. Default: the one that it has. */
  readonly idleTimeout?: Duration | undefined
  /**
   * The session expires after this, however often it is used. At most the store's `session.maxLifetime`. Default: the
   * store's `session.maxLifetime`.
   */
  readonly maxLifetime?: Duration | undefined
}

export interface RotateOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /**
   * For how long the old id opens the session, too. Not for an id that middleware chose: it ends at once. Default: `0`.
   */
  readonly grace?: Duration | undefined
}

export interface EndHandleOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Why the session ends. Give one of 'logout', 'revoked', 'rotated', 'displaced', 'reused'. Default: `logout`. */
  readonly reason?: EndReason | undefined
}

export interface EndSubjectOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Why the session ends. Give one of 'logout', 'revoked', 'rotated', 'displaced', 'reused'. Default: `logout`. */
  readonly reason?: EndReason | undefined
  /**
   * Handles of sessions that live on. At most 256. Give an array of handles of sessions that live on. Default: none.
   */
  readonly except?: readonly string[] | undefined
}

export interface UpdateOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Whether the write also renews the idle deadline, as any use does. Default: `true`. */
  readonly touch?: boolean | undefined
  /** A new idle timeout for the session, if the call renews it. Default: the one that it has. */
  readonly idleTimeout?: Duration | undefined
  /**
   * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to
   * those of the store. Give an array of JSON pointers, such as ['/user']. Default: none.
   */
  readonly atomic?: readonly string[] | undefined
}

export interface ReplaceOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Whether the write also renews the idle deadline, as any use does. Default: `true`. */
  readonly touch?: boolean | undefined
  /** A new idle timeout for the session, if the call renews it. Default: the one that it has. */
  readonly idleTimeout?: Duration | undefined
  /**
   * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to
   * those of the store. Give an array of JSON pointers, such as ['/user']. Default: none.
   */
  readonly atomic?: readonly string[] | undefined
  /** The data that the caller read. Only differences from it are written. Default: what the store holds now. */
  readonly base?: object | undefined
  /**
   * JSON pointers of integer fields whose change is written as an increment. Give an array of JSON pointers, such as
   * ['/views']. Default: none.
   */
  readonly counters?: readonly string[] | undefined
  /**
   * JSON pointers of objects that were assigned instead of changed. Each becomes a new object, and concurrent edits of
   * the old one are lost. Give an array of JSON pointers, such as ['/user']. Default: an object that stands in both
   * places was changed.
   */
  readonly assigned?: readonly string[] | undefined
}

export interface TouchOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** A new idle timeout for the session, if the call renews it. Default: the one that it has. */
  readonly idleTimeout?: Duration | undefined
}

export interface EndOptions {
  /** How many regions must hold the write. Default: the store's `consistency.write`. */
  readonly write?: Level | undefined
  /** How long to wait for other regions, `limits.maxTimeoutMs` at most. Default: the store's `consistency.timeout`. */
  readonly timeout?: Duration | undefined
  /** Why the session ends. Give one of 'logout', 'revoked', 'rotated', 'displaced', 'reused'. Default: `logout`. */
  readonly reason?: EndReason | undefined
}
