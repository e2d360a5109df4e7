import type { Fold, LiveRecord, Registers, SessionRecord } from '@sojourn/core/internal'
import {
  decodeRecord,
  encodeRecord,
  isSojournError,
  joinRecords,
  MapNode,
  mutate,
  openLease,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ends, leases, limits, records } from '../support/records.js'
import { runs } from '../support/runs.js'
import {
  actorIds,
  awkwardKey,
  createdFold,
  dataOf,
  dataTrees,
  pathsOf,
  pointerTo,
  RECORD_LIMITS,
  receive,
} from '../support/worlds.js'

const liveOf = (document: Fold): fc.Arbitrary<SessionRecord> =>
  fc.record({ kind: fc.constant('live' as const), document: fc.constant(document), lease: leases, limit: limits })

const fresh: fc.Arbitrary<SessionRecord> = fc
  .tuple(dataTrees(awkwardKey), actorIds)
  .chain(([data, [actor]]) => liveOf(createdFold(data, actor!)))
const merged: fc.Arbitrary<SessionRecord> = fc
  .tuple(records, fc.nat(999))
  .map(([{ list }, pick]) => list[pick % list.length]!)
const ended: fc.Arbitrary<SessionRecord> = ends.map((end) => ({ kind: 'ended', end }))
const record = fc.oneof(
  { weight: 3, arbitrary: merged },
  { weight: 3, arbitrary: fresh },
  { weight: 1, arbitrary: ended },
)

/** The keys of all maps, and of what was overwritten in them. */
const keysIn = (registers: Registers): string[] =>
  [...registers].flatMap(([key, register]) => [
    key,
    ...register.flatMap(({ value }) =>
      value instanceof MapNode ? [...keysIn(value.registers), ...lostKeys(value.lost)] : [],
    ),
  ])
const lostKeys = (lost: MapNode['lost']): string[] =>
  [...lost].flatMap(([key, one]) => (typeof one === 'string' ? [key] : [key, ...lostKeys(one)]))

const LIFE = {
  lease: openLease(1_000, 0, '0a'.repeat(16)),
  limit: { createdAt: 0, deadline: 1_000, horizon: 1_000 },
}

const decode = (bytes: Uint8Array): SessionRecord => decodeRecord(bytes, RECORD_LIMITS)

/** What it shows can be edited, and peers take the change. */
const expectUsable = ({ document }: LiveRecord): void => {
  const data = dataOf(document)
  const [path] = pathsOf(data).toSorted((a, b) => b.length - a.length)
  if (path === undefined) return
  const edited = mutate(document, 'ab'.repeat(16), [{ kind: 'set', path: pointerTo(path), value: 'edited' }])!
  expect(edited.changes.reduce(receive, document)).toEqual(edited.fold)
}

/**
 * Takes hostile bytes: refused with the one code, or else a record that can be used like any other. A record has one
 * encoding, so whatever is accepted is what the encoder writes.
 */
const swallow = (bytes: Uint8Array, known: SessionRecord): void => {
  let forged: SessionRecord
  try {
    forged = decode(bytes)
  } catch (error) {
    if (!isSojournError(error, 'RECORD_INVALID')) throw error
    return
  }
  expect(Buffer.from(encodeRecord(forged)).equals(bytes)).toBe(true)
  expect(decode(encodeRecord(forged))).toEqual(forged)
  if (forged.kind === 'live') expectUsable(forged)
  joinRecords(known, forged)
  joinRecords(forged, known)
}

