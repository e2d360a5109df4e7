/** Attacks on the columns that say in which map an operation is, and on the making of maps. */
import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeChange } from '../../packages/core/src/document/change.js'
import type { OpId } from '../../packages/core/src/document/op.js'
import { ACTORS, LIMITS, ME } from '../support/changes.js'
import { accepts, assemble, bytesOf, HUGE, inMaps, OTHER, run, unsigned } from '../support/forged-changes.js'

// The two columns of the object are 1 (whose operation it is) and 2 (which one).
const HOSTILE: readonly (readonly [title: string, reason: string, bytes: Uint8Array])[] = [
  ['only whose the map is', 'differ in their number', assemble(inMaps({ 2: undefined }))],
  ['only which operation made the map', 'differ in their number', assemble(inMaps({ 1: undefined }))],
  ['half a map: nobody’s', 'half a map', assemble(inMaps({ 1: bytesOf(0, 1, 0x7f, 1, 0, 1) }))],
  ['half a map: no operation', 'half a map', assemble(inMaps({ 2: bytesOf(0, 1, 0x7f, 1, 0, 1) }))],
  ['half a map: the operation 0', 'half a map', assemble(inMaps({ 2: bytesOf(0x7d, 0, 1, 3) }))],
  ['half a map: the nulls of the columns at odds', 'half a map', assemble(inMaps({ 1: bytesOf(0, 2, 0x7f, 1) }))],
  ['nothing but nulls', 'a column has nothing but nulls', assemble(inMaps({ 1: bytesOf(0, 3), 2: bytesOf(0, 3) }))],
  [
    'a split row of nulls',
    'splits one',
    assemble(inMaps({ 1: bytesOf(0, 1, 0, 1, 0x7f, 0), 2: bytesOf(0, 2, 0x7f, 3) })),
  ],
  ['a row of no nulls', 'an empty row of nulls', assemble(inMaps({ 1: bytesOf(0, 0, 0x7d, 0, 1, 0) }))],
  ['a row of no nulls at the end', 'an empty row of nulls', assemble(inMaps({ 1: bytesOf(0x7d, 0, 1, 0, 0, 0) }))],
  ['a padded row of nulls', 'shortest form', assemble(inMaps({ 1: bytesOf(0, 0x81, 0, 0x7e, 1, 0) }))],
  ['a repetition of one map', 'repetition of one', assemble(inMaps({ 2: bytesOf(0, 1, 1, 1, 0x7f, 3) }))],
  ['a spelt out repetition of maps', 'spells out', assemble(inMaps({ 1: bytesOf(0, 1, 0x7e, 1, 1) }))],
  ['two rows of single maps', 'splits a row', assemble(inMaps({ 2: bytesOf(0, 1, 0x7f, 1, 0x7f, 3) }))],
  [
    'a trillion nulls',
    'more than 10000 values',
    assemble(inMaps({ 1: bytesOf(0, unsigned(HUGE)), 2: bytesOf(0, unsigned(HUGE)) })),
  ],
  ['a trillion owners', 'more than 10000 values', assemble(inMaps({ 1: run(HUGE, 1) }))],
  ['a trillion maps', 'more than 10000 values', assemble(inMaps({ 2: run(HUGE, 1) }))],
  [
    'as many nulls as fit, then more',
    'more than 10000 values',
    assemble(inMaps({ 1: bytesOf(0, unsigned(9_999), run(2, 1)) })),
  ],
  [
    'as many maps as may be, and three keys',
    'differ in their number',
    assemble(inMaps({ 1: run(10_000, 1), 2: run(10_000, 1) })),
  ],
  [
    'maps for two of three operations',
    'differ in their number',
    assemble(inMaps({ 1: bytesOf(0, 1, 0x7f, 1), 2: bytesOf(0, 1, 0x7f, 1) })),
  ],
  [
    'maps for four of three operations',
    'differ in their number',
    assemble(inMaps({ 1: bytesOf(0, 1, 0x7d, 1, 0, 1), 2: bytesOf(0, 1, 0x7d, 1, 3, 1) })),
  ],
  ['a map of an unlisted actor', 'above 1', assemble(inMaps({ 1: bytesOf(0, 1, 0x7e, 2, 0) }))],
  ['a map of a trillionth actor', 'above 1', assemble(inMaps({ 1: bytesOf(0, 1, 0x7f, unsigned(HUGE), 0x7f, 0) }))],
  [
    'an operation beyond 2^31 as a map',
    'above 2147483648',
    assemble(inMaps({ 2: bytesOf(0, 1, 0x7e, unsigned(2 ** 31 + 1), 3) })),
  ],
  [
    'an actor listed that only nulls could name',
    'no operation names',
    assemble(inMaps({ 1: bytesOf(0, 2, 0x7f, 0), 2: bytesOf(0, 2, 0x7f, 3) })),
  ],
  [
    'a third actor that no map names',
    'no operation names',
    assemble({ ...inMaps(), others: [OTHER, ACTORS[2]!].sort() }),
  ],
  [
    'another’s map that is later than the operation in it',
    'later than an operation in it',
    assemble(inMaps({ 2: bytesOf(0, 1, 0x7e, 5, 3) })),
  ],
  [
    'another’s map with the number of the operation in it',
    'later than an operation in it',
    assemble(inMaps({ 2: bytesOf(0, 1, 0x7e, 4, 3) })),
  ],
  ['an operation in itself', 'later than an operation in it', assemble(inMaps({ 2: bytesOf(0, 1, 0x7e, 1, 5) }))],
  [
    'an operation in a map that the change makes later',
    'later than an operation in it',
    assemble(inMaps({ 1: bytesOf(0, 1, 0x7e, 0, 1), 2: bytesOf(0, 1, 0x7e, 5, 3), 66: bytesOf(0x7d, 0, 1, 0) })),
  ],
  [
    'an operation in a value of the same change',
    'in something that is not a map',
    assemble(inMaps({ 2: bytesOf(0, 1, 0x7e, 1, 4) })),
  ],
  [
    'an operation in a deletion of the same change',
    'in something that is not a map',
    assemble(
      inMaps({
        1: bytesOf(0, 2, 0x7f, 0),
        2: bytesOf(0, 2, 0x7f, 4),
        66: bytesOf(0x7d, 0, 3, 1),
        112: bytesOf(0x7d, 0, 1, 0),
        113: bytesOf(0x7f, 1),
        115: bytesOf(0x7f, 1),
      }),
    ),
  ],
  ['a making with a text', 'a making has a value', assemble({ columns: { 66: bytesOf(0x7f, 0) } })],
  [
    'a making with an empty text',
    'a making has a value',
    assemble({ columns: { 66: bytesOf(0x7f, 0), 86: bytesOf(0x7f, 6), 87: undefined } }),
  ],
  [
    'a making with true',
    'a making has a value',
    assemble({ columns: { 66: bytesOf(0x7f, 0), 86: bytesOf(0x7f, 2), 87: undefined } }),
  ],
  [
    'a making in a list position',
    'not part of the subset',
    assemble({ columns: { 17: bytesOf(0x7f, 0), 66: bytesOf(0x7f, 0), 115: undefined } }),
  ],
  [
    'object columns in the wrong order',
    'out of order',
    assemble({
      exactly: [
        [2, bytesOf(0x7f, 1)],
        [1, bytesOf(0x7f, 1)],
      ],
    }),
  ],
  [
    'an object column twice',
    'out of order',
    assemble({
      exactly: [
        [1, bytesOf(0x7f, 1)],
        [1, bytesOf(0x7f, 1)],
      ],
    }),
  ],
  ['an empty object column', 'a column is empty', assemble(inMaps({ 1: new Uint8Array() }))],
  [
    'a compressed object column',
    'a column is compressed',
    assemble({ exactly: [[1 | 8, deflateRawSync(bytesOf(0x7f, 1))]] }),
  ],
  [
    'maps without operations',
    'the columns differ',
    assemble({
      exactly: [
        [1, bytesOf(0x7f, 1)],
        [2, bytesOf(0x7f, 1)],
      ],
    }),
  ],
]

