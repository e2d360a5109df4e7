import type { ActorId, End, Fold, Lease, Limit, LiveRecord, SessionRecord, Stamp } from '@sojourn/core/internal'
import { END_REASONS, openLease } from '@sojourn/core/internal'
import fc from 'fast-check'
import { mapWorlds } from './map-worlds.js'
import { type World, worlds } from './worlds.js'

/** Random records of one session: documents that know of each other, under every lease, limit and end. */

export interface Life {
  /** When it was created, and used last. */
  readonly now?: number
  readonly idleMs?: number
  readonly lifeMs?: number
}

/** The record of a session that was just created, with this document. */
export const newRecordOf = (
  document: Fold,
  actor: ActorId,
  { now = 1_000, idleMs = 60_000, lifeMs = 89_000 }: Life = {},
): LiveRecord => ({
  kind: 'live',
  document,
  lease: openLease(idleMs, now, actor),
  limit: { createdAt: now, deadline: now + lifeMs, horizon: now + lifeMs },
})

const stamps: fc.Arbitrary<Stamp> = fc.record({
  time: fc.nat(6),
  count: fc.nat(2),
  actor: fc.nat(2).map((index) => (index * 0x55).toString(16).padStart(2, '0').repeat(16)),
})

/** What a stamp stands for: nobody stamps two things alike, so equal stamps come with equal contents. */
const drawnFrom = ({ time, count, actor }: Stamp): number => (time * 31 + count * 7 + actor.charCodeAt(0)) % 97

export const leases: fc.Arbitrary<Lease> = fc.tuple(stamps, fc.nat(300)).map(([stamp, beyond]) => {
  const deadline = stamp.time + 1_000 + drawnFrom(stamp) * 10
  return { stamp, idleTimeoutMs: 1_000 + drawnFrom(stamp), deadline, horizon: deadline + beyond }
})

export const limits: fc.Arbitrary<Limit> = fc
  .record({ createdAt: fc.nat(50), lifetime: fc.integer({ min: 1, max: 5_000 }), more: fc.nat(100) })
  .map(({ createdAt, lifetime, more }) => ({
    createdAt,
    deadline: createdAt + lifetime,
    horizon: createdAt + lifetime + more,
  }))

export const ends: fc.Arbitrary<End> = fc.tuple(stamps, fc.nat(9_000)).map(([stamp, horizon]) => ({
  reason: END_REASONS[drawnFrom(stamp) % END_REASONS.length]!,
  stamp,
  horizon,
}))

export interface Records {
  readonly list: readonly SessionRecord[]
  readonly world: World
}

/** The documents of a world's history, mostly live. */
export const records: fc.Arbitrary<Records> = fc
  .tuple(
    fc.oneof(worlds(20), mapWorlds(5)),
    fc.array(fc.tuple(leases, limits, fc.option(ends, { freq: 8, nil: undefined })), { minLength: 1, maxLength: 8 }),
    fc.integer({ min: 0, max: 9 }),
  )
  .map(([world, lives, mostlyLive]) => ({
    world,
    list: world.states.map(({ fold }, index): SessionRecord => {
      const [lease, limit, end] = lives[index % lives.length]!
      return end === undefined || mostlyLive > 2
        ? { kind: 'live', document: fold, lease, limit }
        : { kind: 'ended', end }
    }),
  }))
