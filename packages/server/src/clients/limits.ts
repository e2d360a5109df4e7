/** What is bounded of the client listener, and by how much. */
export interface ClientLimits {
  /** Connections at a time of clients that were let in; one more is refused with OVERLOADED. */
  readonly maxConnections: number
  /** Connections at a time of which it is not known yet who it is; one more closes the one that was silent longest. */
  readonly maxHandshakes: number
  /** Those of them that come from one address (of IPv6: one /64 network). Raise it where all clients come through one proxy. */
  readonly maxHandshakesPerAddress: number
  /** How long a client may take to say who it is, and then how long it may be silent, milliseconds. Clients ping each second. */
  readonly maxSilenceMs: number
  /** Unanswered requests of one connection; one more is answered with OVERLOADED. */
  readonly maxInFlight: number
  /** Bytes of one frame from a client. */
  readonly maxFrameBytes: number
  /** Bytes of answers that are put into one frame before the next is begun. Few: the client reads the first while the rest are being made. */
  readonly targetFrameBytes: number
  /** Bytes of answers that a client may leave unread before its requests are left unread, too. */
  readonly maxBufferedBytes: number
  /** Answers to writes that are remembered of one client, for when a write comes again. */
  readonly maxRemembered: number
  /** Bytes of those answers. */
  readonly maxRememberedBytes: number
  /** Clients without a connection of which answers are remembered. */
  readonly maxAwayClients: number
  /** How long they are, after the connection ended, milliseconds. */
  readonly maxAwayMs: number
  /** Sessions of which one client is told that they changed, because it keeps what it read of them. */
  readonly maxWatched: number
  /** Walks over all sessions at a time, of one connection. */
  readonly maxWalks: number
}

export const DEFAULT_CLIENT_LIMITS: ClientLimits = {
  maxConnections: 1_024,
  maxHandshakes: 256,
  maxHandshakesPerAddress: 64,
  maxSilenceMs: 15_000,
  maxInFlight: 4_096,
  maxFrameBytes: 1024 * 1024,
  targetFrameBytes: 4 * 1024,
  maxBufferedBytes: 1024 * 1024,
  maxRemembered: 4_096,
  maxRememberedBytes: 4 * 1024 * 1024,
  maxAwayClients: 1_024,
  maxAwayMs: 60_000,
  maxWatched: 10_000,
  maxWalks: 8,
}
