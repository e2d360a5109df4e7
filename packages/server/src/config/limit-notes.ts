import type { Limits } from '@sojourn/core/internal'
import type { AdminLimits } from '../admin/limits.js'
import type { ClientLimits } from '../clients/limits.js'

/** What the reference says of each limit. */
export const LIMIT_NOTES: { readonly [name in keyof Limits]: string } = {
  maxSessionBytes: 'Encoded bytes of one session that a local write may reach',
  maxRecordBytes: 'Encoded bytes of one session that may come from a peer',
  maxKeyBytes: 'Bytes of one key of an object',
  maxDepth: 'Nesting of objects and arrays in a session, 256 at most',
  maxFrameBytes: 'Bytes of one frame on a link',
  targetFrameBytes: 'Bytes that a sender puts into one frame before it begins the next',
  maxBufferedBytes: "Bytes handed to a link's socket, above which the sender pauses",
  maxUnackedBytes: 'Bytes that a link may be sent before the peer has acknowledged them',
  maxPendingCommits: 'Commits waiting for the disk',
  maxPendingBytes: 'Bytes of those',
  checkpointBytes: 'Bytes that the journal grows by until what changed is written to the rows',
  checkpointRows: 'Records that are written to the rows in one batch',
  maxUncheckpointedBytes: 'Bytes of records that changed and are not in the rows',
  maxPendingQuorums: 'Quorum calls waiting for regions',
  maxPendingQuorumBytes: 'Encoded bytes of the sessions whose writes wait so',
  maxTimeoutMs: 'Milliseconds that a call may wait for regions; a longer timeout is refused',
  maxPendingFrames: 'Received frames of one link that wait to be committed or claimed',
  maxRecentCommits: 'Recent commits kept in memory for links in step',
  maxRecentBytes: 'Bytes of those',
  maxCacheEntries: 'Sessions kept in memory',
  maxCacheBytes: 'Encoded bytes of those',
  maxVectorFeeds: 'Feeds that a vector remembers',
  maxHandshakes:
    'Connections of peers, at a time, of which it is not known yet who it is; one more closes the one that was silent longest',
  maxHandshakesPerAddress: 'Those of them that come from one address (of IPv6: one /64 network)',
}

export const CLIENT_LIMIT_NOTES: { readonly [name in keyof ClientLimits]: string } = {
  maxConnections: 'Connections, at a time, of clients that were let in',
  maxHandshakes:
    'Connections, at a time, of which it is not known yet who it is; one more closes the one that was silent longest',
  maxHandshakesPerAddress: 'Those of them that come from one address (of IPv6: one /64 network)',
  maxSilenceMs: 'Milliseconds that a client may be silent',
  maxTokenPercent: 'Percent of what all clients may have together that the connections of one token may',
  maxInFlight: 'Unanswered requests of one connection',
  maxInFlightBytes: 'Bytes of those requests, 2048 more for each',
  maxInFlightBytesInAll: 'Bytes of the unanswered requests of all connections',
  maxQuorums: 'Unanswered requests of one connection that may wait for other regions',
  maxFrameBytes: 'Bytes of one frame from a client',
  maxFrameBytesInAll:
    'Bytes of frames of all connections that came in part, or wait to be read; above, who has most is cut off',
  targetFrameBytes: 'Bytes of answers that are put into one frame before the next is begun',
  maxBufferedBytes: 'Bytes of answers that a client may leave unread before its requests are left unread, too',
  maxBufferedBytesInAll: 'Bytes of answers that all clients may leave unread; above, who leaves most is cut off',
  maxRemembered: 'Answers to writes that are remembered of one client, for when a write comes again',
  maxRememberedBytes: 'Bytes of those answers, 512 more for each',
  maxRememberedBytesInAll: 'Bytes of the answers that are remembered of all clients; above, the oldest are forgotten',
  maxAwayClients: 'Clients without a connection of which answers are remembered',
  maxAwayMs: 'Milliseconds that they are, after the connection ended',
  maxWatched: 'Sessions of which one client is told that they changed',
  maxWatchedBytesInAll: 'Bytes of what is noted of them for all clients, 256 each; above, reads are not watched',
  maxWalks: 'Scans of all sessions at a time, of one connection',
  maxWalksInAll: 'Scans of all sessions at a time, of all connections',
}

export const ADMIN_LIMIT_NOTES: { readonly [name in keyof AdminLimits]: string } = {
  maxConnections: 'Connections, at a time, of who has shown a good token',
  maxUnauthenticated:
    'Connections, at a time, of who has shown none yet, probes among them; one more closes the one that was silent longest',
  maxUnauthenticatedPerAddress: 'Those of them that come from one address (of IPv6: one /64 network)',
  maxHeadersMs: 'Milliseconds that the head of a request may take',
  maxRequestMs: 'Milliseconds that a whole request may take to come in',
  maxIdleMs: 'Milliseconds that a connection may be idle between two requests',
}
