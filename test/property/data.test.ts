import type { Data, Fold } from '@sojourn/core/internal'
import {
  decodeChange,
  diff,
  EMPTY_FOLD,
  editsFor,
  incrementEdits,
  isSojournError,
  materialize,
  mutate,
  sameValue,
  thaw,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import {
  awkwardKey,
  CHANGE_LIMITS,
  createdFold,
  dataOf,
  dataTrees,
  MAX_DEPTH,
  pointerTo,
  receive,
} from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)
const OPTIONS = { maxDepth: MAX_DEPTH }
const tree = dataTrees(awkwardKey)

class Cart {
  readonly items = 1
}
const holed = (): unknown[] => {
  const array: unknown[] = [1, 2, 3]
  delete array[1]
  return array
}
/** As many keys as its length says, and yet not those. */
const holedAndNamed = (): unknown[] => Object.assign(holed(), { extra: 2 })
const cyclic = (): object => {
  const object: Record<string, unknown> = {}
  object.self = { object }
  return object
}
const cyclicArray = (): unknown[] => {
  const array: unknown[] = []
  array.push([array])
  return array
}

/** What a session cannot hold, wherever it stands. */
const REFUSED: readonly (readonly [name: string, make: () => unknown])[] = [
  ['undefined', () => undefined],
  ['a function', () => () => 1],
  ['a class', () => Cart],
  ['a symbol', () => Symbol('s')],
  ['a bigint', () => 1n],
  ['NaN', () => Number.NaN],
  ['Infinity', () => Number.POSITIVE_INFINITY],
  ['-Infinity', () => Number.NEGATIVE_INFINITY],
  ['an invalid Date', () => new Date(Number.NaN)],
  ['a class instance', () => new Cart()],
  ['a Map', () => new Map([['a', 1]])],
  ['a Set', () => new Set([1])],
  ['a RegExp', () => /a/],
  ['an Error', () => new Error('no')],
  ['a Promise', () => Promise.resolve(1)],
  ['a boxed number', () => Object(1)],
  ['a boxed string', () => Object('a')],
  ['an ArrayBuffer', () => new ArrayBuffer(1)],
  ['a Float64Array', () => new Float64Array(1)],
  ['a DataView', () => new DataView(new ArrayBuffer(1))],
  ['an object with another prototype', () => Object.create({ inherited: 1 })],
  ['a lone high surrogate', () => 'a\ud800'],
  ['a lone low surrogate', () => '\udc00a'],
  ['an array with a hole', holed],
  ['an array with a hole and a name', holedAndNamed],
  ['an array of holes', () => new Array(3)],
  ['an array with a named property', () => Object.assign([1], { extra: 1 })],
  ['a key __proto__', () => JSON.parse('{"__proto__": 1}')],
  ['a key with a lone surrogate', () => ({ '\ud800': 1 })],
  ['a symbol key', () => ({ [Symbol('key')]: 1 })],
]

const refusal = (data: unknown): unknown => {
  try {
    editsFor(data, OPTIONS)
  } catch (error) {
    return error
  }
  return undefined
}

/** A tree with `value` put in at `path`; the last `inArrays` segments of the path are places in arrays. */
const planted = (data: Data, path: readonly string[], inArrays: number, value: unknown): unknown => {
  const arrays = new Array(inArrays).fill(0).reduce((inner) => [inner], value)
  const copy = thaw(data) as Record<string, unknown>
  let at = copy
  for (const segment of path.slice(0, -1)) at = at[segment] = {} as Record<string, unknown>
  at[path.at(-1)!] = arrays
  return copy
}

const path = fc.array(awkwardKey, { minLength: 1, maxLength: 4 })

