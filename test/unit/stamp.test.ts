/** Stamps and operations at the end of their ranges: what is made there can still be stored, sent and followed. */
import {
  compareStamps,
  decodeRecord,
  diff,
  encodeRecord,
  isSojournError,
  mutate,
  nextStamp,
  openLease,
} from '@sojourn/core/internal'
import { describe, expect, it } from 'vitest'
import { createdFold, RECORD_LIMITS } from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)
const OTHER = '0b'.repeat(16)
const MOST = 2 ** 31
const LATEST = 8.64e15 / 2

describe('the stamp after another', () => {
  it('[HOST-10] is later than it, by the clock where that has gone on, and by its count where it has not', () => {
    const stamp = { time: 1_000, count: 7, actor: OTHER }
    expect(nextStamp(stamp, 1_001, ACTOR)).toEqual({ time: 1_001, count: 0, actor: ACTOR })
    for (const now of [1_000, 999, 0, -1])
      expect(nextStamp(stamp, now, ACTOR)).toEqual({ time: 1_000, count: 8, actor: ACTOR })
  })

  it('[HOST-10] is a millisecond later where no count is left', () => {
    expect(nextStamp({ time: 1_000, count: MOST - 1, actor: OTHER }, 0, ACTOR).count).toBe(MOST)
    const last = { time: 1_000, count: MOST, actor: OTHER }
    const next = nextStamp(last, 0, ACTOR)
    expect(next).toEqual({ time: 1_001, count: 0, actor: ACTOR })
    expect(compareStamps(last, next)).toBeLessThan(0)
  })
})

const live = { lease: openLease(1_000, 0, ACTOR), limit: { createdAt: 0, deadline: 1_000, horizon: 1_000 } }
const read = (change: Partial<typeof live>) =>
  decodeRecord(
    encodeRecord({ kind: 'live', ...live, ...change, document: createdFold({ a: 1 }, ACTOR) }),
    RECORD_LIMITS,
  )
const refused = expect.objectContaining({ code: 'RECORD_INVALID' })

describe('a record', () => {
  it.each(['createdAt', 'deadline', 'horizon'] as const)(
    '[HOST-10] has no %s of its limit beyond the last time',
    (name) => {
      expect(read({ limit: { ...live.limit, [name]: LATEST } })).toMatchObject({ limit: { [name]: LATEST } })
      expect(() => read({ limit: { ...live.limit, [name]: LATEST + 1 } })).toThrow(refused)
    },
  )

  it.each(['time', 'count'] as const)('[HOST-10] has no %s of a stamp that could not be followed', (name) => {
    const most = name === 'time' ? LATEST : MOST
    const at = (value: number) => ({ lease: { ...live.lease, stamp: { ...live.lease.stamp, [name]: value } } })
    expect(read(at(most))).toMatchObject({ lease: { stamp: { [name]: most } } })
    expect(() => read(at(most + 1))).toThrow(refused)
  })
})

describe('a document', () => {
  it('[HOST-10] that has no number left for an operation refuses a change, and is as it was', () => {
    const document = createdFold({ a: 1 }, ACTOR)
    const at = (maxOp: number) => ({ ...document, seen: new Map([[ACTOR, { seq: 1, maxOp }]]) })
    const edits = diff({ a: 1 }, { a: 2 }, { maxDepth: 4 })
    expect(mutate(at(MOST - 1), ACTOR, edits)?.fold.seen.get(ACTOR)).toEqual({ seq: 2, maxOp: MOST })
    const full = at(MOST)
    const before = structuredClone(full.seen)
    expect(() => mutate(full, ACTOR, edits)).toThrow(
      expect.toSatisfy((error) => isSojournError(error) && error.code === 'SESSION_TOO_LARGE'),
    )
    expect(full.seen).toEqual(before)
  })
})
