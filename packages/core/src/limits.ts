/** What is bounded, and by how much. Each is an option of `openReplica({ limits })`; regions should agree on the first four. */
export interface Limits {
  /** Encoded bytes of one session that a local write may reach. */
  readonly maxSessionBytes: number
  /** Encoded bytes of one session that may come from a peer: the union of concurrent edits can be larger than each. */
  readonly maxRecordBytes: number
  /** Bytes of one key of an object. */
  readonly maxKeyBytes: number
  /** Nesting of objects and arrays in a session, 256 at most. */
  readonly maxDepth: number
  /** Bytes of one frame on a link. */
  readonly maxFrameBytes: number
  /** Bytes of deltas or records that a sender puts into one frame before it begins the next. */
  readonly targetFrameBytes: number
  /** Bytes handed to a link's socket and not yet taken by it, above which the sender pauses. */
  readonly maxBufferedBytes: number
  /** Bytes of a feed that a link may be sent before the peer has acknowledged them; each item weighs 2,048 more, for what it is in memory. */
  readonly maxUnackedBytes: number
  /** Commits waiting for the disk; one more is refused with OVERLOADED. */
  readonly maxPendingCommits: number
  /** Bytes of those commits; one more commit is refused with OVERLOADED. */
  readonly maxPendingBytes: number
  /** Bytes that the journal grows by until the records that changed are written to the rows: opening replays as many at most. */
  readonly checkpointBytes: number
  /** Records that a checkpoint writes in one batch, eight times as many where much waits; others run between two. */
  readonly checkpointRows: number
  /** Bytes of records that changed and are not in the rows; what would add to more is refused with OVERLOADED. */
  readonly maxUncheckpointedBytes: number
  /** Quorum calls waiting for regions; one more is refused with OVERLOADED. */
  readonly maxPendingQuorums: number
  /** Encoded bytes of the sessions whose writes wait so; one more write is refused with OVERLOADED. */
  readonly maxPendingQuorumBytes: number
  /** The longest `timeout` that a call may give for waiting for regions, milliseconds; a longer one is refused with INVALID_OPTION. */
  readonly maxTimeoutMs: number
  /** Received frames of one link that wait to be committed or to be claimed in a vector. */
  readonly maxPendingFrames: number
  /** Recent commits kept in memory as deltas for links in step; a link that lags further is sent records. */
  readonly maxRecentCommits: number
  /** Bytes of those deltas. */
  readonly maxRecentBytes: number
  /** Sessions kept in memory, decoded. */
  readonly maxCacheEntries: number
  /** Encoded bytes of those sessions. */
  readonly maxCacheBytes: number
  /** Feeds that a vector remembers; the longest unmoved are forgotten first, which costs a longer catch-up. */
  readonly maxVectorFeeds: number
  /** Connections to the listener, at a time, whose other side is not known yet; one more closes the one that was silent longest. */
  readonly maxHandshakes: number
  /** Those of them that come from one address (of IPv6: one /64 network). */
  readonly maxHandshakesPerAddress: number
}

export const DEFAULT_LIMITS: Limits = {
  maxSessionBytes: 64 * 1024,
  maxRecordBytes: 1024 * 1024,
  maxKeyBytes: 1024,
  maxDepth: 32,
  maxFrameBytes: 4 * 1024 * 1024,
  targetFrameBytes: 64 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxUnackedBytes: 4 * 1024 * 1024,
  maxPendingCommits: 20_000,
  maxPendingBytes: 8 * 1024 * 1024,
  checkpointBytes: 16 * 1024 * 1024,
  checkpointRows: 512,
  maxUncheckpointedBytes: 64 * 1024 * 1024,
  maxPendingQuorums: 20_000,
  maxPendingQuorumBytes: 8 * 1024 * 1024,
  maxTimeoutMs: 60_000,
  maxPendingFrames: 1_024,
  maxRecentCommits: 8_192,
  maxRecentBytes: 8 * 1024 * 1024,
  maxCacheEntries: 50_000,
  maxCacheBytes: 24 * 1024 * 1024,
  maxVectorFeeds: 64,
  maxHandshakes: 256,
  maxHandshakesPerAddress: 64,
}