describe('what a session cannot hold is refused', () => {
  test.each(REFUSED)('[DATA-1] %s', (_, make) => {
    fc.assert(
      fc.property(tree, path, fc.nat(3), (data, at, inArrays) => {
        const error = refusal(planted(data, at, inArrays, make()))
        expect(error).toMatchObject({ code: 'INVALID_DATA', path: pointerTo(at) + '/0'.repeat(inArrays) })
      }),
      { numRuns: runs(20) },
    )
  })

  test.each([
    ['an object in itself', cyclic],
    ['an array in itself', cyclicArray],
  ])('[DATA-1] a cycle: %s', (_, make) => {
    fc.assert(
      fc.property(tree, path, fc.nat(3), (data, at, inArrays) => {
        const error = refusal(planted(data, at, inArrays, make()))
        expect(isSojournError(error, 'INVALID_DATA') && error.path?.startsWith(pointerTo(at))).toBe(true)
      }),
      { numRuns: runs(20) },
    )
  })

  test('[DATA-1] data nested deeper than the limit, by one', () => {
    const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown =>
      depth === 0 ? 1 : wrap(nested(depth - 1, wrap))
    for (const wrap of [(inner: unknown) => ({ inner }), (inner: unknown) => [inner]]) {
      expect(refusal({ top: nested(MAX_DEPTH - 1, wrap) })).toBeUndefined()
      expect(refusal({ top: nested(MAX_DEPTH, wrap) })).toMatchObject({ code: 'INVALID_DATA' })
    }
  })

  // Found: a key beyond limits.maxKeyBytes was acknowledged, and neither the disk nor a peer gave the session back.
  test('[DATA-1] a key longer than the limit, by one byte, wherever an object stands', () => {
    const options = { ...OPTIONS, maxKeyBytes: 1_024 }
    const wraps: ((key: string) => object)[] = [
      (key) => ({ [key]: 1 }),
      (key) => ({ a: { [key]: 1 } }),
      (key) => ({ a: { b: { [key]: {} } } }),
    ]
    for (const wrap of wraps)
      for (const [fits, tooLong] of [
        ['k'.repeat(1_024), 'k'.repeat(1_025)],
        ['🛒'.repeat(256), `🛒${'k'.repeat(1_021)}`],
        ['é'.repeat(512), `${'é'.repeat(512)}k`],
      ] as const) {
        expect(editsFor(wrap(fits), options)).toHaveLength(1)
        for (const base of [{}, { a: 0 }, { a: {} }, { a: { b: {} } }, { a: { b: { c: 1 } } }])
          expect(() => diff(base, wrap(tooLong), options)).toThrow(
            expect.objectContaining({ code: 'INVALID_DATA', message: expect.stringContaining('limits.maxKeyBytes') }),
          )
      }
    // In an array, and in an object that is one register, keys are part of the value.
    expect(editsFor({ list: [{ ['k'.repeat(2_000)]: 1 }] }, options)).toHaveLength(1)
  })

  // Found: an increment deeper than any record may nest was acknowledged, and neither the disk nor a peer gave the session back.
  test('[DATA-1] an increment of a field that is nested too deep, or has too long a key', () => {
    const bounds = { maxDepth: MAX_DEPTH, maxKeyBytes: 8 }
    const refused = (limit: string) =>
      expect.objectContaining({ code: 'INVALID_DATA', message: expect.stringContaining(limit) })
    for (const data of [{}, { a: {} }, { a: { a: { a: 1 } } }]) {
      const increment = (path: string) => () => incrementEdits(data, path, 1, bounds)
      expect(increment('/a'.repeat(MAX_DEPTH + 1))).toThrow(refused('limits.maxDepth'))
      expect(increment('/a'.repeat(100_000))).toThrow(refused('limits.maxDepth'))
      expect(increment(`/a/${'k'.repeat(9)}`)).toThrow(refused('limits.maxKeyBytes'))
      // A segment counts as the key that it stands for: "~1" is one byte.
      expect(increment(`/a/${'~1'.repeat(9)}`)).toThrow(refused('limits.maxKeyBytes'))
      expect(increment(`/a/${'~1'.repeat(8)}`)()).not.toEqual([])
    }
    const deepest = incrementEdits({}, '/a'.repeat(MAX_DEPTH), 1, bounds)
    const data = dataOf(mutate(EMPTY_FOLD, ACTOR, deepest)!.fold)
    expect(refusal(data)).toBeUndefined()
  })

  test.each([
    ['an array', [1]],
    ['a string', 'text'],
    ['a number', 1],
    ['null', null],
    ['a Date', new Date(0)],
    ['bytes', Uint8Array.of(1)],
    ['a class instance', new Cart()],
    ['undefined', undefined],
  ])('[DATA-1] %s in the place of the whole data', (_, data) => {
    expect(refusal(data)).toMatchObject({ code: 'INVALID_DATA', path: '' })
  })

  test('[DATA-1] a refused edit is refused as well where something stood before', () => {
    fc.assert(
      fc.property(tree, path, fc.constantFrom(...REFUSED), (base, at, [, make]) => {
        expect(() => diff(base, planted(base, at, 0, make()), OPTIONS)).toThrow(
          expect.objectContaining({ code: 'INVALID_DATA', path: pointerTo(at) }),
        )
      }),
      { numRuns: runs(300) },
    )
  })
})

