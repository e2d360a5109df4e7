/** Records that no replica writes, each wrong in one place. */
import type { Fold, LiveOp, Register } from '@sojourn/core/internal'
import { ByteWriter, decodeRecord, encodeRecord, MapNode, openLease } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'
import type { Lost } from '../../packages/core/src/document/live.js'
import { restIn } from '../../packages/core/src/record-codec.js'
import { RECORD_LIMITS } from '../support/worlds.js'

const [A, B] = ['0a'.repeat(16), '0b'.repeat(16)] as const
const LIFE = { lease: openLease(1_000, 0, A), limit: { createdAt: 0, deadline: 1_000, horizon: 1_000 } }

const op = (actor: string, counter: number, more: Partial<LiveOp> = {}): LiveOp => ({
  actor,
  counter,
  value: 'x',
  increments: undefined,
  ...more,
})
interface Parts {
  readonly registers?: Readonly<Record<string, Register>>
  readonly isFresh?: boolean
  readonly end?: number
  readonly lost?: Readonly<Record<string, Lost>>
}
const mapOf = (object: object) => new Map(Object.entries(object))
const node = ({ registers = {}, isFresh = true, end = 20, lost = {} }: Parts = {}): MapNode =>
  new MapNode(mapOf(registers), isFresh, end, mapOf(lost))
const map = (actor: string, counter: number, parts?: Parts): LiveOp => op(actor, counter, { value: node(parts) })

const HASH = '0e'.repeat(8)
const sound: Fold = {
  seen: new Map([
    [A, { seq: 1, maxOp: 20 }],
    [B, { seq: 1, maxOp: 20 }],
  ]),
  heads: [
    { hash: '0c'.repeat(32), actor: A, seq: 1 },
    { hash: '0d'.repeat(32), actor: B, seq: 1 },
  ],
  registers: mapOf({
    fa: [op(A, 1), op(B, 1)],
    fb: [
      op(A, 2, {
        value: 1,
        increments: new Map([
          [A, 77],
          [B, 78],
        ]),
      }),
    ],
    fm: [
      op(A, 3, { value: 'beside a map' }),
      map(B, 5, {
        registers: {
          fx: [op(A, 6), op(B, 7)],
          fy: [map(A, 8, { isFresh: false, end: 9, registers: { fz: [op(A, 9)] } }), map(B, 8, { end: 8 })],
        },
        lost: { fx: HASH, fq: mapOf({ fw: HASH, fe: new Map() }) as Lost },
      }),
    ],
  }),
}

const encoded = (document: Fold): Buffer => Buffer.from(encodeRecord({ kind: 'live', ...LIFE, document }))
const decode = (bytes: Uint8Array) => decodeRecord(bytes, RECORD_LIMITS)
const withRegister = (key: string, register: readonly LiveOp[]): Buffer =>
  encoded({ ...sound, registers: new Map([...sound.registers, [key, register]]) })
/** In a map in a map. */
const withInner = (key: string, register: readonly LiveOp[]): Buffer =>
  withRegister('fc', [map(A, 10, { registers: { inner: [map(A, 11, { registers: { [key]: register } })] } })])
const withLost = (lost: Parts['lost']): Buffer => withRegister('fc', [map(A, 10, { lost: lost! })])
const swapped = (bytes: Buffer, from: string, to: string): Buffer => {
  const hex = bytes.toString('hex')
  expect(hex.split(from)).toHaveLength(2)
  return Buffer.from(hex.replace(from, to), 'hex')
}
const replaced = (from: string, to: string): Buffer => swapped(encoded(sound), from, to)
const textHex = (text: string): string => Buffer.from(text).toString('hex')
const LAST_DATE = new Date(8.64e15)
const intHex = (value: number): string => Buffer.from(new ByteWriter().int(value).finish()).toString('hex')

const lostIn = (depth: number): Lost => (depth === 0 ? HASH : (mapOf({ k: lostIn(depth - 1) }) as Lost))
/** Maps in maps, each later than the one that it is in. */
const deep = (depth: number, innermost: Parts = {}): Buffer => {
  let inner: LiveOp | undefined
  for (let at = depth; at > 0; at--)
    inner = map(A, at, { ...(inner ? { registers: { k: [inner] } } : innermost), end: 1_000 })
  return encoded({ seen: new Map([[A, { seq: 1, maxOp: 1_000 }]]), heads: [], registers: mapOf({ k: [inner!] }) })
}
/** A record of one actor and one field, which holds the bytes. */
const around = (inner: Uint8Array): Buffer => {
  const document: Fold = {
    seen: new Map([[A, { seq: 1, maxOp: 2 ** 31 }]]),
    heads: [],
    registers: mapOf({ k: [op(A, 1, { value: null })] }),
  }
  const known = restIn(encodeRecord({ kind: 'live', ...LIFE, document })).document
  // The place of the actor, the number, the type: of the one value, which is last.
  return withDocument(Buffer.concat([known.subarray(0, -3), inner]))
}
const withDocument = (bytes: Uint8Array): Buffer =>
  Buffer.from(encodeRecord({ kind: 'live', ...LIFE, document: sound }, bytes))
