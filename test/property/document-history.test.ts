import type { ChangeDelta, Fold } from '@sojourn/core/internal'
import { decodeChange, EMPTY_FOLD, joinFolds, MapNode, readiness } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldByDefinition } from '../support/fold-definition.js'
import { mapWorlds } from '../support/map-worlds.js'
import { runs } from '../support/runs.js'
import { worlds as anyWorlds, CHANGE_LIMITS, receive, type World } from '../support/worlds.js'

/** Some with any data in many fields, others of writers who meet in few maps. */
const worlds = (maxSteps: number): fc.Arbitrary<World> => fc.oneof(anyWorlds(maxSteps), mapWorlds(maxSteps / 5))

/** All maps of a fold, however deep. */
const nodesOf = (registers: Fold['registers']): MapNode[] =>
  [...registers.values()]
    .flat()
    .flatMap(({ value }) => (value instanceof MapNode ? [value, ...nodesOf(value.registers)] : []))

describe('a fold is its history, whichever way it came about', () => {
  test('[CONV-2] a fold made of edits, deltas and joins is the fold of its whole history', () => {
    fc.assert(
      fc.property(worlds(30), ({ authors }) => {
        for (const { fold, history } of authors) expect(fold).toEqual(foldByDefinition(history))
      }),
      { numRuns: runs(800) },
    )
  })

  test('[CONV-1] the join of two folds is the fold of both histories together', () => {
    fc.assert(
      fc.property(worlds(30), fc.nat(999), fc.nat(999), ({ states }, i, j) => {
        const a = states[i % states.length]!
        const b = states[j % states.length]!
        expect(joinFolds(a.fold, b.fold)).toEqual(foldByDefinition(new Map([...a.history, ...b.history])))
      }),
      { numRuns: runs(1_000) },
    )
  })

  test('[CONV-2] receiving another history change by change is joining its fold', () => {
    fc.assert(
      fc.property(worlds(30), fc.nat(999), fc.nat(999), ({ states }, i, j) => {
        const a = states[i % states.length]!
        const b = states[j % states.length]!
        expect([...b.history.values()].reduce(receive, a.fold)).toEqual(joinFolds(a.fold, b.fold))
      }),
      { numRuns: runs(800) },
    )
  })

  test('[CONV-2] changes that are applied in any order that has causes first make one fold', () => {
    const ranks = fc.array(fc.nat(9_999), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(worlds(40), ranks, ({ log, states }, order) => {
        const waiting = [...log.values()]
        let fold = EMPTY_FOLD
        for (let turn = 0; waiting.length > 0; turn++) {
          const from = order[turn % order.length]! % waiting.length
          const round = [...waiting.slice(from), ...waiting.slice(0, from)]
          const next = round.find((delta) => isReady(fold, delta))
          expect(next, 'no change that is left can be taken').toBeDefined()
          fold = receive(fold, next!)
          waiting.splice(waiting.indexOf(next!), 1)
        }
        expect(fold).toEqual(foldByDefinition(log))
        expect(states.reduce((joined, state) => joinFolds(joined, state.fold), EMPTY_FOLD)).toEqual(fold)
      }),
      { numRuns: runs(500) },
    )
  })

  test('[CONV-1] the join of folds is associative, commutative and idempotent, to the last that a map has lost', () => {
    const three = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999))
    fc.assert(
      fc.property(worlds(40), three, ({ states }, picks) => {
        const [a, b, c] = picks.map((pick) => states[pick % states.length]!.fold) as [Fold, Fold, Fold]
        const ab = joinFolds(a, b)
        expect(joinFolds(b, a)).toEqual(ab)
        expect(joinFolds(a, { ...a })).toEqual(a)
        expect(joinFolds(ab, b)).toEqual(ab)
        expect(joinFolds(a, ab)).toEqual(ab)
        expect(joinFolds(ab, c)).toEqual(joinFolds(a, joinFolds(b, c)))
      }),
      { numRuns: runs(800) },
    )
  })

  test('[CONV-1] the random worlds have maps of every kind: replaced, in conflict, with scalars and with maps overwritten in them', () => {
    const met = { replaced: 0, beside: 0, besideScalar: 0, lost: 0, lostMap: 0, twoOfOneKey: 0, deep: 0 }
    for (const { states } of fc.sample(worlds(40), { numRuns: 300, seed: 5 })) {
      const nodes = states.flatMap(({ fold }) => nodesOf(fold.registers))
      const lost = nodes.flatMap((node) => [...node.lost.values()])
      const registers = states.flatMap(({ fold }) => [
        fold.registers,
        ...nodesOf(fold.registers).map((n) => n.registers),
      ])
      const kinds = registers.flatMap((one) =>
        [...one.values()].map((list) => list.map(({ value }) => value instanceof MapNode)),
      )
      if (nodes.some((node) => !node.isFresh)) met.replaced++
      if (kinds.some((list) => list.filter(Boolean).length > 1)) met.beside++
      if (kinds.some((list) => list.includes(true) && list.includes(false))) met.besideScalar++
      if (lost.some((one) => typeof one === 'string')) met.lost++
      if (lost.some((one) => typeof one !== 'string' && one.size > 0)) met.lostMap++
      if (nodes.some((node) => [...node.registers.values()].some((list) => list.length > 1))) met.twoOfOneKey++
      if (nodes.some((node) => nodesOf(node.registers).some((inner) => nodesOf(inner.registers).length > 0))) met.deep++
    }
    for (const [kind, times] of Object.entries(met)) expect(times, kind).toBeGreaterThan(12)
  })
})

const isReady = (fold: Fold, { bytes, context }: ChangeDelta): boolean =>
  readiness(fold, decodeChange(bytes, CHANGE_LIMITS).change, context) === 'ready'