describe('hostile makings of maps are refused', () => {
  test('[WIRE-1] the hand-made chunk is accepted as long as nothing is wrong with it', () => {
    expect(accepts(assemble(inMaps()))).toBe(true)
    // 3@OTHER is another's map.
    expect(accepts(assemble(inMaps({ 2: bytesOf(0, 1, run(2, 3)) })))).toBe(true)
    // A map from before, of the author itself, whatever it was made as: the fold knows.
    expect(accepts(assemble(inMaps({ 2: bytesOf(0, 1, run(2, 1)) })))).toBe(true)
    expect(accepts(assemble({ columns: { 66: bytesOf(0x7f, 0), 86: bytesOf(0x7f, 0), 87: undefined } }))).toBe(true)
  })

  test('[WIRE-1] what the hand-made chunk says of maps is what was put in', () => {
    const inMap = (obj: OpId | undefined) => ({ obj, key: '/k', pred: [] })
    expect(decodeChange(assemble(inMaps()), LIMITS).change.ops).toStrictEqual([
      { action: 'make', ...inMap(undefined) },
      { action: 'set', ...inMap({ counter: 1, actor: OTHER }), value: null },
      { action: 'set', ...inMap({ counter: 3, actor: ME }), value: null },
    ])
  })

  // The reason is there to show that a chunk is refused for what its title says, and not for a slip in its making.
  test.each(HOSTILE)('[WIRE-1] %s', (_, reason, bytes) => {
    expect(accepts(bytes)).toBe(false)
    expect(() => decodeChange(bytes, LIMITS)).toThrow(reason)
  })
})
