/** What is bounded of the client listener, and by how much; and what each thing that is kept for a client weighs. */

export interface ClientLimits {
  /** Connections at a time of clients that were let in; one more is refused with OVERLOADED. */
  readonly maxConnections: number
  /** Connections at a time of which it is not known yet who it is; one more closes the one that was silent longest. */
  readonly maxHandshakes: number
  /** Those of them that come from one address (of IPv6: one /64 network). Raise it where all clients come through one proxy. */
  readonly maxHandshakesPerAddress: number
  /** How long a client may take to say who it is, and then how long it may be silent, milliseconds. Clients ping each second. */
  readonly maxSilenceMs: number
  /** Of what all clients may have together, what the connections of one token may, percent. */
  readonly maxTokenPercent: number
  /** Unanswered requests of one connection; one more is answered with OVERLOADED. */
  readonly maxInFlight: number
  /** Bytes of those requests, each with {@link WEIGHTS.request} for what it is beside its data. */
  readonly maxInFlightBytes: number
  /** Bytes of the unanswered requests of all connections. */
  readonly maxInFlightBytesInAll: number
  /** Requests of one connection that may wait for other regions; one more is answered with OVERLOADED. */
  readonly maxQuorums: number
  /** Bytes of one frame from a client. */
  readonly maxFrameBytes: number
  /** Bytes of frames, of all connections, that have come in part, or wait to be read; above, the connection that has most of them ends. */
  readonly maxFrameBytesInAll: number
  /** Bytes of answers that are put into one frame before the next is begun. Few: the client reads the first while the rest are being made. */
  readonly targetFrameBytes: number
  /** Bytes of answers that a client may leave unread before its requests are left unread, too. */
  readonly maxBufferedBytes: number
  /** Bytes of answers that all clients together may leave unread; above, the connection that leaves most ends. */
  readonly maxBufferedBytesInAll: number
  /** Answers to writes that are remembered of one client, for when a write comes again. */
  readonly maxRemembered: number
  /** Bytes of those answers, each with {@link WEIGHTS.reply} for what it is beside. */
  readonly maxRememberedBytes: number
  /** Bytes of the answers that are remembered of all clients. */
  readonly maxRememberedBytesInAll: number
  /** Clients without a connection of which answers are remembered. */
  readonly maxAwayClients: number
  /** How long they are, after the connection ended, milliseconds. */
  readonly maxAwayMs: number
  /** Sessions of which one client is told that they changed, because it keeps what it read of them. */
  readonly maxWatched: number
  /** Bytes of what is noted of them for all clients, {@link WEIGHTS.watch} each; above, reads are answered, and not watched. */
  readonly maxWatchedBytesInAll: number
  /** Scans of all sessions at a time, of one connection. */
  readonly maxWalks: number
  /** Scans of all sessions at a time, of all connections. */
  readonly maxWalksInAll: number
}

const MB = 1024 * 1024

export const DEFAULT_CLIENT_LIMITS: ClientLimits = {
  maxConnections: 1_024,
  maxHandshakes: 256,
  maxHandshakesPerAddress: 64,
  maxSilenceMs: 15_000,
  maxTokenPercent: 50,
  maxInFlight: 4_096,
  maxInFlightBytes: 16 * MB,
  maxInFlightBytesInAll: 64 * MB,
  maxQuorums: 2_048,
  maxFrameBytes: MB,
  maxFrameBytesInAll: 32 * MB,
  targetFrameBytes: 4 * 1024,
  maxBufferedBytes: MB,
  maxBufferedBytesInAll: 64 * MB,
  maxRemembered: 4_096,
  maxRememberedBytes: 4 * MB,
  maxRememberedBytesInAll: 32 * MB,
  maxAwayClients: 1_024,
  maxAwayMs: 60_000,
  maxWatched: 10_000,
  maxWatchedBytesInAll: 64 * MB,
  maxWalks: 8,
  maxWalksInAll: 64,
}

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
