import type { Fold, LiveOp, LiveRecord, SessionRecord } from '@sojourn/core'
import { ByteWriter, decodeRecord, encodeRecord, isSojournError, joinRecords, openLease } from '@sojourn/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ends, leases, limits, records } from '../support/records.js'
import { runs } from '../support/runs.js'
import { actorIds, awkwardKey, createdFold, dataOf, dataTrees, RECORD_LIMITS } from '../support/worlds.js'

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

const LIFE = {
  lease: openLease(1_000, 0, '0a'.repeat(16)),
  limit: { createdAt: 0, deadline: 1_000, horizon: 1_000 },
}

const decode = (bytes: Uint8Array): SessionRecord => decodeRecord(bytes, RECORD_LIMITS)

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
  if (forged.kind === 'live') dataOf(forged.document)
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
        const longest = Math.max(0, ...[...written.document.registers.keys()].map((key) => Buffer.byteLength(key)))
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

  test('[WIRE-2] a truncated record is refused, as is one with bytes behind it', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 9 }), (written, at, tail) => {
        const bytes = encodeRecord(written)
        const refused = expect.objectContaining({ code: 'RECORD_INVALID' })
        expect(() => decode(bytes.subarray(0, at % bytes.length))).toThrow(refused)
        expect(() => decode(Buffer.concat([bytes, tail]))).toThrow(refused)
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

  test('[WIRE-2] a record that announces more than it holds is refused before anything is made of it', () => {
    const head = [1, ...new Array(2 + 16 + 2 + 3).fill(0)]
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    for (const counts of [[], [0], [0, 0], [0, 0, 1]])
      expect(() => decode(Uint8Array.from([...head, ...counts, ...huge]))).toThrow(
        expect.objectContaining({ code: 'RECORD_INVALID' }),
      )
  })

  const [A, B] = ['0a'.repeat(16), '0b'.repeat(16)] as const
  const op = (actor: string, counter: number, more: Partial<LiveOp> = {}): LiveOp => ({
    actor,
    counter,
    value: 'x',
    increments: undefined,
    ...more,
  })
  const sound: Fold = {
    seen: new Map([
      [A, { seq: 1, maxOp: 5 }],
      [B, { seq: 1, maxOp: 5 }],
    ]),
    heads: [
      { hash: '0c'.repeat(32), actor: A, seq: 1 },
      { hash: '0d'.repeat(32), actor: B, seq: 1 },
    ],
    registers: new Map([
      ['/a', [op(A, 1), op(B, 1)]],
      [
        '/b',
        [
          op(A, 2, {
            value: 1,
            increments: new Map([
              [A, 77],
              [B, 78],
            ]),
          }),
        ],
      ],
    ]),
  }
  const encoded = (document: Fold): Buffer => Buffer.from(encodeRecord({ kind: 'live', ...LIFE, document }))
  const withRegister = (path: string, register: readonly LiveOp[]): Buffer =>
    encoded({ ...sound, registers: new Map([...sound.registers, [path, register]]) })
  const swapped = (bytes: Buffer, from: string, to: string): Buffer => {
    const hex = bytes.toString('hex')
    expect(hex.split(from)).toHaveLength(2)
    return Buffer.from(hex.replace(from, to), 'hex')
  }
  const replaced = (from: string, to: string): Buffer => swapped(encoded(sound), from, to)
  const LAST_DATE = new Date(8.64e15)
  const intHex = (value: number): string => Buffer.from(new ByteWriter().int(value).finish()).toString('hex')

  test.each([
    // 77 and 78 take two bytes each, behind the place of their actor in the table.
    ['an increment of one actor twice', () => replaced('00cd0001ce00', '00cd0000ce00')],
    ['an actor twice', () => swapped(encoded({ ...sound, registers: new Map() }), B, A)],
    ['a field twice', () => replaced('022f62', '022f61')],
    ['heads out of order', () => encoded({ ...sound, heads: sound.heads.toReversed() })],
    ['a head twice', () => encoded({ ...sound, heads: [sound.heads[0]!, sound.heads[0]!] })],
    ['a field without a value', () => withRegister('/c', [])],
    ['operations out of order', () => withRegister('/c', [op(B, 3), op(A, 3)])],
    ['an operation twice', () => withRegister('/c', [op(A, 3), op(A, 3)])],
    ['an operation that its actor has not come to', () => withRegister('/c', [op(A, 6)])],
    ['a pointer without a slash', () => withRegister('c', [op(A, 3)])],
    ['a reserved key', () => withRegister('/__proto__', [op(A, 3)])],
    ['bytes with an unknown tag', () => withRegister('/c', [op(A, 3, { value: Uint8Array.of(9) })])],
    ['bytes without a tag', () => withRegister('/c', [op(A, 3, { value: new Uint8Array() })])],
    ['a stored array that is none', () => withRegister('/c', [op(A, 3, { value: Uint8Array.of(1, 0x7b, 0x7d) })])],
    ['a float that is infinite', () => withRegister('/c', [op(A, 3, { value: Number.POSITIVE_INFINITY })])],
    ['a float that is not a number', () => withRegister('/c', [op(A, 3, { value: Number.NaN })])],
    [
      'a date out of range',
      () => swapped(withRegister('/c', [op(A, 3, { value: LAST_DATE })]), intHex(8.64e15), intHex(8.64e15 + 1)),
    ],
  ])('[WIRE-2] forged: %s', (_, make) => {
    expect(decode(encoded(sound))).toMatchObject({ kind: 'live', document: sound })
    expect(() => decode(make())).toThrow(expect.objectContaining({ code: 'RECORD_INVALID' }))
  })

  test('[WIRE-2] a stored array nested deeper than any session is refused', () => {
    const depth = 100_000
    const array = Buffer.from('['.repeat(depth) + ']'.repeat(depth))
    const value: SessionRecord = {
      kind: 'live',
      ...LIFE,
      document: {
        seen: new Map([['0a'.repeat(16), { seq: 1, maxOp: 1 }]]),
        heads: [],
        registers: new Map([
          [
            '/a',
            [
              {
                counter: 1,
                actor: '0a'.repeat(16),
                value: Buffer.concat([Uint8Array.of(1), array]),
                increments: undefined,
              },
            ],
          ],
        ]),
      },
    }
    expect(() => decode(encodeRecord(value))).toThrow(expect.objectContaining({ code: 'RECORD_INVALID' }))
  })
})
