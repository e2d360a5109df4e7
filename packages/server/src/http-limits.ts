/** What is bounded of every listener for HTTP, and by how much. */
import { limit, type SettingsOf } from '@sojourn/core/internal'

export const HTTP_LIMITS = {
  maxConnections: limit(
    256,
    'Authenticated connections at a time. Requests on one more are answered with the status 503',
  ),
  maxUnauthenticated: limit(
    256,
    'Unauthenticated connections at a time, probes included. One more closes the one that was silent longest',
  ),
  maxUnauthenticatedPerAddress: limit(64, 'Unauthenticated connections from one address (of IPv6: one /64 network)'),
  maxHeadersMs: limit(
    5_000,
    'Milliseconds from the start of the connection until the head of a request must have arrived',
  ),
  maxRequestMs: limit(10_000, 'Milliseconds until a whole request must have arrived'),
  maxIdleMs: limit(5_000, 'Milliseconds that a connection may be idle between two requests'),
}

export type HttpLimits = SettingsOf<typeof HTTP_LIMITS>
