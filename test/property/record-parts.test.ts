/** What a newer version adds to a record is kept by this one, and comes out the same everywhere. */
import type { OtherParts, SessionRecord } from '@sojourn/core/internal'
import {
  decodeRecord,
  encodeRecord,
  isSojournError,
  joinRecords,
  nextStamp,
  recordVersion,
  sameRecord,
  succeedSession,
  touchSession,
  versionHash,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newRecordOf } from '../support/records.js'
import { runs } from '../support/runs.js'
import { createdFold, RECORD_LIMITS } from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)
const KEY = '0b'.repeat(16)
const SECRET = '0c'.repeat(16)
const parts: fc.Arbitrary<OtherParts> = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 8, max: 255 }), fc.uint8Array({ maxLength: 8 })), {
    selector: ([tag]) => tag,
    minLength: 1,
    maxLength: 3,
  })
  .map((list) => new Map(list.sort(([a], [b]) => a - b)))

const live = (others?: OtherParts): SessionRecord => ({
  ...newRecordOf(createdFold({ user: { id: 1 } }, ACTOR), ACTOR),
  ...(others && { others }),
})
const ended = (others?: OtherParts): SessionRecord => ({
  kind: 'ended',
  end: { reason: 'logout', stamp: nextStamp(undefined, 1_000, ACTOR), horizon: 90_000 },
  ...(others && { others }),
})
const record = fc.oneof(fc.option(parts, { nil: undefined }).map(live), fc.option(parts, { nil: undefined }).map(ended))

describe('parts that this version does not know', () => {
  test('[REC-1] are kept when the record is written again, used or rotated', () => {
    fc.assert(
      fc.property(parts, (others) => {
        for (const made of [live(others), ended(others)])
          expect(decodeRecord(encodeRecord(made), RECORD_LIMITS)).toEqual(made)
        const touched = touchSession(live(others), 30_000, { key: KEY, renewal: {}, stamps: ACTOR })
        expect('next' in touched && touched.next).toMatchObject({ others })
        const writer = { stamps: ACTOR, actorFor: () => ACTOR }
        const rotated = succeedSession(live(others), 30_000, { edits: () => [], writer, secret: SECRET })
        expect('next' in rotated && rotated.next).toMatchObject({ others })
      }),
      { numRuns: runs(200) },
    )
  })

  test('[REC-1] are joined: in any order and grouping, and however often, the same comes out', () => {
    fc.assert(
      fc.property(record, record, record, (a, b, c) => {
        expect(joinRecords(a, b)).toEqual(joinRecords(b, a))
        expect(joinRecords(joinRecords(a, b), c)).toEqual(joinRecords(a, joinRecords(b, c)))
        expect(joinRecords(a, a)).toEqual(a)
      }),
      { numRuns: runs(400) },
    )
  })

  test('[REC-1] distinguish one state from another', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const isSame = Buffer.compare(encodeRecord(a), encodeRecord(b)) === 0
        expect(sameRecord(a, b)).toBe(isSame)
        expect(recordVersion(a) === recordVersion(b)).toBe(isSame)
        expect(versionHash(KEY, a).low === versionHash(KEY, b).low).toBe(isSame)
      }),
      { numRuns: runs(300) },
    )
  })

  test.each<[string, number[]]>([
    ['out of order', [9, 0, 8, 0]],
    ['twice', [8, 0, 8, 0]],
    ['of another kind of record', [7, 0]],
    ['of a kind that is known', [4, 0]],
    ['longer than what is left', [8, 2, 0]],
    ['with a tag beyond what is allowed', [0x80, 2, 0]],
  ])('[REC-1] a part %s is refused', (_, bytes) => {
    const bad = Buffer.concat([encodeRecord(live()), Uint8Array.from(bytes)])
    expect(() => decodeRecord(bad, RECORD_LIMITS)).toThrow(
      expect.toSatisfy((error) => isSojournError(error, 'RECORD_INVALID')),
    )
  })
})
