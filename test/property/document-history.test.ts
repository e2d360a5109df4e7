import type { Change, ChangeDelta, ChangeHash, Fold, Head, LiveOp, Op, OpId } from '@sojourn/core'
import { compareOpIds, decodeChange, isInteger, joinFolds } from '@sojourn/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import { CHANGE_LIMITS, receive, worlds } from '../support/worlds.js'

// The reference: a document that forgets nothing, and works its fold out from the whole history by definition.

type History = ReadonlyMap<ChangeHash, ChangeDelta>

const idText = ({ counter, actor }: OpId): string => `${counter}@${actor}`

const foldByDefinition = (history: History): Fold => {
  const changes = [...history].map(([hash, { bytes }]) => ({ hash, ...decodeChange(bytes, CHANGE_LIMITS).change }))
  const deps = new Set(changes.flatMap((change) => change.deps))
  const heads: Head[] = changes
    .filter(({ hash }) => !deps.has(hash))
    .map(({ hash, actor, seq }) => ({ hash, actor, seq }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  const seen = new Map<string, { seq: number; maxOp: number }>()
  for (const { actor, seq, startOp, ops } of changes)
    if (seq > (seen.get(actor)?.seq ?? 0)) seen.set(actor, { seq, maxOp: startOp + ops.length - 1 })
  return { seen, heads, registers: registersByDefinition(changes) }
}

const registersByDefinition = (changes: readonly Change[]): Map<string, LiveOp[]> => {
  const ops = changes.flatMap(({ actor, startOp, ops: list }) =>
    list.map((op: Op, index) => ({ ...op, id: { actor, counter: startOp + index } })),
  )
  const overwritten = new Set(ops.flatMap((op) => (op.action === 'inc' ? [] : op.pred.map(idText))))
  const registers = new Map<string, LiveOp[]>()
  for (const op of ops) {
    if (op.action !== 'set' || overwritten.has(idText(op.id))) continue
    const increments = new Map<string, number>()
    for (const inc of ops)
      if (inc.action === 'inc' && isInteger(op.value) && inc.pred.some((pred) => compareOpIds(pred, op.id) === 0))
        increments.set(inc.id.actor, (increments.get(inc.id.actor) ?? 0) + inc.value)
    const live: LiveOp = { ...op.id, value: op.value, increments: increments.size > 0 ? increments : undefined }
    registers.set(op.key, [...(registers.get(op.key) ?? []), live].sort(compareOpIds))
  }
  return registers
}

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
})
