import { isDeepStrictEqual } from 'node:util'
import type { End, Lease, LiveRecord, SessionRecord, Stamp } from '@sojourn/core/internal'
import { isVisible, joinRecords, recordVersion, sameRecord, versionHash } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ends, type Records, records } from '../support/records.js'
import { runs } from '../support/runs.js'
import { createdFold, dataOf } from '../support/worlds.js'

const KEY = '5e'.repeat(16)
const three = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999))
const pick = ({ list }: Records, index: number): SessionRecord => list[index % list.length]!

describe('records are joined', () => {
  test('[CONV-1] the join is associative, commutative and idempotent', () => {
    fc.assert(
      fc.property(records, three, (all, picks) => {
        const [a, b, c] = picks.map((index) => pick(all, index)) as [SessionRecord, SessionRecord, SessionRecord]
        const ab = joinRecords(a, b)
        expect(joinRecords(a, a)).toEqual(a)
        expect(joinRecords(b, a)).toEqual(ab)
        expect(joinRecords(ab, b)).toEqual(ab)
        expect(joinRecords(ab, c)).toEqual(joinRecords(a, joinRecords(b, c)))
      }),
      { numRuns: runs(1_500) },
    )
  })

  test('[CONV-1] records joined in any order, however often each, are one record that shows one thing', () => {
    fc.assert(
      fc.property(records, fc.array(fc.nat(999), { maxLength: 20 }), (all, extra) => {
        const inOrder = all.list.reduce(joinRecords)
        const mixed = [...extra.map((index) => pick(all, index)), ...all.list.toReversed()].reduce(joinRecords)
        expect(mixed).toEqual(inOrder)
        if (mixed.kind === 'live' && inOrder.kind === 'live')
          expect(JSON.stringify(dataOf(mixed.document))).toBe(JSON.stringify(dataOf(inOrder.document)))
      }),
      { numRuns: runs(500) },
    )
  })

  test('[CONV-1] two records have one version if and only if they are equal', () => {
    const isEqual = (a: SessionRecord, b: SessionRecord): boolean => {
      try {
        expect(a).toEqual(b)
        return true
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(records, three, (all, picks) => {
        const [a, b, c] = picks.map((index) => pick(all, index)) as [SessionRecord, SessionRecord, SessionRecord]
        const joined = [a, b, c, joinRecords(a, b), joinRecords(b, a), joinRecords(b, c)]
        for (const one of joined)
          for (const other of joined) {
            expect(recordVersion(one) === recordVersion(other)).toBe(isEqual(one, other))
            // What sums are made of distinguishes the same records.
            expect(isDeepStrictEqual(versionHash(KEY, one), versionHash(KEY, other))).toBe(isEqual(one, other))
          }
      }),
      { numRuns: runs(300) },
    )
  })

  test('[CONV-1] whatever differs in a record gives it another version', () => {
    const stamp: Stamp = { time: 1, count: 1, actor: '0a'.repeat(16) }
    const lease: Lease = { stamp, idleTimeoutMs: 5, deadline: 6, horizon: 7 }
    const end: End = { reason: 'logout', stamp, horizon: 9 }
    const live: LiveRecord = {
      kind: 'live',
      document: createdFold({ a: 1 }, stamp.actor),
      lease,
      limit: { createdAt: 1, deadline: 8, horizon: 9 },
    }
    const otherStamps: Stamp[] = [
      { ...stamp, time: 2 },
      { ...stamp, count: 2 },
      { ...stamp, actor: '0b'.repeat(16) },
      // The same digits, parted elsewhere.
      { ...stamp, time: 11, count: 0 },
      { ...stamp, time: 1, count: 10 },
    ]
    const all: SessionRecord[] = [
      live,
      { ...live, document: createdFold({ a: 2 }, stamp.actor) },
      ...otherStamps.map((other): SessionRecord => ({ ...live, lease: { ...lease, stamp: other } })),
      { ...live, lease: { ...lease, idleTimeoutMs: 6 } },
      { ...live, lease: { ...lease, deadline: 7 } },
      { ...live, lease: { ...lease, horizon: 8 } },
      { ...live, limit: { ...live.limit, createdAt: 0 } },
      { ...live, limit: { ...live.limit, deadline: 7 } },
      { ...live, limit: { ...live.limit, horizon: 10 } },
      { kind: 'ended', end },
      { kind: 'ended', end: { ...end, reason: 'revoked' } },
      { kind: 'ended', end: { ...end, horizon: 8 } },
      ...otherStamps.map((other): SessionRecord => ({ kind: 'ended', end: { ...end, stamp: other } })),
    ]
    expect(new Set(all.map(recordVersion)).size).toBe(all.length)
    for (const one of all) for (const other of all) expect(sameRecord(one, other)).toBe(one === other)
  })
})

describe('the end is final', () => {
  test('[END-1] nothing shows after an end, in whatever order and however often it is joined with anything', () => {
    fc.assert(
      fc.property(
        records,
        ends,
        fc.array(fc.nat(999), { maxLength: 8 }),
        fc.nat(999),
        fc.nat(10_000),
        (all, end, others, at, now) => {
          const list = others.map((index) => pick(all, index))
          list.splice(at % (list.length + 1), 0, { kind: 'ended', end })
          const joined = list.reduce(joinRecords)
          expect(joined.kind).toBe('ended')
          expect(isVisible(joined, now)).toBe(false)
          // The tombstone holds nothing but the end, and the end is at its place among all the ends.
          expect(Object.keys(joined)).toEqual(['kind', 'end'])
          expect(joined).toEqual({ kind: 'ended', end: expectedEnd(list) })
        },
      ),
      { numRuns: runs(800) },
    )
  })
})

/** The earliest end gives the reason; the latest horizon of any record, live ones too, says how long it is remembered. */
const expectedEnd = (list: readonly SessionRecord[]): End => {
  const all = list.flatMap((record) => (record.kind === 'ended' ? [record.end] : []))
  const rank = ({ stamp }: End) => [stamp.time, stamp.count, Number.parseInt(stamp.actor.slice(0, 2), 16)] as const
  const [first] = all.toSorted((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1] || rank(a)[2] - rank(b)[2])
  const horizons = list.map((record) => (record.kind === 'ended' ? record.end.horizon : record.limit.horizon))
  return { ...first!, horizon: Math.max(...horizons) }
}
