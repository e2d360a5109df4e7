/** What is bounded of the client listener, and by how much; and what each thing that is kept for a client weighs. */
import { defaultsOf, limit, type SettingsOf } from '@sojourn/core/internal'

const MB = 1024 * 1024

/** What things weigh in memory, bytes: measured (test/integration/client-budgets.test.ts), and rounded up. */
export const WEIGHTS = {
  /** A session that a client watches. */
  watch: 256,
  /** A remembered answer, beside its bytes. */
  reply: 512,
  /** A request under way, beside its data. */
  request: 2_048,
  /** A connection, with its buffers. */
  connection: 48 * 1024,
  /** What is remembered of a client, beside answers. */
  client: 1_024,
  /** A scan of all sessions: what it has read ahead, and a page. */
  scan: 256 * 1024,
} as const

export const CLIENT_LIMITS = {
  maxConnections: limit(
    1_024,
    'Connections at a time of clients that were let in; one more is refused with OVERLOADED',
  ),
  maxHandshakes: limit(
    256,
    'Connections at a time of which it is not known yet who it is; one more closes the one that was silent longest',
  ),
  maxHandshakesPerAddress: limit(
    64,
    'Those of them that come from one address (of IPv6: one /64 network). Raise it where all clients come through one proxy',
  ),
  maxSilenceMs: limit(
    15_000,
    'Milliseconds that a client may take to say who it is, and then may be silent. Clients ping each second',
  ),
  maxTokenPercent: limit(50, 'Percent of what all clients may have together that the connections of one token may'),
  maxInFlight: limit(4_096, 'Unanswered requests of one connection; one more is answered with OVERLOADED'),
  maxInFlightBytes: limit(
    16 * MB,
    `Bytes of those requests, each with ${WEIGHTS.request} for what it is beside its data`,
  ),
  maxInFlightBytesInAll: limit(64 * MB, 'Bytes of the unanswered requests of all connections'),
  maxQuorums: limit(
    2_048,
    'Requests of one connection that may wait for other regions; one more is answered with OVERLOADED',
  ),
  maxFrameBytes: limit(MB, 'Bytes of one frame from a client'),
  maxFrameBytesInAll: limit(
    32 * MB,
    'Bytes of frames, of all connections, that have come in part, or wait to be read; above, the connection that has most of them ends',
  ),
  targetFrameBytes: limit(
    4 * 1024,
    'Bytes of answers that are put into one frame before the next is begun. Few: the client reads the first while the rest are being made',
  ),
  maxBufferedBytes: limit(
    MB,
    'Bytes of answers that a client may leave unread before its requests are left unread, too',
  ),
  maxBufferedBytesInAll: limit(
    64 * MB,
    'Bytes of answers that all clients together may leave unread; above, the connection that leaves most ends',
  ),
  maxRemembered: limit(4_096, 'Answers to writes that are remembered of one client, for when a write comes again'),
  maxRememberedBytes: limit(4 * MB, `Bytes of those answers, each with ${WEIGHTS.reply} for what it is beside`),
  maxRememberedBytesInAll: limit(
    32 * MB,
    'Bytes of the answers that are remembered of all clients; above, the oldest are forgotten',
  ),
  maxAwayClients: limit(1_024, 'Clients without a connection of which answers are remembered'),
  maxAwayMs: limit(60_000, 'Milliseconds that they are, after the connection ended'),
  maxWatched: limit(
    10_000,
    'Sessions of which one client is notified that they changed, because it keeps what it read of them',
  ),
  maxWatchedBytesInAll: limit(
    64 * MB,
    `Bytes of what is noted of them for all clients, ${WEIGHTS.watch} each; above, reads are answered, and not watched`,
  ),
  maxScans: limit(8, 'Scans of all sessions at a time, of one connection'),
  maxScansInAll: limit(64, 'Scans of all sessions at a time, of all connections'),
}

export type ClientLimits = SettingsOf<typeof CLIENT_LIMITS>

export const DEFAULT_CLIENT_LIMITS: ClientLimits = defaultsOf(CLIENT_LIMITS)
