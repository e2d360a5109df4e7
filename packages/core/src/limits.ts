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
    'Encoded bytes of one session that a peer may send. The union of concurrent edits can be larger than each edit',
  ),
  maxKeyBytes: limit(KB, 'Bytes of one key of an object'),
  maxDepth: limit(32, 'Nesting of objects and arrays in a session', MAX_MAP_DEPTH),
  maxFrameBytes: limit(4 * MB, 'Bytes of one frame on a link'),
  targetFrameBytes: limit(64 * KB, 'Bytes that a sender puts into one frame before it begins the next'),
  maxBufferedBytes: limit(MB, "Bytes that wait in a link's socket. Above this, the sender pauses"),
  maxUnackedBytes: limit(
    4 * MB,
    'Bytes that a link may send without an acknowledgement. Each item counts 2,048 bytes more, for its memory',
  ),
  maxPendingCommits: limit(20_000, 'Commits that wait for the disk. One more is refused with OVERLOADED'),
  maxPendingBytes: limit(8 * MB, 'Bytes of those commits. One more commit is refused with OVERLOADED'),
  checkpointBytes: limit(
    16 * MB,
    'Bytes that the journal grows by before a checkpoint. Opening the store replays at most as many',
  ),
  checkpointRows: limit(
    512,
    'Records that a checkpoint writes in one batch, or eight times as many under load. Other work runs between batches',
  ),
  maxUncheckpointedBytes: limit(
    64 * MB,
    'Bytes of changed records that wait for a checkpoint. Commits beyond this are refused with OVERLOADED',
  ),
  maxPendingQuorums: limit(20_000, 'Quorum calls that wait for regions. One more is refused with OVERLOADED'),
  maxPendingQuorumBytes: limit(
    8 * MB,
    'Encoded bytes of sessions whose writes wait for regions. One more write is refused with OVERLOADED',
  ),
  maxTimeoutMs: limit(60_000, 'Milliseconds that a call may wait for regions. A longer `timeout` is refused'),
  maxPendingFrames: limit(1_024, 'Received frames of one link that wait to be committed, or to be claimed in a vector'),
  maxRecentCommits: limit(
    8_192,
    'Recent commits kept in memory as deltas for links in step. A link that lags further gets whole records',
  ),
  maxRecentBytes: limit(8 * MB, 'Bytes of those deltas'),
  maxCacheEntries: limit(50_000, 'Sessions kept in memory'),
  maxCacheBytes: limit(24 * MB, 'Encoded bytes of those sessions'),
  maxVectorFeeds: limit(
    64,
    'Feeds that a vector remembers. It forgets the longest unchanged first, which costs a longer catch-up',
  ),
  maxHandshakes: limit(
    256,
    'Unauthenticated connections of peers at a time. One more closes the one that was silent longest',
  ),
  maxHandshakesPerAddress: limit(64, 'Unauthenticated connections from one address (of IPv6: one /64 network)'),
}

export const DEFAULT_LIMITS: Limits = defaultsOf(LIMITS)

/** Bytes of a frame beside the record that it carries. */
const FRAME_OVERHEAD = 1_024
/** What regions say to compare all of their records fits. */
const MIN_FRAME_BYTES = 32 * KB

/** What limits do not allow each other, of the option that it names: what a region makes, it must be able to keep, and others to take. */
export const limitsFault = ({
  maxSessionBytes,
  maxRecordBytes,
  maxFrameBytes,
}: Pick<Limits, 'maxSessionBytes' | 'maxRecordBytes' | 'maxFrameBytes'>):
  | { readonly option: string; readonly what: string }
  | undefined => {
  if (maxRecordBytes < 2 * maxSessionBytes)
    return {
      option: 'limits.maxRecordBytes',
      what: `is ${maxRecordBytes}. The edits of several regions add up: give at least twice limits.maxSessionBytes, ${2 * maxSessionBytes}, in all regions`,
    }
  const least = Math.max(MIN_FRAME_BYTES, maxRecordBytes + FRAME_OVERHEAD)
  if (maxFrameBytes >= least) return undefined
  return {
    option: 'limits.maxFrameBytes',
    what: `is ${maxFrameBytes}. A record must fit, with ${FRAME_OVERHEAD} bytes beside it: give at least ${least} in all regions`,
  }
}
