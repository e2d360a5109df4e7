/** A record whose document rests as bytes is the same record. */
import type { LiveRecord } from '@sojourn/core/internal'
import {
  encodeRecord,
  joinRecords,
  RestingRecord,
  recordVersion,
  renewLease,
  resting,
  sameRecord,
  sharesDocument,
  touchSession,
  versionHash,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newRecordOf } from '../support/records.js'
import { runs } from '../support/runs.js'
import { type Author, worlds } from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)
const KEY = '0b'.repeat(16)
const recordOf = ({ fold }: Author): LiveRecord => newRecordOf(fold, ACTOR)
const rested = (record: LiveRecord): RestingRecord => resting(record, encodeRecord(record)) as RestingRecord

describe('a record at rest', () => {
  test('[CONV-1] has the same document, version and bytes, and joins as the other does', () => {
    fc.assert(
      fc.property(worlds(20), ({ authors }) => {
        const records = authors.map(recordOf)
        // More than one, so that none is the one that was needed last.
        const asleep = records.map(rested)
        for (const [index, record] of records.entries()) {
          const resting = asleep[index]!
          expect(resting.document).toEqual(record.document)
          expect(versionHash(KEY, resting)).toEqual(versionHash(KEY, record))
          expect(recordVersion(resting)).toBe(recordVersion(record))
          expect(sameRecord(resting, record)).toBe(true)
          expect(encodeRecord(resting, resting.bytes)).toEqual(encodeRecord(record))
          for (const [other, theirs] of records.entries())
            expect(recordVersion(joinRecords(resting, asleep[other]!))).toBe(recordVersion(joinRecords(record, theirs)))
        }
      }),
      { numRuns: runs(300) },
    )
  })

  test('[CONV-1] is used without being woken', () => {
    fc.assert(
      fc.property(worlds(10), ({ authors }) => {
        const resting = rested(recordOf(authors[0]!))
        const touched = touchSession(resting, 40_000, { key: KEY, renewal: {}, stamps: ACTOR })
        const next = (touched as unknown as { next: RestingRecord }).next
        expect(next).toBeInstanceOf(RestingRecord)
        expect(sharesDocument(next, resting)).toBe(true)
        expect(next.lease).toEqual(renewLease(resting.lease, 40_000, ACTOR))
        expect(next.document).toEqual(authors[0]!.fold)
      }),
      { numRuns: runs(100) },
    )
  })
})