/** Too many for the encoder: written from the outside in. */
const manyMaps = (count: number): Buffer => {
  const out = new ByteWriter()
  for (let at = 1; at <= count; at++) out.u8(0).uint(at).u8(8).u8(1).uint(0).uint(0).uint(1).text('k').uint(1)
  return around(
    out
      .u8(0)
      .uint(count + 1)
      .u8(0)
      .finish(),
  )
}
const manyLost = (count: number): Buffer => {
  const out = new ByteWriter().u8(0).uint(1).u8(8).u8(1).uint(0)
  for (let at = 1; at <= count; at++) out.uint(1).text('k').u8(1)
  return around(out.uint(0).uint(0).finish())
}
const headed = (head: Partial<Fold['heads'][number]>): Buffer =>
  encoded({ ...sound, heads: [{ ...sound.heads[0]!, ...head }] })
const seenAs = (seq: number, maxOp: number): Buffer =>
  encoded({ seen: new Map([[A, { seq, maxOp }]]), heads: [], registers: new Map() })

const BOTH: readonly (readonly [where: string, at: (key: string, register: readonly LiveOp[]) => Buffer])[] = [
  ['in the root', withRegister],
  ['in a map in a map', withInner],
]

describe('forged records are refused', () => {
  const expectRefused = (bytes: Uint8Array, reason: string): void => {
    expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'RECORD_INVALID' }))
    // The reason shows that it is refused for what the title says, and not for a slip in its making.
    expect(() => decode(bytes)).toThrow(reason)
  }

  test('[WIRE-2] the hand-made records are taken as long as nothing is wrong with them', () => {
    expect(decode(encoded(sound))).toEqual({ kind: 'live', ...LIFE, document: sound })
    expect(encoded((decode(encoded(sound)) as { document: Fold }).document).equals(encoded(sound))).toBe(true)
    for (const [, at] of BOTH) decode(at('fd', [op(A, 12), op(B, 12, { value: LAST_DATE })]))
    decode(withLost({ fa: HASH, fb: mapOf({ fc: HASH }) as Lost, fd: new Map() }))
    decode(headed({}))
    decode(seenAs(1, 1))
  })

  test.each([
    // 77 and 78 take two bytes each, after the place of their actor in the table.
    ['an increment of one actor twice', 'appears twice', () => replaced('00cd0001ce00', '00cd0000ce00')],
    ['an actor twice', 'appears twice', () => swapped(encoded({ ...sound, registers: new Map() }), B, A)],
    ['an actor without a change', 'without operations', () => seenAs(0, 0)],
    ['an actor with operations, and no change', 'without operations', () => seenAs(0, 5)],
    ['an actor with more changes than operations', 'without operations', () => seenAs(6, 5)],
    ['heads out of order', 'not in order', () => encoded({ ...sound, heads: sound.heads.toReversed() })],
    ['a head twice', 'not in order', () => encoded({ ...sound, heads: [sound.heads[0]!, sound.heads[0]!] })],
    ['a head that its actor has not come to', 'ahead of its actor', () => headed({ seq: 2 })],
    ['a head that is no change', 'ahead of its actor', () => headed({ seq: 0 })],
    ['a field twice', 'appears twice', () => replaced(textHex('\u0002fb'), textHex('\u0002fa'))],
    ['a field of a map twice', 'a field appears twice', () => replaced(textHex('\u0002fy'), textHex('\u0002fx'))],
    ['a map twice, in two fields', 'a map appears twice', () => withRegister('fc', [map(B, 5)])],
    [
      'a map twice, in two maps',
      'a map appears twice',
      () => withInner('fc', [map(A, 9 + 3, { registers: { k: [map(A, 13)] } }), map(A, 13)]),
    ],
    [
      'a map in itself',
      'not later than the map',
      () => withRegister('fc', [map(A, 10, { registers: { k: [map(A, 10)] } })]),
    ],
    [
      'an operation in its own map',
      'not later than the map',
      () => withRegister('fc', [map(A, 10, { registers: { k: [op(A, 10)] } })]),
    ],
    [
      'an operation earlier than its map',
      'not later than the map',
      () => withRegister('fc', [map(A, 10, { registers: { k: [op(B, 9)] } })]),
    ],
    ['a making that ends ahead of its actor', 'ends ahead', () => withRegister('fc', [map(A, 10, { end: 21 })])],
    [
      'a making that ends beyond all counts',
      'above 2147483648',
      () => withRegister('fc', [map(A, 10, { end: 2 ** 31 + 11 })]),
    ],
    [
      'a map with a flag of 2',
      'neither 0 nor 1',
      () => swapped(withRegister('fc', [map(A, 10, { end: 14 })]), '000a080104', '000a080204'),
    ],
    [
      'a value of an unknown type',
      'unknown type',
      () => swapped(withRegister('fc', [map(A, 10, { end: 14 })]), '000a080104', '000a090104'),
    ],
    [
      'an overwritten field of no kind',
      'of no kind',
      () => swapped(withLost({ fg: HASH }), `${textHex('\u0002fg')}00`, `${textHex('\u0002fg')}02`),
    ],
    [
      'an overwritten field twice',
      'appears twice',
      () => swapped(withLost({ fg: HASH, fh: HASH }), textHex('\u0002fh'), textHex('\u0002fg')),
    ],
    [
      'an overwritten field twice, in a map',
      'appears twice',
      () => swapped(withLost({ fd: mapOf({ fg: HASH, fh: HASH }) as Lost }), textHex('\u0002fh'), textHex('\u0002fg')),
    ],
    ['an overwritten field of a reserved name', 'is reserved', () => withLost(JSON.parse(`{"__proto__": "${HASH}"}`))],
    [
      'an overwritten field of a reserved name, in a map',
      'is reserved',
      () => withLost({ fd: mapOf(JSON.parse(`{"__proto__": "${HASH}"}`)) as Lost }),
    ],
    [
      'an overwritten field with a name beyond maxKeyBytes',
      'above 1024',
      () => withLost({ ['k'.repeat(1_025)]: HASH }),
    ],
    ['maps nested deeper than any session', 'deeper than 256', () => deep(257)],
    ['eighty thousand maps', 'deeper than 256', () => manyMaps(80_000)],
    ['overwritten maps nested deeper than any session', 'deeper than 256', () => deep(1, { lost: { k: lostIn(256) } })],
    ['an overwritten map in the deepest map', 'deeper than 256', () => deep(256, { lost: { k: new Map() } })],
    ['eighty thousand overwritten maps', 'deeper than 256', () => manyLost(80_000)],
  ] as const)('[WIRE-2] %s', (_, reason, make) => expectRefused(make(), reason))

  test('[WIRE-2] a document that announces more than it holds is refused before anything is made of it', () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    const [actor, field, aMap] = [
      [1, ...Buffer.from(A, 'hex'), 1, 9],
      [1, 1, 0x6b],
      [0, 1, 8, 1, 0],
    ]
    for (const before of [
      // Actors, heads, fields, values of a field, what was overwritten in a map, fields of a map, values of those.
      [],
      [0],
      [0, 0],
      [0, 0, ...field],
      [...actor, 0, ...field, 1, ...aMap],
      [...actor, 0, ...field, 1, ...aMap, 1, 1, 0x6b, 1],
      [...actor, 0, ...field, 1, ...aMap, 0],
      [...actor, 0, ...field, 1, ...aMap, 0, ...field],
    ])
      expectRefused(withDocument(Uint8Array.from([...before, ...huge])), 'an integer is above')
  })

  test('[WIRE-2] as deep as may be is taken', () => {
    decode(deep(256, { registers: { k: [op(A, 300)] }, lost: { k: HASH } }))
    decode(deep(1, { lost: { k: lostIn(255) } }))
  })

  describe.each(BOTH)('%s', (_where, at) => {
    test.each([
      ['a field without a value', 'has no value', []],
      ['operations out of order', 'not in order', [op(B, 13), op(A, 13)]],
      ['an operation twice', 'not in order', [op(A, 13), op(A, 13)]],
      ['a map and a value of one operation', 'not in order', [map(A, 13), op(A, 13)]],
      ['an operation that its actor has not come to', 'ahead of its actor', [op(A, 21)]],
      ['a map that its actor has not come to', 'ahead of its actor', [map(A, 21)]],
      ['the operation 0', 'not later than the map', [op(A, 0)]],
      ['the map 0', 'not later than the map', [map(A, 0)]],
      ['bytes with an unknown tag', 'unknown tag', [op(A, 13, { value: Uint8Array.of(9) })]],
      ['bytes without a tag', 'unknown tag', [op(A, 13, { value: new Uint8Array() })]],
      ['a stored array that is none', 'it is not an array', [op(A, 13, { value: Uint8Array.of(1, 0x7b, 0x7d) })]],
      ['a stored object that is none', 'it is not an object', [op(A, 13, { value: Uint8Array.of(2, 0x5b, 0x5d) })]],
      ['a float that is infinite', 'not in its own form', [op(A, 13, { value: Number.POSITIVE_INFINITY })]],
      ['a float that is not a number', 'not in its own form', [op(A, 13, { value: Number.NaN })]],
    ] as const)('[WIRE-2] %s', (_, reason, register) => expectRefused(at('fd', register), reason))

    test('[WIRE-2] a reserved key', () => expectRefused(at('__proto__', [op(A, 13)]), 'is reserved'))
    test('[WIRE-2] a key beyond maxKeyBytes', () => expectRefused(at('k'.repeat(1_025), [op(A, 13)]), 'above 1024'))
    test('[WIRE-2] a date out of range', () =>
      expectRefused(
        swapped(at('fd', [op(A, 13, { value: LAST_DATE })]), intHex(8.64e15), intHex(8.64e15 + 1)),
        'a date is out of range',
      ))
    test('[WIRE-2] a stored array nested deeper than any session', () => {
      const array = Buffer.from('['.repeat(100_000) + ']'.repeat(100_000))
      expectRefused(at('fd', [op(A, 13, { value: Buffer.concat([Uint8Array.of(1), array]) })]), 'nested too deep')
    })
  })
})
