import { deflateRawSync } from 'node:zlib'
import * as A from '@automerge/automerge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../packages/core/src/bytes.js'
import { decodeChange, encodeChange } from '../../packages/core/src/document/change.js'
import type { ChangeLimits } from '../../packages/core/src/document/op.js'
import { ACTORS, changeOf, LIMITS, ME, scalar } from '../support/changes.js'
import {
  accepts,
  assemble,
  bytesOf,
  contentOf,
  f64,
  HUGE,
  int,
  NO_PREDS,
  nulls,
  OTHER,
  run,
  seal,
  valued,
} from '../support/forged-changes.js'
import { runs } from '../support/runs.js'

const HOSTILE: readonly (readonly [title: string, reason: string, bytes: Uint8Array])[] = [
  // Bombs.
  ['a trillion operations', 'more than 10000 values', assemble(nulls(HUGE))],
  ['a trillion keys', 'more than 10000 values', assemble(nulls(2, { 21: run(HUGE, 2, 0x2f, 0x6b) }))],
  ['a trillion literal keys', 'more than 10000 values', assemble(nulls(2, { 21: run(-HUGE, 2, 0x2f, 0x6b) }))],
  [
    'a trillion nulls for keys',
    'a column has a null',
    assemble(nulls(2, { 21: bytesOf(0, new ByteWriter().uint(HUGE).finish()) })),
  ],
  ['a trillion actions', 'more than 2 values', assemble(nulls(2, { 66: run(HUGE, 1) }))],
  ['a trillion values', 'more than 2 values', assemble(nulls(2, { 86: run(HUGE, 0) }))],
  ['a trillion predecessor counts', 'more than 2 values', assemble(nulls(2, { 112: run(HUGE, 0) }))],
  [
    'a trillion predecessors',
    'above 50000',
    assemble({ columns: { 112: bytesOf(0x7f, new ByteWriter().uint(HUGE).finish()) } }),
  ],
  ['a trillion predecessor actors', 'more than 1 values', assemble({ columns: { 113: run(HUGE, 1) } })],
  ['a trillion predecessor counters', 'more than 1 values', assemble({ columns: { 115: run(HUGE, 1) } })],
  ['one operation more than the limit', 'more than 10000 values', assemble(nulls(LIMITS.maxOps + 1))],
  [
    'many runs that sum up beyond the limit',
    'more than 2 values',
    assemble(nulls(2, { 66: bytesOf(run(2, 1), run(9999, 3), run(9999, 1)) })),
  ],
  [
    'a key longer than the limit',
    'above 1024',
    assemble({ columns: { 21: bytesOf(0x7f, 0x81, 8, 'k'.repeat(1025)) } }),
  ],
  ['a key longer than the change', 'are left', assemble({ columns: { 21: bytesOf(0x7f, 0xff, 7, 'k') } })],
  [
    'more dependencies than the limit',
    'above 64',
    assemble({ deps: Array.from({ length: 65 }, (_, n) => `${10 + n}`.repeat(32)) }),
  ],
  ['a trillion dependencies', 'above 64', seal(bytesOf(new ByteWriter().uint(HUGE).finish(), 1, 2, 3))],
  // Chunks of another kind.
  ['a compressed change', 'the change is compressed', seal(deflateRawSync(contentOf(assemble())), 2)],
  ['a document chunk', 'of type 0', seal(contentOf(assemble()), 0)],
  ['a saved document', 'of type 0', A.save(A.from({ a: 1 }))],
  [
    'a compressed column',
    'a column is compressed',
    assemble({ exactly: [[21 | 8, deflateRawSync(bytesOf(0x7f, 2, '/k'))]] }),
  ],
  // The header.
  ['unsorted dependencies', 'dependencies are not in order', assemble({ deps: ['ff'.repeat(32), '00'.repeat(32)] })],
  ['a dependency twice', 'dependencies are not in order', assemble({ deps: ['ff'.repeat(32), 'ff'.repeat(32)] })],
  ['an actor of 15 bytes', 'not 16 bytes', assemble({ actor: bytesOf(15, Buffer.from(ME, 'hex').subarray(1)) })],
  ['an actor of 17 bytes', 'not 16 bytes', assemble({ actor: bytesOf(17, 1, Buffer.from(ME, 'hex')) })],
  ['sequence number 0', 'number is 0', assemble({ seq: bytesOf(0) })],
  ['first operation 0', 'number is 0', assemble({ startOp: bytesOf(0) })],
  ['an operation beyond 2^31', 'beyond 2147483648', assemble({ startOp: bytesOf(0x81, 0x80, 0x80, 0x80, 0x08) })],
  [
    'a sequence number beyond 2^53',
    'above 9007199254740991',
    assemble({ seq: bytesOf(255, 255, 255, 255, 255, 255, 255, 127) }),
  ],
  ['a padded integer', 'shortest form', assemble({ seq: bytesOf(0x81, 0) })],
  ['a time', 'a time or a message', assemble({ time: bytesOf(5) })],
  ['a message', 'a time or a message', assemble({ message: 'hello' })],
  ['unsorted actors', 'actors are not in order', assemble({ others: [ACTORS[2]!, OTHER] })],
  ['the author among the others', 'actors are not in order', assemble({ others: [ME] })],
  ['an actor twice', 'actors are not in order', assemble({ others: [OTHER, OTHER] })],
  ['an actor that nothing names', 'no operation names', assemble({ others: [OTHER, ACTORS[2]!] })],
  ['bytes after the columns', 'left over', assemble({ tail: bytesOf(1) })],
  // The columns.
  [
    'list positions',
    'not part of the subset',
    assemble({ columns: { 17: bytesOf(0x7f, 0), 19: bytesOf(0x7f, 1), 21: undefined, 115: undefined } }),
  ],
  ['an unknown column', 'not part of the subset', assemble({ columns: { 149: bytesOf(1), 115: undefined } })],
  ['an empty column', 'a column is empty', assemble({ columns: { 87: new Uint8Array() } })],
  [
    'columns out of order',
    'out of order',
    assemble({
      exactly: [
        [52, bytesOf(1)],
        [21, bytesOf(0x7f, 2, '/k')],
      ],
    }),
  ],
  [
    'a column twice',
    'out of order',
    assemble({
      exactly: [
        [21, bytesOf(0x7f, 2, '/k')],
        [21, bytesOf(0x7f, 2, '/k')],
      ],
    }),
  ],
  ['no keys', 'has no key', assemble({ columns: { 21: undefined } })],
  ['no insert column', 'has no key', assemble({ columns: { 52: undefined } })],
  ['no values', 'another length', assemble({ columns: { 87: undefined } })],
  ...[66, 86, 112, 113, 115].map(
    (id) => [`no column ${id}`, 'differ in their number', assemble({ columns: { [id]: undefined } })] as const,
  ),
  ['columns without operations', 'has no key', assemble({ others: [], exactly: [[52, bytesOf(1)]] })],
  ['an insertion', 'inserts', assemble({ columns: { 52: bytesOf(0, 1) } })],
  ['too few booleans', 'inserts', assemble(nulls(3, { 52: bytesOf(2) }))],
  ['booleans in two runs', 'inserts', assemble(nulls(3, { 52: bytesOf(2, 0, 1) }))],
  ['too few actions', 'differ in their number', assemble(nulls(3, { 66: run(2, 1) }))],
  ['too few values', 'differ in their number', assemble(nulls(3, { 86: run(2, 0) }))],
  ['too few predecessor counts', 'differ in their number', assemble(nulls(3, { 112: run(2, 0) }))],
  ['a split repetition', 'splits a repetition', assemble(nulls(4, { 66: bytesOf(run(2, 1), run(2, 1)) }))],
  ['a repetition of one', 'repetition of one', assemble(nulls(1, { 66: run(1, 1) }))],
  ['a spelt out repetition', 'spells out', assemble(nulls(2, { 66: run(-2, 1, 1) }))],
  [
    'a literal that begins a repetition',
    'splits a repetition',
    assemble(nulls(3, { 66: bytesOf(run(-1, 1), run(2, 1)) })),
  ],
  ['a repetition that goes on in a literal', 'spells out', assemble(nulls(3, { 66: bytesOf(run(2, 1), run(-1, 1)) }))],
  ['two literals in a row', 'splits a row', assemble(nulls(2, { 86: bytesOf(run(-1, 1), run(-1, 2)) }))],
  ['a null action', 'a column has a null', assemble(nulls(1, { 66: bytesOf(0, 1) }))],
  ['a null key', 'a column has a null', assemble(nulls(1, { 21: bytesOf(0, 1) }))],
  ['a literal cut short', 'past the end', assemble(nulls(2, { 66: run(-2, 1) }))],
  ['a key that is not UTF-8', 'UTF-8', assemble({ columns: { 21: bytesOf(0x7f, 2, 0xc0, 0x80) } })],
  ['a key that is a surrogate', 'UTF-8', assemble({ columns: { 21: bytesOf(0x7f, 3, 0xed, 0xa0, 0x80) } })],
  // Actions and values.
  // Lists, texts, tables, links, and what Automerge does not have.
  ...[2, 4, 6, 7, 100].map(
    (id) =>
      [
        `action ${id}`,
        id > 5 ? 'above 5' : 'not part of the subset',
        assemble({ columns: { 66: bytesOf(0x7f, id) } }),
      ] as const,
  ),
  ['a deletion with a value', 'a making has a value', assemble({ columns: { 66: bytesOf(0x7f, 3) } })],
  ['a deletion without predecessors', 'has no predecessor', assemble(nulls(1, { 66: run(-1, 3) }))],
  [
    'an increment without predecessors',
    'has no predecessor',
    assemble(nulls(1, { 66: run(-1, 5), 86: bytesOf(0x7f, 0x14), 87: bytesOf(1) })),
  ],
  ['an increment by a text', 'increment is not', assemble({ columns: { 66: bytesOf(0x7f, 5) } })],
  [
    'an increment by a counter',
    'increment is not',
    assemble({ columns: { 66: bytesOf(0x7f, 5), 86: bytesOf(0x7f, 0x18), 87: bytesOf(1) } }),
  ],
  [
    'an increment by a null',
    'increment is not',
    assemble({ columns: { 66: bytesOf(0x7f, 5), 86: bytesOf(0x7f, 0), 87: undefined } }),
  ],
  ['an unsigned integer', 'type 3 are not', assemble(valued(3, bytesOf(1)))],
  ['a plain integer', 'type 4 are not', assemble(valued(4, bytesOf(1)))],
  ...[10, 11, 12, 13, 14, 15].map(
    (type) => [`a value of type ${type}`, 'not part of the subset', assemble(valued(type, bytesOf(1)))] as const,
  ),
  ['a float that is an integer', 'a float is an integer', assemble(valued(5, f64(7)))],
  ['a float that is 0', 'a float is an integer', assemble(valued(5, f64(0)))],
  ['a float that is NaN', 'not finite', assemble(valued(5, f64(Number.NaN)))],
  ['a float that is infinite', 'not finite', assemble(valued(5, f64(Number.NEGATIVE_INFINITY)))],
  ['a float of 4 bytes', 'not 8 bytes', assemble(valued(5, bytesOf(0, 0, 0xc0, 0x3f)))],
  ['a null with bytes', 'has a length', assemble(valued(0, bytesOf(1)))],
  ['a boolean with bytes', 'has a length', assemble(valued(2, bytesOf(1)))],
  ['a padded counter', 'shortest form', assemble(valued(8, bytesOf(0x81, 0)))],
  ['a counter with bytes after it', 'another length', assemble(valued(8, bytesOf(1, 1)))],
  ['a counter without bytes', 'another length', assemble(valued(8, bytesOf()))],
  ['a counter beyond 2^53', 'beyond 2^53', assemble(valued(8, bytesOf(128, 128, 128, 128, 128, 128, 128, 16)))],
  ['a counter of 64 bits', 'too long', assemble(valued(8, bytesOf(128, 128, 128, 128, 128, 128, 128, 128, 128, 127)))],
  ['a timestamp beyond a Date', 'beyond 8640000000000000', assemble(valued(9, int(8.64e15 + 1)))],
  ['a timestamp before a Date', 'beyond 8640000000000000', assemble(valued(9, int(-8.64e15 - 1)))],
  ['a text that is not UTF-8', 'UTF-8', assemble(valued(6, bytesOf(0xff)))],
  ['a value longer than its column', 'another length', assemble({ columns: { 86: bytesOf(0x7f, 0x26) } })],
  [
    'a value longer than the change',
    'are left',
    assemble({ columns: { 86: bytesOf(0x7f, 0xf6, 0xff, 0xff, 0xff, 0x7f) } }),
  ],
  ['values that nothing refers to', 'another length', assemble({ columns: { 87: bytesOf('vw') } })],
  // Predecessors.
  ['a predecessor with counter 0', 'out of range', assemble({ columns: { 115: bytesOf(0x7f, 0) } })],
  ['a predecessor with a negative counter', 'out of range', assemble({ columns: { 115: bytesOf(0x7f, 0x7f) } })],
  ['a predecessor of an unlisted actor', 'above 1', assemble({ columns: { 113: bytesOf(0x7f, 2) } })],
  [
    'a predecessor that is the operation itself',
    'later than its operation',
    assemble({ columns: { 115: bytesOf(0x7f, 2) } }),
  ],
  [
    'unsorted predecessors',
    'predecessors are not in order',
    assemble({ startOp: bytesOf(9), columns: { 112: run(-1, 2), 113: run(2, 1), 115: run(-2, 5, 0x7f) } }),
  ],
  [
    'predecessors sorted by number, not by actor',
    'predecessors are not in order',
    assemble({ startOp: bytesOf(9), columns: { 112: run(-1, 2), 113: run(-2, 0, 1), 115: run(-2, 5, 0) } }),
  ],
  [
    'a predecessor twice',
    'predecessors are not in order',
    assemble({ startOp: bytesOf(9), columns: { 112: run(-1, 2), 113: run(2, 1), 115: run(-2, 5, 0) } }),
  ],
  ['fewer predecessors than counted', 'differ in their number', assemble({ columns: { 112: bytesOf(0x7f, 2) } })],
  ['more predecessors than counted', 'more than 0 values', assemble({ columns: { 112: bytesOf(0x7f, 0) } })],
  [
    'counted predecessors without columns',
    'differ in their number',
    assemble({ others: [], columns: { ...NO_PREDS, 112: bytesOf(0x7f, 1) } }),
  ],
]

