/** What is bounded of a replica, and by how much. */
import { MAX_MAP_DEPTH } from './document/fold.js'
import { defaultsOf, limit } from './option-table.js'
import type { Limits } from './options.generated.js'

export type { Limits } from './options.generated.js'

const KB = 1024
const MB = 1024 * KB

export const LIMITS = {
  maxSessionBytes: limit(64 * KB, 'Encoded bytes of one session that a local write may reach'),
  maxRecordBytes: limit(
    MB,
    'Encoded bytes of one session that may come from a peer: the union of concurrent edits can be larger than each',
  ),
  maxKeyBytes: limit(KB, 'Bytes of one key of an object'),
  maxDepth: limit(32, 'Nesting of objects and arrays in a session', MAX_MAP_DEPTH),
  maxFrameBytes: limit(4 * MB, 'Bytes of one frame on a link'),
  targetFrameBytes: limit(64 * KB, 'Bytes that a sender puts into one frame before it begins the next'),
  maxBufferedBytes: limit(MB, "Bytes handed to a link's socket and not yet taken by it, above which the sender pauses"),
  maxUnackedBytes: limit(
    4 * MB,
    'Bytes that a link may be sent before the peer has acknowledged them; each item weighs 2,048 more, for what it is in memory',
  ),
  maxPendingCommits: limit(20_000, 'Commits waiting for the disk; one more is refused with OVERLOADED'),
  maxPendingBytes: limit(8 * MB, 'Bytes of those commits; one more commit is refused with OVERLOADED'),
  checkpointBytes: limit(
    16 * MB,
    'Bytes that the journal grows by until the records that changed are written to the rows: opening replays as many at most',
  ),
  checkpointRows: limit(
    512,
    'Records that a checkpoint writes in one batch, eight times as many where much waits; others run between two',
  ),
  maxUncheckpointedBytes: limit(
    64 * MB,
    'Bytes of records that changed and are not in the rows; what would add to more is refused with OVERLOADED',
  ),
  maxPendingQuorums: limit(20_000, 'Quorum calls waiting for regions; one more is refused with OVERLOADED'),
  maxPendingQuorumBytes: limit(
    8 * MB,
    'Encoded bytes of the sessions whose writes wait so; one more write is refused with OVERLOADED',
  ),
  maxTimeoutMs: limit(60_000, 'Milliseconds that a call may wait for regions; a longer `timeout` is refused'),
  maxPendingFrames: limit(1_024, 'Received frames of one link that wait to be committed, or to be claimed in a vector'),
  maxRecentCommits: limit(
    8_192,
    'Recent commits kept in memory as deltas for links in step; a link that lags further is sent records',
  ),
  maxRecentBytes: limit(8 * MB, 'Bytes of those deltas'),
  maxCacheEntries: limit(50_000, 'Sessions kept in memory'),
  maxCacheBytes: limit(24 * MB, 'Encoded bytes of those sessions'),
  maxVectorFeeds: limit(
    64,
    'Feeds that a vector remembers; the longest unmoved are forgotten first, which costs a longer catch-up',
  ),
  maxHandshakes: limit(
    256,
    'Connections of peers, at a time, whose other side is not known yet; one more closes the one that was silent longest',
  ),
  maxHandshakesPerAddress: limit(64, 'Those of them that come from one address (of IPv6: one /64 network)'),
}

export const DEFAULT_LIMITS: Limits = defaultsOf(LIMITS)
