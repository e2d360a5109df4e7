import type { Data, Edit, Fold } from '@sojourn/core/internal'
import { diff, isPlainObject, joinFolds, mutate, sameValue } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import {
  actorIds,
  awkwardKey,
  createdFold,
  dataOf,
  dataTrees,
  leaf,
  MAX_DEPTH,
  pathsOf,
  withField,
  withoutField,
  worlds,
} from '../support/worlds.js'

const OPTIONS = { maxDepth: MAX_DEPTH }
const tree = dataTrees(awkwardKey)

const written = (fold: Fold, actor: string, edits: readonly Edit[]): Fold => mutate(fold, actor, edits)?.fold ?? fold
/** What an author makes of a fold who read `base` and wants `next`. */
const saved = (fold: Fold, actor: string, base: Data, next: Data): Fold =>
  written(fold, actor, diff(base, next, OPTIONS))

/** Two authors save from one base at the same time; and one after the other, the second still holding the old base. */
const bothWays = (base: Data, nexts: readonly [Data, Data], actors: readonly string[]): Data[] => {
  const [creator, one, two] = actors as [string, string, string]
  const origin = createdFold(base, creator)
  const a = saved(origin, one, base, nexts[0])
  const b = saved(origin, two, base, nexts[1])
  return [joinFolds(a, b), joinFolds(b, a), saved(a, two, base, nexts[1]), saved(b, one, base, nexts[0])].map(dataOf)
}

describe('whole objects are saved as what was changed in them', () => {
  test('[DOC-2] what differs between two objects leads from the one to the other', () => {
    fc.assert(
      fc.property(tree, tree, actorIds, (base, next, [creator, author]) => {
        const fold = createdFold(base, creator!)
        expect(dataOf(fold)).toEqual(base)
        expect(dataOf(saved(fold, author!, base, next))).toEqual(next)
        expect(diff(next, next, OPTIONS)).toEqual([])
      }),
      { numRuns: runs(600) },
    )
  })

  test('[DOC-2] also from whatever conflicts other authors have left', () => {
    fc.assert(
      fc.property(
        worlds(25),
        dataTrees(fc.constantFrom('a', 'b', 'a/b', '~', 'é'), 3),
        fc.nat(99),
        (world, next, pick) => {
          const { actor, fold } = world.authors[pick % world.authors.length]!
          const base = dataOf(fold)
          expect(dataOf(saved(fold, actor, base, next))).toEqual(next)
          // One field less: the smallest edit, and the one that can take a whole object with it.
          for (const path of pathsOf(base)) {
            const less = withoutField(base, path)
            expect(dataOf(saved(fold, actor, base, less))).toEqual(less)
          }
        },
      ),
      { numRuns: runs(600) },
    )
  })

  test('[DOC-2] edits of different fields from one base all survive', () => {
    const change = fc.record({ who: fc.nat(1), value: fc.option(fc.oneof(leaf, tree), { nil: undefined }) })
    fc.assert(
      fc.property(
        tree,
        fc.array(change, { minLength: 1, maxLength: 12 }),
        tree,
        tree,
        actorIds,
        (base, changes, add0, add1, actors) => {
          // Each field without fields is left alone, or changed or deleted by one of the two.
          const nexts: [Data, Data] = [base, base]
          let both = base
          const fields = pathsOf(base).filter((path) => !pathsOf(base).some((other) => isBelow(path, other)))
          fields.slice(0, changes.length).forEach((path, index) => {
            const { who, value } = changes[index]!
            const edited = (data: Data) =>
              value === undefined ? withoutField(data, path) : withField(data, path, value)
            nexts[who] = edited(nexts[who]!)
            both = edited(both)
          })
          for (const [who, added] of [add0, add1].entries()) {
            nexts[who as 0 | 1] = withField(nexts[who]!, [`new ${who}`], added)
            both = withField(both, [`new ${who}`], added)
          }
          for (const data of bothWays(base, nexts, actors)) expect(data).toEqual(both)
        },
      ),
      { numRuns: runs(400) },
    )
  })
})

const isBelow = (path: readonly string[], other: readonly string[]): boolean =>
  other.length > path.length && path.every((segment, index) => segment === other[index])

describe('objects and what stands in their place', () => {
  const fields = fc.dictionary(awkwardKey, leaf, { maxKeys: 4, noNullPrototype: true })
  const scalar = leaf.filter((value) => !isPlainObject(value))

  test('[DOC-4] an edit goes with its object where a scalar, a new object or nothing takes its place', () => {
    const instead = fc.oneof(scalar, tree)
    fc.assert(
      fc.property(
        fields,
        fc.option(instead, { nil: undefined }),
        fc.array(awkwardKey, { minLength: 1, maxLength: 3 }),
        leaf,
        actorIds,
        (below, value, path, own, [creator, one, two]) => {
          const origin = createdFold({ o: below }, creator!)
          const base = dataOf(origin)
          // A write of what is there already is none.
          fc.pre(!pathsOf(base).some((known) => known.join() === ['o', ...path].join()) && !sameValue(below, value))
          const next: Data = value === undefined ? {} : { o: value }
          const replaced = written(origin, one!, diff(base, next, { ...OPTIONS, isAssigned: () => true }))
          const deeper = diff(base, withField(base, ['o', ...path], own), OPTIONS)
          const edited = written(origin, two!, deeper)
          for (const fold of [
            joinFolds(replaced, edited),
            joinFolds(edited, replaced),
            written(replaced, two!, deeper),
          ])
            expect(dataOf(fold)).toEqual(next)
        },
      ),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-4] additions under an object that neither author had before all survive', () => {
    fc.assert(
      fc.property(
        fields,
        fields,
        fc.array(awkwardKey, { minLength: 1, maxLength: 3 }),
        actorIds,
        (one, two, path, actors) => {
          const mine = Object.fromEntries(Object.entries(one).map(([key, value]) => [`1${key}`, value]))
          const theirs = Object.fromEntries(Object.entries(two).map(([key, value]) => [`2${key}`, value]))
          const expected = withField({}, path, { ...mine, ...theirs })
          const nexts: [Data, Data] = [withField({}, path, mine), withField({}, path, theirs)]
          for (const data of bothWays({}, nexts, actors)) expect(data).toEqual(expected)
        },
      ),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-4] an object stays when its last fields go, whoever deletes which', () => {
    fc.assert(
      fc.property(
        fields,
        fc.array(fc.nat(1), { minLength: 4, maxLength: 4 }),
        fc.array(awkwardKey, { minLength: 1, maxLength: 3 }),
        actorIds,
        (inner, whose, path, actors) => {
          const base = withField({}, path, inner)
          const nexts: [Data, Data] = [base, base]
          Object.keys(inner).forEach((key, index) => {
            const who = whose[index]! as 0 | 1
            nexts[who] = withoutField(nexts[who], [...path, key])
          })
          for (const data of bothWays(base, nexts, actors)) expect(data).toEqual(withField({}, path, {}))
        },
      ),
      { numRuns: runs(300) },
    )
  })

  test('[DOC-4] a deletion below makes no object of a scalar that came meanwhile, nor of nothing', () => {
    fc.assert(
      fc.property(fields, fc.option(scalar, { nil: undefined }), awkwardKey, actorIds, (inner, value, key, actors) => {
        const base: Data = { o: { ...inner, [key]: true } }
        const next: Data = value === undefined ? {} : { o: value }
        for (const data of bothWays(base, [next, withoutField(base, ['o', key])], actors)) expect(data).toEqual(next)
      }),
      { numRuns: runs(300) },
    )
  })
})
