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
  maxConnections: limit(1_024, 'Authenticated clients at a time. One more is refused with OVERLOADED'),
  maxHandshakes: limit(256, 'Unauthenticated connections at a time. One more closes the one that was silent longest'),
  maxHandshakesPerAddress: limit(
    64,
    'Unauthenticated connections from one address (of IPv6: one /64 network). Raise it if all clients come through one proxy',
  ),
  maxSilenceMs: limit(
    15_000,
    'Milliseconds that a client may take to authenticate, and may then be silent. Clients ping every second',
  ),
  maxTokenPercent: limit(50, 'Percent of the shared limits that the connections of one token may use'),
  maxInFlight: limit(4_096, 'Unanswered requests of one connection. One more is answered with OVERLOADED'),
  maxInFlightBytes: limit(16 * MB, `Bytes of those requests, each with ${WEIGHTS.request} for its overhead`),
  maxInFlightBytesInAll: limit(64 * MB, 'Bytes of the unanswered requests of all connections'),
  maxQuorums: limit(
    2_048,
    'Requests of one connection that may wait for other regions. One more is answered with OVERLOADED',
  ),
  maxFrameBytes: limit(MB, 'Bytes of one frame from a client'),
  maxFrameBytesInAll: limit(
    32 * MB,
    'Bytes of incomplete or unread frames of all connections. Above this, the server closes the connection with the most',
  ),
  targetFrameBytes: limit(
    4 * 1024,
    'Bytes of answers that the server puts into one frame. A low value lets the client read early answers sooner',
  ),
  maxBufferedBytes: limit(
    MB,
    'Bytes of answers that a client may leave unread. Above this, the server stops reading its requests',
  ),
  maxBufferedBytesInAll: limit(
    64 * MB,
    'Bytes of answers that all clients together may leave unread. Above this, the server closes the connection with the most',
  ),
  maxRemembered: limit(4_096, 'Answers to writes of one client that the server keeps for retries'),
  maxRememberedBytes: limit(4 * MB, `Bytes of those answers, each with ${WEIGHTS.reply} for its overhead`),
  maxRememberedBytesInAll: limit(
    32 * MB,
    'Bytes of kept answers of all clients. Above this, the server forgets the oldest',
  ),
  maxAwayClients: limit(1_024, 'Disconnected clients whose answers the server keeps'),
  maxAwayMs: limit(60_000, 'Milliseconds that the server keeps the answers of a disconnected client'),
  maxWatched: limit(
    10_000,
    'Sessions that one client keeps in its near cache, and whose changes the server reports to it',
  ),
  maxWatchedBytesInAll: limit(
    64 * MB,
    `Bytes of these entries for all clients, ${WEIGHTS.watch} each. Above this, clients cannot cache more sessions`,
  ),
  maxScans: limit(8, 'Scans of all sessions that one connection may run at a time'),
  maxScansInAll: limit(64, 'Scans of all sessions that all connections may run at a time'),
}

export type ClientLimits = SettingsOf<typeof CLIENT_LIMITS>

export const DEFAULT_CLIENT_LIMITS: ClientLimits = defaultsOf(CLIENT_LIMITS)
