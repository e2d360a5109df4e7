import type { Data, Edit, Fold, SessionRecord } from '@sojourn/core/internal'
import {
  decodeChange,
  decodeRecord,
  diff,
  EMPTY_FOLD,
  encodeRecord,
  incrementEdits,
  isSojournError,
  joinFolds,
  mutate,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newRecordOf } from '../support/records.js'
import { runs } from '../support/runs.js'
import {
  actorIds,
  awkwardKey,
  CHANGE_LIMITS,
  createdFold,
  dataOf,
  leaf,
  MAX_DEPTH,
  pointerTo,
  RECORD_LIMITS,
  withField,
} from '../support/worlds.js'

const ACTOR = '0a'.repeat(16)
const OPTIONS = { maxDepth: MAX_DEPTH }

const written = (fold: Fold, actor: string, edits: readonly Edit[]): Fold => mutate(fold, actor, edits)?.fold ?? fold

const counted = (fold: Fold, actor: string, path: readonly string[], by: number): Fold =>
  written(fold, actor, incrementEdits(dataOf(fold), pointerTo(path), by))

const recordOf = (document: Fold): SessionRecord =>
  newRecordOf(document, ACTOR, { now: 0, idleMs: 1_000, lifeMs: 1_000 })

describe('increments', () => {
  const field = fc.array(awkwardKey, { minLength: 1, maxLength: 3 })
  const amount = fc.integer({ min: -1_000, max: 1_000 })

  test('[DOC-3] add up, whoever is first to find the field absent', () => {
    const move = fc.record({ who: fc.nat(2), by: fc.option(amount, { nil: undefined }), from: fc.nat(2) })
    fc.assert(
      fc.property(
        field,
        fc.option(amount, { nil: undefined }),
        fc.array(move, { maxLength: 20 }),
        actorIds,
        (path, start, moves, actors) => {
          const origin = start === undefined ? EMPTY_FOLD : createdFold(withField({}, path, start), actors[0]!)
          const folds = [origin, origin, origin]
          let sum = start
          for (const { who, by, from } of moves) {
            if (by === undefined) folds[who] = joinFolds(folds[who]!, folds[from]!)
            else {
              folds[who] = counted(folds[who]!, actors[who]!, path, by)
              sum = (sum ?? 0) + by
            }
          }
          const expected = sum === undefined ? {} : withField({}, path, sum)
          expect(dataOf(folds.reduce(joinFolds))).toEqual(expected)
          expect(dataOf(folds.reduceRight(joinFolds))).toEqual(expected)
        },
      ),
      { numRuns: runs(600) },
    )
  })

  test('[DOC-3] an assignment concurrent with increments wins or loses as a whole', () => {
    fc.assert(
      fc.property(
        field,
        fc.option(amount, { nil: undefined }),
        amount,
        leaf,
        actorIds,
        (path, start, by, value, actors) => {
          const origin = start === undefined ? EMPTY_FOLD : createdFold(withField({}, path, start), actors[0]!)
          const base = dataOf(origin)
          const increased = counted(origin, actors[1]!, path, by)
          const assigned = written(origin, actors[2]!, diff(base, withField(base, path, value), OPTIONS))
          const outcome = dataOf(joinFolds(increased, assigned))
          expect(dataOf(joinFolds(assigned, increased))).toEqual(outcome)
          expect([withField({}, path, value), withField({}, path, (start ?? 0) + by)]).toContainEqual(outcome)
        },
      ),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-3] increments about 2^53 add up to one value in every order, and are stored', () => {
    const huge = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(2 ** 53 - 1, 1 - 2 ** 53, 1, -1))
    const move = fc.record({ who: fc.nat(2), by: huge, from: fc.nat(2) })
    fc.assert(
      fc.property(huge, fc.array(move, { maxLength: 12 }), actorIds, (start, moves, actors) => {
        const origin = createdFold({ n: start }, actors[0]!)
        const folds = [origin, origin, origin]
        for (const { who, by, from } of moves) {
          folds[who] = joinFolds(folds[who]!, folds[from]!)
          try {
            folds[who] = counted(folds[who]!, actors[who]!, ['n'], by)
          } catch (error) {
            if (!isSojournError(error, 'INVALID_DATA')) throw error
          }
          const restored = decodeRecord(encodeRecord(recordOf(folds[who]!)), RECORD_LIMITS)
          expect(restored).toEqual(recordOf(folds[who]!))
        }
        expect(dataOf(folds.reduceRight(joinFolds))).toEqual(dataOf(folds.reduce(joinFolds)))
      }),
      { numRuns: runs(400) },
    )
  })

  test('[COUNT-1] past 2^53 the sum is kept, and what is shown is as near to it as a counter goes', () => {
    const max = Number.MAX_SAFE_INTEGER
    const start = fc.oneof(fc.integer({ min: max - 50, max }), fc.integer({ min: -max, max: 50 - max }), fc.integer())
    // Of which no actor can add more than 2^53 by itself.
    const by = fc.oneof(
      fc.integer({ min: -60, max: 60 }),
      fc.integer({ min: Math.ceil(-max / 20), max: Math.floor(max / 20) }),
    )
    const move = fc.record({ who: fc.nat(2), by, from: fc.nat(2) })
    const shown = (sum: bigint) => Number(sum > BigInt(max) ? max : sum < -BigInt(max) ? -max : sum)
    const size = (sum: bigint) => (sum < 0n ? -sum : sum)
    fc.assert(
      fc.property(start, fc.array(move, { maxLength: 20 }), actorIds, (begin, moves, actors) => {
        const origin = createdFold({ n: begin }, actors[0]!)
        const folds = [origin, origin, origin]
        // What each has heard of: the number of the increments of each.
        const heard = [
          [0, 0, 0],
          [0, 0, 0],
          [0, 0, 0],
        ]
        const taken: bigint[][] = [[], [], []]
        const sumAt = (who: number) =>
          heard[who]!.reduce((sum, count, of) => taken[of]!.slice(0, count).reduce((a, b) => a + b, sum), BigInt(begin))
        for (const { who, by: added, from } of moves) {
          folds[who] = joinFolds(folds[who]!, folds[from]!)
          heard[who] = heard[who]!.map((count, of) => Math.max(count, heard[from]![of]!))
          const before = sumAt(who)
          const after = before + BigInt(added)
          const leaves = size(after) > BigInt(max) && size(after) > size(before)
          if (leaves)
            expect(() => counted(folds[who]!, actors[who]!, ['n'], added)).toThrow(
              expect.objectContaining({ code: 'INVALID_DATA', path: '/n', limit: max }),
            )
          else {
            folds[who] = counted(folds[who]!, actors[who]!, ['n'], added)
            taken[who]!.push(BigInt(added))
            heard[who]![who] = taken[who]!.length
          }
          expect(dataOf(folds[who]!)).toEqual({ n: shown(sumAt(who)) })
        }
        const sum = taken.flat().reduce((a, b) => a + b, BigInt(begin))
        expect(dataOf(folds.reduce(joinFolds))).toEqual({ n: shown(sum) })
        expect(dataOf(folds.reduceRight(joinFolds))).toEqual({ n: shown(sum) })
      }),
      { numRuns: runs(600) },
    )
  })

  test('[COUNT-1] what leads towards 0 is always taken, however often and however far', () => {
    const max = Number.MAX_SAFE_INTEGER
    const step = fc.oneof(fc.integer({ min: 1, max }), fc.constantFrom(max, max - 1, 5))
    fc.assert(
      fc.property(
        fc.constantFrom(1, -1),
        fc.array(step, { minLength: 1, maxLength: 8 }),
        actorIds,
        (sign, steps, actors) => {
          const origin = createdFold({ n: 0 }, actors[0]!)
          // Each takes it to the very end, unseen by the others; then one takes all of it back.
          const ends = actors.map((actor) => counted(origin, actor, ['n'], sign * max))
          let fold = ends.slice(1, 3).reduce(joinFolds, ends[0]!)
          let left = 3n * BigInt(max)
          for (const by of steps) {
            if (left < BigInt(by)) break
            fold = counted(fold, actors[1]!, ['n'], -sign * by)
            left -= BigInt(by)
            expect(dataOf(fold)).toEqual({ n: left === 0n ? 0 : sign * Number(left > BigInt(max) ? max : left) })
            expect(decodeRecord(encodeRecord(recordOf(fold)), RECORD_LIMITS)).toEqual(recordOf(fold))
          }
        },
      ),
      {
        numRuns: runs(300),
        examples: [[1, [max, max, 5], ['01', '02', '03', '04'].map((a) => a.repeat(16)) as never]],
      },
    )
  })

  test('[COUNT-1] a declared counter that leaps from one end to the other is saved as it is', () => {
    const max = Number.MAX_SAFE_INTEGER
    const options = { ...OPTIONS, counters: new Set(['/n']) }
    // So far apart that the difference is not a safe integer, nor even a number of its own.
    const [base, next] = [{ n: 2 - max }, { n: max - 1 }]
    const fold = written(createdFold(base, ACTOR), ACTOR, diff(base, next, options))
    expect(dataOf(fold)).toEqual(next)
  })

  test('[DOC-3] a field named a counter is saved as what was added to it', () => {
    fc.assert(
      fc.property(field, amount, amount, fc.boolean(), actorIds, (path, one, two, absent, [creator, first, second]) => {
        const base: Data = absent ? {} : withField({}, path, 100)
        const origin = createdFold(base, creator!)
        const options = { ...OPTIONS, counters: new Set([pointerTo(path)]) }
        const start = absent ? 0 : 100
        const added = (by: number) => diff(base, withField(base, path, start + by), options)
        const a = written(origin, first!, added(one))
        const b = written(origin, second!, added(two))
        const expected = withField({}, path, start + one + two)
        for (const fold of [joinFolds(a, b), joinFolds(b, a)]) expect(dataOf(fold)).toEqual(expected)
      }),
      { numRuns: runs(300) },
    )
  })

  // A region remembers how often a field was made as its counter's sequence number, and a peer may claim any.
  test('[DOC-3] a claim of endless makings of a counter costs nothing', () => {
    const { changes } = mutate(EMPTY_FOLD, ACTOR, incrementEdits({}, '/n', 1))!
    const counter = decodeChange(changes[0]!.bytes, CHANGE_LIMITS).change.actor
    const claimed: Fold = { ...EMPTY_FOLD, seen: new Map([[counter, { seq: 2 ** 50, maxOp: 1 }]]) }
    expect(dataOf(counted(claimed, ACTOR, ['n'], 5))).toEqual({ n: 5 })
  })
})
