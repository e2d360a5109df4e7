/** Timeouts of sessions that NIST SP 800-63B-4 allows, by the assurance that a login gives. */
import type { Duration } from './duration.js'

/** How long sessions live; fits `session` of `openReplica`, `create` and `elevate`. */
export interface Profile {
  /** NIST's inactivity timeout. A session can live `session.touchGranularity` longer: 0 makes it exact. */
  readonly idleTimeout: Duration
  /** NIST's overall timeout. Exact; a new login starts another one. */
  readonly maxLifetime: Duration
}

/**
 * The longest timeouts that SP 800-63B-4 allows, or recommends, for authenticator assurance levels 1 to 3 (its sections 2.1.3, 2.2.3 and 2.3.3).
 * At the first one it names no inactivity timeout, so that is as long as the session.
 * @example
 * const sessions = await openReplica({ region: 'eu', location: './data/eu', session: PROFILES.aal2 })
 * await sessions.elevate(id, { subject: 'ada', ...PROFILES.aal3 })
 */
export const PROFILES = {
  aal1: { idleTimeout: '30d', maxLifetime: '30d' },
  aal2: { idleTimeout: '1h', maxLifetime: '24h' },
  aal3: { idleTimeout: '15m', maxLifetime: '12h' },
} as const satisfies { readonly [name: string]: Profile }