describe('records travel and rest as bytes', () => {
  test('[WIRE-2] a record is read back as it was written', () => {
    fc.assert(
      fc.property(record, (written) => {
        const bytes = encodeRecord(written)
        const read = decode(bytes)
        expect(read).toEqual(written)
        expect(Buffer.from(encodeRecord(read)).equals(bytes)).toBe(true)
        if (read.kind === 'live' && written.kind === 'live')
          expect(dataOf(read.document)).toEqual(dataOf(written.document))
      }),
      { numRuns: runs(800) },
    )
  })

  // Found: Buffer's slice is a view, so a decoded value changed with the frame that it came in, and a caller who wrote
  // into the bytes of a session wrote into the record.
  test('[WIRE-2] what was read keeps nothing of the bytes that it was read from', () => {
    const data = { bytes: Uint8Array.of(1, 2, 3), list: [Uint8Array.of(4)] }
    const document = createdFold(data, '0a'.repeat(16))
    const bytes = Buffer.from(encodeRecord({ kind: 'live', document, ...LIFE }))
    const read = decode(bytes) as LiveRecord
    bytes.fill(0)
    const shown = dataOf(read.document)
    expect(shown).toEqual(data)
    ;(shown.bytes as Uint8Array).fill(9)
    expect(dataOf(read.document)).toEqual(data)
  })

  test('[WIRE-2] a tombstone takes 48 bytes or less', () => {
    fc.assert(
      fc.property(ends, fc.nat(2 ** 41), fc.nat(2 ** 42), fc.nat(2 ** 14), (end, time, horizon, count) => {
        const bytes = encodeRecord({ kind: 'ended', end: { ...end, horizon, stamp: { ...end.stamp, time, count } } })
        expect(bytes.length).toBeLessThanOrEqual(48)
      }),
      { numRuns: runs(100) },
    )
  })

  test('[WIRE-2] what does not fit the limits is refused', () => {
    fc.assert(
      fc.property(record, (written) => {
        const bytes = encodeRecord(written)
        const within = { ...RECORD_LIMITS, maxRecordBytes: bytes.length }
        expect(decodeRecord(bytes, within)).toEqual(written)
        const over = () => decodeRecord(bytes, { ...within, maxRecordBytes: bytes.length - 1 })
        expect(over).toThrow(expect.objectContaining({ code: 'RECORD_INVALID' }))
        if (written.kind === 'ended') return
        const longest = Math.max(0, ...keysIn(written.document.registers).map((key) => Buffer.byteLength(key)))
        if (longest > 0)
          expect(() => decodeRecord(bytes, { ...within, maxKeyBytes: longest - 1 })).toThrow(
            expect.objectContaining({ code: 'RECORD_INVALID' }),
          )
      }),
      { numRuns: runs(200) },
    )
  })
})

describe('hostile bytes', () => {
  const damage = fc.array(
    fc.record({ kind: fc.constantFrom('flip', 'set', 'cut', 'insert', 'repeat'), at: fc.nat(), byte: fc.nat(255) }),
    { minLength: 1, maxLength: 4 },
  )

  test('[WIRE-2] a damaged record is refused, or is the one encoding of another record', () => {
    fc.assert(
      fc.property(record, damage, (written, blows) => {
        const bytes = [...encodeRecord(written)]
        for (const { kind, at, byte } of blows) {
          const index = at % bytes.length
          if (kind === 'flip') bytes[index]! ^= 1 << (byte & 7)
          else if (kind === 'set') bytes[index] = byte
          else if (kind === 'cut') bytes.splice(index, 1 + (byte & 15))
          else if (kind === 'insert') bytes.splice(index, 0, byte)
          else bytes.splice(index, 0, ...bytes.slice(index, index + byte))
          if (bytes.length === 0) bytes.push(byte)
        }
        swallow(Uint8Array.from(bytes), written)
      }),
      { numRuns: runs(3_000) },
    )
  })

  test('[WIRE-2] a truncated record is refused, as is one with bytes after it', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 }), (written, at, tail) => {
        const bytes = encodeRecord(written)
        const refused = expect.objectContaining({ code: 'RECORD_INVALID' })
        const cut = at % bytes.length
        // Who and what opens it stand last, and not every record has them.
        const { identity, ...bare } = written.kind === 'live' ? written : { ...written, identity: undefined }
        const parts = [bare, { ...bare, identity: { ...identity, credentials: undefined } }] as SessionRecord[]
        const isWhole = identity !== undefined && parts.some((part) => encodeRecord(part).length === cut)
        if (!isWhole) expect(() => decode(bytes.subarray(0, cut))).toThrow(refused)
        // After it there can be what a newer version adds, never a part that this one knows.
        expect(() => decode(Buffer.concat([bytes, Uint8Array.of(tail[0]! % 5), tail]))).toThrow(refused)
        swallow(Buffer.concat([bytes, tail]), written)
      }),
      { numRuns: runs(500) },
    )
  })

  test('[WIRE-2] random bytes are refused, or are a record', () => {
    const bytes = fc.tuple(fc.constantFrom(0, 1, 2), fc.uint8Array({ maxLength: 200 }))
    fc.assert(
      fc.property(bytes, record, ([kind, rest], known) => {
        swallow(Uint8Array.of(kind, ...rest), known)
      }),
      { numRuns: runs(1_500) },
    )
  })
})
