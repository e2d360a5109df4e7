import { createHash } from 'node:crypto'
import type { ActorId, Change, ChangeDelta, ChangeHash, Fold, Head, LiveOp, Op, OpId, Scalar } from '@sojourn/core'
import { compareOpIds, decodeChange, EMPTY_FOLD, isInteger, joinFolds, MapNode, readiness } from '@sojourn/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mapWorlds } from '../support/map-worlds.js'
import { runs } from '../support/runs.js'
import { worlds as anyWorlds, CHANGE_LIMITS, receive, type World } from '../support/worlds.js'

// The reference: a document that forgets nothing, and works its fold out from the whole history by definition.

type History = ReadonlyMap<ChangeHash, ChangeDelta>

/** An operation, with the number of the last one of its change. */
type Numbered = Op & { readonly id: OpId; readonly end: number }

const idText = ({ counter, actor }: OpId): string => `${counter}@${actor}`
const isSame = (a: OpId | undefined, b: OpId | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && compareOpIds(a, b) === 0)

const changesOf = (history: History): readonly (Change & { readonly hash: ChangeHash })[] =>
  [...history].map(([hash, { bytes }]) => ({ hash, ...decodeChange(bytes, CHANGE_LIMITS).change }))

const foldByDefinition = (history: History): Fold => {
  const changes = changesOf(history)
  const deps = new Set(changes.flatMap((change) => change.deps))
  const heads: Head[] = changes
    .filter(({ hash }) => !deps.has(hash))
    .map(({ hash, actor, seq }) => ({ hash, actor, seq }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  const seen = new Map<string, { seq: number; maxOp: number }>()
  for (const { actor, seq, startOp, ops } of changes)
    if (seq > (seen.get(actor)?.seq ?? 0)) seen.set(actor, { seq, maxOp: startOp + ops.length - 1 })
  return { seen, heads, registers: new Defined(changes).registersOf(undefined) }
}

/** The maps of a history: what each holds, is by who wrote in it, and not by when it came. */
class Defined {
  readonly #ops: readonly Numbered[]
  /** Of what is overwritten: the operation may still be in the making of a map. */
  readonly #overwritten: ReadonlySet<string>

  constructor(changes: readonly Change[]) {
    this.#ops = changes.flatMap(({ actor, startOp, ops }) =>
      ops.map((op, index) => ({ ...op, id: { actor, counter: startOp + index }, end: startOp + ops.length - 1 })),
    )
    this.#overwritten = new Set(this.#ops.flatMap((op) => (op.action === 'inc' ? [] : op.pred.map(idText))))
  }

  /** What was put into a map, and what of it is left. */
  registersOf(map: OpId | undefined): Map<string, LiveOp[]> {
    const registers = new Map<string, LiveOp[]>()
    for (const op of this.#ops) {
      if ((op.action !== 'set' && op.action !== 'make') || !isSame(op.obj, map)) continue
      if (this.#overwritten.has(idText(op.id))) continue
      registers.set(op.key, [...(registers.get(op.key) ?? []), this.#liveOf(op)].sort(compareOpIds))
    }
    return registers
  }

  #liveOf(op: Numbered & { action: 'set' | 'make' }): LiveOp {
    const value = op.action === 'set' ? op.value : this.#nodeOf(op)
    return { ...op.id, value, increments: this.#incrementsOf(op) }
  }

  #nodeOf(op: Numbered): MapNode {
    const lost = new Map(
      this.#makingOf(op)
        .filter(({ id }) => this.#overwritten.has(idText(id)))
        .map((made) => [made.key, this.#standsFor(made)]),
    )
    return new MapNode(this.registersOf(op.id), op.pred.length === 0, op.end, lost as MapNode['lost'])
  }

  /** What the change that made a map put into it. */
  #makingOf({ id, end }: Numbered): Numbered[] {
    return this.#ops.filter(
      (op) =>
        (op.action === 'set' || op.action === 'make') &&
        isSame(op.obj, id) &&
        op.id.actor === id.actor &&
        op.id.counter <= end,
    )
  }

  /** What a making set, whatever has become of it: a hash of a scalar, of a map the same of its own making. */
  #standsFor(op: Numbered): unknown {
    if (op.action === 'set') return hashOf(op.value)
    return new Map(this.#makingOf(op).map((made) => [made.key, this.#standsFor(made)]))
  }

  #incrementsOf(op: Numbered): ReadonlyMap<ActorId, number> | undefined {
    if (op.action !== 'set' || !isInteger(op.value)) return undefined
    const increments = new Map<ActorId, number>()
    for (const inc of this.#ops)
      if (inc.action === 'inc' && inc.pred.some((pred) => compareOpIds(pred, op.id) === 0))
        increments.set(inc.id.actor, (increments.get(inc.id.actor) ?? 0) + inc.value)
    return increments.size > 0 ? increments : undefined
  }
}

/** The first 16 digits of SHA-256 of a letter for the type, and the value as text. */
const hashOf = (value: Scalar): string => createHash('sha256').update(textOf(value)).digest('hex').slice(0, 16)

const textOf = (value: Scalar): string => {
  if (value === null || typeof value === 'boolean') return `${value}`
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'number') return `n${Object.is(value, -0) ? '-0' : value}`
  return value instanceof Date ? `d${value.getTime()}` : `b${Buffer.from(value).toString('hex')}`
}

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