describe('hostile changes are refused', () => {
  test('[WIRE-1] the hand-made chunk is accepted as long as nothing is wrong with it', () => {
    expect(accepts(assemble())).toBe(true)
    expect(accepts(assemble(nulls(3)))).toBe(true)
    expect(accepts(assemble(nulls(LIMITS.maxOps)))).toBe(true)
    expect(accepts(assemble(valued(5, f64(-0))))).toBe(true)
    expect(accepts(assemble(valued(9, int(-8.64e15))))).toBe(true)
    expect(accepts(assemble({ columns: { 66: bytesOf(0x7f, 3), 86: bytesOf(0x7f, 0), 87: undefined } }))).toBe(true)
    expect(accepts(assemble({ others: [], columns: NO_PREDS }))).toBe(true)
    expect(accepts(assemble({ others: [], exactly: [] }))).toBe(true)
  })

  // The reason is there to show that a chunk is refused for what its title says, and not for a slip in its making.
  test.each(HOSTILE)('[WIRE-1] %s', (_, reason, bytes) => {
    expect(accepts(bytes)).toBe(false)
    expect(() => decodeChange(bytes, LIMITS)).toThrow(reason)
  })

  test('[WIRE-1] each limit holds at its edge', () => {
    const bytes = assemble({ startOp: bytesOf(9), columns: { 112: run(-1, 2), 113: run(2, 1), 115: run(2, 1) } })
    const exact: ChangeLimits = { maxChangeBytes: bytes.length, maxOps: 1, maxPreds: 2, maxDeps: 1, maxKeyBytes: 2 }
    expect(accepts(bytes, exact)).toBe(true)
    for (const limit of Object.keys(exact) as (keyof ChangeLimits)[])
      expect(accepts(bytes, { ...exact, [limit]: exact[limit] - 1 }), limit).toBe(false)
  })

  test('[WIRE-1] a change over its size limit is refused before it is hashed', () => {
    const huge = new Uint8Array(256 << 20)
    const started = performance.now()
    expect(accepts(huge)).toBe(false)
    expect(performance.now() - started).toBeLessThan(20)
  })

  test('[WIRE-1] any flipped bit is refused', () => {
    fc.assert(
      fc.property(changeOf(scalar, 4), fc.nat(), fc.nat(7), (change, at, bit) => {
        const bytes = encodeChange(change).bytes
        bytes[at % bytes.length]! ^= 1 << bit
        expect(accepts(bytes)).toBe(false)
      }),
      { numRuns: runs(1000) },
    )
  })

  test('[WIRE-1] any truncation and any addition is refused', () => {
    fc.assert(
      fc.property(changeOf(scalar, 4), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }), (change, at, tail) => {
        const { bytes } = encodeChange(change)
        expect(accepts(bytes.subarray(0, at % bytes.length))).toBe(false)
        expect(accepts(bytesOf(bytes, tail))).toBe(false)
      }),
      { numRuns: runs(500) },
    )
  })

  test('[WIRE-1] random bytes are refused, as a chunk and as the content of a chunk', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(accepts(bytes)).toBe(false)
        expect(accepts(seal(bytes))).toBe(false)
      }),
      { numRuns: runs(1000) },
    )
  })

  // The forger has the checksum right, so that the parser sees the damage. What it takes for a change after all must be
  // exactly what the encoder writes for that change (accepts checks it).
  test('[WIRE-1] a forged change is refused, or is the one encoding of another change', () => {
    const edit = fc.record({ kind: fc.constantFrom('flip', 'set', 'cut', 'add'), at: fc.nat(), byte: fc.nat(255) })
    let accepted = 0
    fc.assert(
      fc.property(changeOf(scalar, 3), fc.array(edit, { minLength: 1, maxLength: 3 }), (change, edits) => {
        const content = [...contentOf(encodeChange(change).bytes)]
        // Most of the content of a change is hashes and texts; the edits aim at what comes after the dependencies.
        const from = 1 + 32 * change.deps.length
        for (const { kind, at, byte } of edits) {
          const index = from + (at % (content.length - from))
          if (kind === 'flip') content[index]! ^= 1 << (byte & 7)
          else if (kind === 'set') content[index] = byte
          else if (kind === 'cut') content.splice(index, 1)
          else content.splice(index, 0, byte)
        }
        if (accepts(seal(Uint8Array.from(content)))) accepted++
      }),
      { numRuns: runs(1500) },
    )
    expect(accepted).toBeGreaterThan(0)
  })
})
