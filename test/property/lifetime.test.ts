import { isDeepStrictEqual } from 'node:util'
import type { LiveRecord, SessionRecord } from '@sojourn/core/internal'
import {
  compareStamps,
  dueAt,
  EMPTY_FOLD,
  expiresAt,
  isVisible,
  joinLeases,
  joinRecords,
  type Lease,
  nextStamp,
  openLease,
  renewLease,
  type Stamp,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newRecordOf, records } from '../support/records.js'
import { runs } from '../support/runs.js'

const ACTORS = ['0a', '0b', '0c'].map((byte) => byte.repeat(16))
const IDLE = 100
const LIFETIME = 1_000

const created = (now: number): LiveRecord =>
  newRecordOf(EMPTY_FOLD, ACTORS[0]!, { now, idleMs: IDLE, lifeMs: LIFETIME })

// A model of replicas that share a clock and nothing else: each holds one record of one session, or none.

type Step =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'touch'; readonly at: number; readonly idle: number | undefined }
  | { readonly kind: 'end' | 'purge'; readonly at: number }
  | { readonly kind: 'deliver'; readonly at: number; readonly from: number }

interface Replica {
  record: SessionRecord | undefined
  ended: boolean
  /** The stamps of leases that lost to another one here; purged or not, none of them may show again here. */
  readonly replaced: Set<string>
}

const stampName = ({ time, count, actor }: Stamp): string => `${time} ${count} ${actor}`

const at = fc.nat(2)
const steps = (idle: fc.Arbitrary<number | undefined>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(IDLE) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('touch' as const), at, idle }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('end' as const), at }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('purge' as const), at }) },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('deliver' as const), at, from: at }) },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  )

const take = (replica: Replica, record: SessionRecord): void => {
  const before = replica.record
  replica.record = before === undefined ? record : joinRecords(before, record)
  if (replica.record.kind === 'ended') replica.ended = true
  for (const part of [before, record]) {
    if (part?.kind !== 'live' || replica.record.kind !== 'live') continue
    if (compareStamps(part.lease.stamp, replica.record.lease.stamp) < 0)
      replica.replaced.add(stampName(part.lease.stamp))
  }
}

const act = (replicas: readonly Replica[], step: Exclude<Step, { kind: 'wait' }>, now: number): void => {
  const replica = replicas[step.at]!
  const { record } = replica
  if (step.kind === 'deliver') {
    const theirs = replicas[step.from]!.record
    if (theirs) take(replica, theirs)
  } else if (record === undefined) return
  else if (step.kind === 'touch') {
    // Only what shows can be used; the lease is what a touch may move.
    if (isVisible(record, now))
      take(replica, { ...record, lease: renewLease(record.lease, now, ACTORS[step.at]!, { idleTimeoutMs: step.idle }) })
  } else if (step.kind === 'end') {
    if (record.kind === 'ended') return
    const stamp = nextStamp(undefined, now, ACTORS[step.at]!)
    take(replica, { kind: 'ended', end: { reason: 'logout', stamp, horizon: record.limit.horizon } })
  } else if (now >= dueAt(record)) replica.record = undefined
}

/** Plays the steps, and holds every state against what may never be. */
const live = (list: readonly Step[]): void => {
  const replicas = ACTORS.map((): Replica => ({ record: undefined, ended: false, replaced: new Set() }))
  let now = 1_000
  take(replicas[0]!, created(now))
  const limit = now + LIFETIME
  let isGone = false
  for (const step of list) {
    if (step.kind === 'wait') now += step.ms
    else act(replicas, step, now)
    const showing = replicas.filter(({ record }) => record !== undefined && isVisible(record, now))
    for (const { ended, record, replaced } of showing) {
      expect(ended, 'shows after its end').toBe(false)
      expect(now, 'shows past its limit').toBeLessThan(limit)
      const { stamp } = (record as LiveRecord).lease
      expect(replaced.has(stampName(stamp)), 'shows by a lease that was replaced here').toBe(false)
    }
    if (isGone) expect(showing, 'shows after it showed nowhere').toEqual([])
    isGone = showing.length === 0
  }
}

