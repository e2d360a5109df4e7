/** What is bounded of the admin listener, and by how much. */
import { limit, type SettingsOf } from '@sojourn/core/internal'

export const ADMIN_LIMITS = {
  maxConnections: limit(
    256,
    "Connections at a time of who has shown a good token; the next one's requests are answered with OVERLOADED",
  ),
  maxUnauthenticated: limit(
    256,
    'Connections at a time of who has shown none yet, probes among them; one more closes the one that was silent longest',
  ),
  maxUnauthenticatedPerAddress: limit(64, 'Those of them that come from one address (of IPv6: one /64 network)'),
  maxHeadersMs: limit(
    5_000,
    'Milliseconds that the head of a request may take, from the beginning of the connection on',
  ),
  maxRequestMs: limit(10_000, 'Milliseconds that a whole request may take to come in'),
  maxIdleMs: limit(5_000, 'Milliseconds that a connection may be idle between two requests'),
}

export type AdminLimits = SettingsOf<typeof ADMIN_LIMITS>