describe('everything else comes back as it went in', () => {
  const travelled = (data: Data): Fold => {
    const { changes } = mutate(EMPTY_FOLD, ACTOR, editsFor(data, OPTIONS)) ?? { changes: [] }
    return changes.reduce(receive, EMPTY_FOLD)
  }

  test('[DATA-1] a tree of anything', () => {
    fc.assert(
      fc.property(tree, (data) => {
        for (const shown of [dataOf(createdFold(data, ACTOR)), dataOf(travelled(data))]) {
          expect(shown).toEqual(data)
          expect(sameValue(shown, data)).toBe(true)
          expect(sameValue(data, shown)).toBe(true)
        }
      }),
      { numRuns: runs(800) },
    )
  })

  test('[DATA-1] the same value in a field, in an array, and in an object in an array', () => {
    fc.assert(
      fc.property(tree, (data) => {
        const all = { field: data, array: [data, [data]], object: [{ data }], ...data }
        expect(dataOf(travelled(all))).toEqual(all)
      }),
      { numRuns: runs(200) },
    )
  })

  test.each([
    ['objects without a prototype', Object.assign(Object.create(null), { a: { b: 1 } }), { a: { b: 1 } }],
    [
      'a Buffer, as bytes',
      { a: Buffer.from('abc'), b: [Buffer.from('')] },
      { a: new Uint8Array(Buffer.from('abc')), b: [new Uint8Array()] },
    ],
    ['keys of storage in arrays', { a: [{ $date: 1 }, { $: 1 }, { $$: { $number: '-0' } }] }, undefined],
    ['empty things', { a: {}, b: [], c: '', d: new Uint8Array(), e: [[], {}] }, undefined],
    ['inherited names', { a: [{ toString: 1, toJSON: 2, length: 3 }], toJSON: 'x', hasOwnProperty: null }, undefined],
  ])('[DATA-1] %s', (_, data: Data, expected) => {
    expect(dataOf(travelled(data))).toEqual(expected ?? data)
  })

  test('[DATA-1] what is shown is frozen, and what cannot be frozen is not shared', () => {
    const mutable = { date: new Date(1), bytes: Uint8Array.of(1), list: [new Date(2), Uint8Array.of(2)] }
    const fold = createdFold({ ...mutable, inner: { list: [{ deep: 1 }] } }, ACTOR)
    const { data, shareable } = materialize(fold)
    expect(shareable).toBe(false)
    const isFrozen = (value: unknown): boolean =>
      value instanceof Date || value instanceof Uint8Array || typeof value !== 'object' || value === null
        ? true
        : Object.isFrozen(value) && Object.values(value).every(isFrozen)
    expect(isFrozen(data)).toBe(true)
    ;(data.date as Date).setTime(9)
    ;(data.bytes as Uint8Array)[0] = 9
    ;((data.list as readonly unknown[])[0] as Date).setTime(9)
    expect(dataOf(fold)).toMatchObject(mutable)
    expect(materialize(createdFold({ a: 1, b: { c: 'x' } }, ACTOR)).shareable).toBe(true)
  })

  test('[DATA-1] the registers do not alias what the caller passed, nor the bytes that they came in', () => {
    const bytes = Uint8Array.of(1, 2)
    const date = new Date(7)
    const fold = createdFold({ bytes, date }, ACTOR)
    const change = mutate(EMPTY_FOLD, ACTOR, editsFor({ bytes }, OPTIONS))!.changes[0]!
    const received = receive(EMPTY_FOLD, change)
    expect(decodeChange(change.bytes, CHANGE_LIMITS).change.seq).toBe(1)
    bytes.fill(9)
    date.setTime(9)
    change.bytes.fill(0)
    expect(dataOf(fold)).toEqual({ bytes: Uint8Array.of(1, 2), date: new Date(7) })
    expect(dataOf(received)).toEqual({ bytes: Uint8Array.of(1, 2) })
  })
})