describe('expiry', () => {
  test('[EXP-1] a record never shows at or past either deadline, and shows before both', () => {
    fc.assert(
      fc.property(records, fc.nat(999), fc.nat(12_000), ({ list }, pick, now) => {
        const record = list[pick % list.length]!
        const shows = record.kind === 'live' && now < record.lease.deadline && now < record.limit.deadline
        expect(isVisible(record, now)).toBe(shows)
        if (record.kind === 'ended') return
        expect(isVisible(record, expiresAt(record) - 1)).toBe(true)
        expect(isVisible(record, expiresAt(record))).toBe(false)
      }),
      { numRuns: runs(300) },
    )
  })

  test('[EXP-1] whatever is joined, nothing shows past the strictest limit of the last login nor past the joined lease', () => {
    fc.assert(
      fc.property(
        records,
        fc.array(fc.nat(999), { minLength: 1, maxLength: 6 }),
        fc.nat(12_000),
        ({ list }, picks, now) => {
          const parts = picks.map((pick) => list[pick % list.length]!)
          const joined = parts.reduce(joinRecords)
          const lives = parts.filter((part) => part.kind === 'live')
          // A login starts a limit of its own: only those of the latest one count.
          const latest = lives.reduce<Stamp | undefined>((stamp, { identity }) => {
            const theirs = identity?.authentication?.stamp
            return theirs && (stamp === undefined || compareStamps(theirs, stamp) > 0) ? theirs : stamp
          }, undefined)
          const counted = lives.filter(({ identity }) => isDeepStrictEqual(identity?.authentication?.stamp, latest))
          if (parts.length > lives.length || counted.some(({ limit }) => now >= limit.deadline))
            expect(isVisible(joined, now)).toBe(false)
          if (lives.every(({ lease }) => now >= lease.deadline)) expect(isVisible(joined, now)).toBe(false)
        },
      ),
      { numRuns: runs(500) },
    )
  })

  test('[EXP-2] expiry, touch, end and purge in any order bring nothing back', () => {
    fc.assert(fc.property(steps(fc.constant(undefined)), live), { numRuns: runs(3_000) })
  })

  // Found: a shorter timeout gives a later stamp an earlier deadline, and so a purge forgets the session while a copy
  // under the lease that was replaced still shows elsewhere.
  const shortened: Step[] = [
    { kind: 'deliver', at: 1, from: 0 },
    { kind: 'touch', at: 0, idle: 5 },
    { kind: 'wait', ms: 5 },
    { kind: 'purge', at: 0 },
    { kind: 'deliver', at: 0, from: 1 },
  ]

  test('[EXP-2] also when a touch gives the session another idle timeout', () => {
    fc.assert(fc.property(steps(fc.constantFrom(undefined, 5, 20, IDLE, 400)), live), {
      numRuns: runs(3_000),
      examples: [[shortened]],
    })
  })

  test('[EXP-2] a renewal concurrent with an idle expiry survives it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: IDLE - 1 }), fc.boolean(), (use, purged) => {
        const session = created(0)
        const renewed: LiveRecord = { ...session, lease: renewLease(session.lease, use, ACTORS[1]!) }
        const now = IDLE
        expect(isVisible(session, now)).toBe(false)
        // Where it expired it may be purged by now, or not.
        const healed = purged ? renewed : joinRecords(session, renewed)
        expect(isVisible(healed, now)).toBe(use > 0)
        if (healed.kind === 'live') expect(expiresAt(healed)).toBe(expiresAt(renewed))
      }),
      { numRuns: runs(100) },
    )
  })
})

