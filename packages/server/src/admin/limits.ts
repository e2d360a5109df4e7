/** What is bounded of the admin listener, and by how much. */
export interface AdminLimits {
  /** Connections at a time of who has shown a good token; the next one's requests are answered with OVERLOADED. */
  readonly maxConnections: number
  /** Connections at a time of who has shown none yet, probes among them; one more closes the one that was silent longest. */
  readonly maxUnauthenticated: number
  /** Those of them that come from one address (of IPv6: one /64 network). */
  readonly maxUnauthenticatedPerAddress: number
  /** How long the head of a request may take, from the beginning of the connection on, milliseconds. */
  readonly maxHeadersMs: number
  /** How long a whole request may take to come in, milliseconds. */
  readonly maxRequestMs: number
  /** How long a connection may be idle between two requests, milliseconds. */
  readonly maxIdleMs: number
}

export const DEFAULT_ADMIN_LIMITS: AdminLimits = {
  maxConnections: 256,
  maxUnauthenticated: 256,
  maxUnauthenticatedPerAddress: 64,
  maxHeadersMs: 5_000,
  maxRequestMs: 10_000,
  maxIdleMs: 5_000,
}
