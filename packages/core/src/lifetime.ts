/** What moves a session's deadlines, and which of two leases, limits and ends counts. */
import type { ActorId } from './document/op.js'
import type { Stamp } from './stamp.js'
import { compareStamps, nextStamp } from './stamp.js'

/** The idle deadline. Renewed by use; joined by the later stamp. */
export interface Lease {
  readonly stamp: Stamp
  /** What each renewal adds to the present, in milliseconds. */
  readonly idleTimeoutMs: number
  /** The session is gone from this millisecond on, unless renewed. */
  readonly deadline: number
  /**
   * The latest deadline of any lease that this one replaced, and its own. Where the idle timeout was shortened, a copy that has not
   * heard of it lives until then, so the record must be remembered until then. Joined by the larger.
   */
  readonly horizon: number
}

/** What creation fixed, or the last login. Where two regions created under one id, the stricter part of each counts. */
export interface Limit {
  /** Milliseconds since the epoch. Joined by the smaller. */
  readonly createdAt: number
  /** The absolute deadline; nothing but a login extends it. That of the later authentication, or the smaller. */
  readonly deadline: number
  /**
   * When no copy made by any known creation can be alive, nor any that a login which is not known here prolonged. A tombstone lives until
   * then. Joined by the larger.
   */
  readonly horizon: number
}

export const END_REASONS = ['logout', 'revoked', 'rotated', 'displaced', 'reused'] as const
export type EndReason = (typeof END_REASONS)[number]

/** Why and when a session was ended. Two ends of one session: the earlier stamp gives the reason. */
export interface End {
  readonly reason: EndReason
  readonly stamp: Stamp
  /** See {@link Limit.horizon}. Joined by the larger. */
  readonly horizon: number
}

/** The touch granularity where none is set: this fraction of the idle timeout. */
export const TOUCH_GRANULARITY = 1 / 20

/**
 * A stamp further ahead of a region's clock than any sound one can be is refused there, for it would outlive every renewal. One day,
 * milliseconds.
 */
const MAX_STAMP_AHEAD_MS = 86_400_000

/**
 * How much longer a session can live that is not known here, milliseconds: it may have been made just now elsewhere, and a login may prolong it by
 * one lifetime.
 */
export const longestLifeMs = (maxLifetimeMs: number): number => 2 * maxLifetimeMs

/** Whether something was stamped by a clock that was wrong. */
export const isFarAhead = ({ stamp }: { readonly stamp: Stamp }, now: number): boolean =>
  stamp.time > now + MAX_STAMP_AHEAD_MS

export const openLease = (idleTimeoutMs: number, now: number, actor: ActorId): Lease => ({
  stamp: nextStamp(undefined, now, actor),
  idleTimeoutMs,
  deadline: now + idleTimeoutMs,
  horizon: now + idleTimeoutMs,
})

/** How a use renews a lease. */
export interface Renewal {
  /** A new idle timeout, in milliseconds; undefined: the lease's own. */
  readonly idleTimeoutMs?: number | undefined
  /**
   * The touch granularity, in milliseconds: a renewal that would move the deadline by less is not written. At most the idle
   * timeout counts. 0: exact. Undefined: {@link TOUCH_GRANULARITY} of the idle timeout.
   */
  readonly granularityMs?: number | undefined
}

/**
 * The lease after a use at `now`, or the same lease where writing one is not worth it. A written lease reaches the
 * granularity further, so that a session whose renewals are skipped still lives its whole idle timeout.
 *
 * A lease from a wrong clock, which no other region takes, is replaced by one that they do.
 */
export const renewLease = (lease: Lease, now: number, actor: ActorId, renewal: Renewal = {}): Lease => {
  const { idleTimeoutMs = lease.idleTimeoutMs, granularityMs = Math.floor(idleTimeoutMs * TOUCH_GRANULARITY) } = renewal
  if (isFarAhead(lease, now)) return openLease(idleTimeoutMs, now, actor)
  if (idleTimeoutMs === lease.idleTimeoutMs && lease.deadline >= now + idleTimeoutMs) return lease
  const deadline = now + idleTimeoutMs + Math.min(granularityMs, idleTimeoutMs)
  return {
    stamp: nextStamp(lease.stamp, now, actor),
    idleTimeoutMs,
    deadline,
    horizon: Math.max(lease.horizon, deadline),
  }
}

/** The very lease `a` where `b` adds nothing to it. */
export const joinLeases = (a: Lease, b: Lease): Lease => {
  const later = compareStamps(a.stamp, b.stamp) >= 0 ? a : b
  const horizon = Math.max(a.horizon, b.horizon)
  if (later.horizon === horizon) return later
  const { stamp, idleTimeoutMs, deadline } = later
  return { stamp, idleTimeoutMs, deadline, horizon }
}

export const joinLimits = (a: Limit, b: Limit): Limit => ({
  createdAt: Math.min(a.createdAt, b.createdAt),
  deadline: Math.min(a.deadline, b.deadline),
  horizon: Math.max(a.horizon, b.horizon),
})

export const joinEnds = (a: End, b: End): End => ({
  ...(compareStamps(a.stamp, b.stamp) <= 0
    ? { reason: a.reason, stamp: a.stamp }
    : { reason: b.reason, stamp: b.stamp }),
  horizon: Math.max(a.horizon, b.horizon),
})