describe('leases', () => {
  const idleTimeouts = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 10 ** 10 }))
  /** Each use comes before the idle timeout has run out since the last one. */
  const gap = (idle: number) => fc.oneof(fc.nat(idle - 1), fc.constant(idle - 1), fc.constant(0))
  const usage = idleTimeouts.chain((idle) =>
    fc.record({ idle: fc.constant(idle), gaps: fc.array(gap(idle), { maxLength: 40 }) }),
  )

  test('[EXP-3] no session used at least every idle timeout expires early, though most uses are not written', () => {
    const set = fc.option(fc.oneof(fc.constant(0), fc.nat(2 * IDLE)), { nil: undefined })
    fc.assert(
      fc.property(usage, set, ({ idle, gaps }, granularityMs) => {
        const longest = Math.min(granularityMs ?? idle / 20, idle)
        let now = 1_000
        let lease = openLease(idle, now, ACTORS[0]!)
        for (const gap of gaps) {
          now += gap
          expect(now).toBeLessThan(lease.deadline)
          const renewed = renewLease(lease, now, ACTORS[0]!, { granularityMs })
          expect(renewed.deadline).toBeGreaterThanOrEqual(now + idle)
          expect(renewed.deadline).toBeLessThanOrEqual(now + idle + longest)
          if (renewed !== lease) expect(compareStamps(renewed.stamp, lease.stamp)).toBeGreaterThan(0)
          lease = renewed
        }
      }),
      { numRuns: runs(500) },
    )
  })

  test('[EXP-3] nor where the uses are spread over regions that join each other’s leases between them', () => {
    const use = fc.tuple(fc.nat(2), fc.nat(IDLE - 1))
    const rounds = fc.array(fc.array(use, { minLength: 1, maxLength: 4 }), { maxLength: 12 })
    fc.assert(
      fc.property(rounds, (list) => {
        let last = 0
        let lease = openLease(IDLE, last, ACTORS[0]!)
        for (const round of list) {
          // Everybody begins a round with the same lease, and then uses the session without hearing of the others.
          const start = last
          const leases: Lease[] = [lease, lease, lease]
          for (const [who, offset] of round.toSorted((a, b) => a[1] - b[1])) {
            last = start + offset
            expect(last).toBeLessThan(leases[who]!.deadline)
            leases[who] = renewLease(leases[who]!, last, ACTORS[who]!)
          }
          lease = leases.reduce(joinLeases)
          expect(leases.reduceRight(joinLeases)).toEqual(lease)
          expect(lease.deadline).toBeGreaterThanOrEqual(last + IDLE)
        }
      }),
      { numRuns: runs(400) },
    )
  })

  test('[EXP-3] a renewal is written only where it moves the deadline by more than the granularity', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 10 ** 9 }),
        fc.nat(10 ** 6),
        fc.option(fc.nat(10 ** 9), { nil: undefined }),
        (idle, start, granularityMs) => {
          const written = renewLease(openLease(idle, start, ACTORS[0]!), start + 1, ACTORS[0]!, { granularityMs })
          const reach = Math.min(granularityMs ?? Math.floor(idle / 20), idle)
          expect(renewLease(written, start + 1 + reach, ACTORS[1]!, { granularityMs })).toBe(written)
          expect(renewLease(written, start + 2 + reach, ACTORS[1]!, { granularityMs })).not.toBe(written)
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test('[CONV-1] a stamp is later than the one that it replaces, whatever the clock does', () => {
    const clock = fc.array(fc.tuple(fc.nat(2), fc.nat(50)), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(clock, (events) => {
        let previous: Stamp | undefined
        for (const [who, time] of events) {
          const stamp = nextStamp(previous, time, ACTORS[who]!)
          if (previous) expect(compareStamps(stamp, previous)).toBeGreaterThan(0)
          expect(stamp.time).toBe(Math.max(time, previous?.time ?? 0))
          previous = stamp
        }
      }),
      { numRuns: runs(200) },
    )
  })
})
