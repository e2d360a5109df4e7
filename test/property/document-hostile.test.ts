/** Documents that a peer made to cost: what a look at them, or an edit in them, takes. */
import type { Change, Fold, LiveOp, LiveRecord, Op } from '@sojourn/core/internal'
import {
  applyChange,
  changeFault,
  decodeRecord,
  deriveView,
  diff,
  encodeRecord,
  joinFolds,
  MapNode,
  materialize,
  mutate,
  openLease,
} from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, RECORD_LIMITS } from '../support/worlds.js'

const [A, B] = ['0a'.repeat(16), '0b'.repeat(16)] as const
const LIFE = { lease: openLease(1_000, 0, A), limit: { createdAt: 0, deadline: 1_000, horizon: 1_000 } }
const MANY = 2 ** 24

const scalar = (counter: number, value: string | number): LiveOp => ({
  counter,
  actor: A,
  value,
  increments: undefined,
})
const map = (counter: number, fields: Readonly<Record<string, readonly LiveOp[]>>, end = counter + 100): LiveOp => ({
  counter,
  actor: A,
  increments: undefined,
  value: new MapNode(new Map(Object.entries(fields)), true, end),
})
/** As it comes from a peer. */
const received = (fields: Readonly<Record<string, readonly LiveOp[]>>): Fold => {
  const seen = new Map([[A, { seq: 1, maxOp: MANY }]])
  const document: Fold = { seen, heads: [], registers: new Map(Object.entries(fields)) }
  return (decodeRecord(encodeRecord({ kind: 'live', ...LIFE, document }), RECORD_LIMITS) as LiveRecord).document
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
/** Empty maps, which all agree. */
const empty = () => received({ cart: upTo(60_000).map((at) => map(at + 1, {}, at + 1)) })
const alike = () =>
  received({ cart: upTo(12_000).map((at) => map(1 + at * 10, { k: [scalar(2 + at * 10, 'same')] }, 9 + at * 10)) })
const different = () =>
  received({ cart: upTo(12_000).map((at) => map(1 + at * 10, { k: [scalar(2 + at * 10, at)] }, 9 + at * 10)) })
/** One with many fields above many that have few. */
const broad = () => {
  const small = upTo(12_000).map((at) => map(1 + at * 10, { x: [scalar(2 + at * 10, 'same')] }, 9 + at * 10))
  const fields = Object.fromEntries(upTo(30_000).map((at) => [`k${at}`, [scalar(200_001 + at, at)]]))
  return received({ cart: [...small, map(200_000, fields, 300_000)] })
}
/** At each level two that show as one, and much at the bottom. */
const deep = () => {
  const bottom = Object.fromEntries(upTo(30_000).map((at) => [`k${at}`, [scalar(1_001 + at, 'x')]]))
  let inner = map(1_000, bottom, MANY)
  for (let depth = 250; depth > 0; depth--)
    inner = map(depth * 3, { k: [map(depth * 3 + 1, {}, depth * 3 + 2), inner] }, MANY)
  return received({ k: [inner] })
}

describe('what a peer made to cost', () => {
  test.each([
    ['maps of one field that are all empty', empty],
    ['maps of one field that are alike', alike],
    ['maps of one field that all differ', different],
    ['a map of many fields beside many maps', broad],
    ['two maps at each of many levels', deep],
  ])('[HOST-9] %s', (_, make) => {
    const fold = make()
    const started = performance.now()
    const view = materialize(fold)
    const [key] = Object.keys(view.data) as [string]
    const edited = mutate(fold, B, [
      { kind: 'set', path: `/${key}/new`, value: 1 },
      { kind: 'delete', path: `/${key}/k` },
      { kind: 'set', path: `/${key}/x`, value: 2 },
    ])!
    expect(deriveView(view, fold, edited.fold)!.data).toEqual(materialize(edited.fold).data)
    expect(joinFolds(fold, edited.fold)).toBe(edited.fold)
    // Whoever replaces it is rid of it.
    const whole = mutate(edited.fold, B, diff(view.data, { [key]: 'gone' }, { maxDepth: MAX_DEPTH }))!
    expect(materialize(whole.fold).data).toEqual({ [key]: 'gone' })
    // Generous for a busy machine: going through all pairs takes minutes.
    expect(performance.now() - started).toBeLessThan(8_000)
  })

  // Found: 17 s for one change, in looking for what it overwrites.
  test('[HOST-9] a field of a hundred thousand values, and a change that names many of them', () => {
    const fold = received({ n: upTo(100_000).map((at) => scalar(at + 1, 1)) })
    const preds = upTo(16_000).map((at) => ({ counter: 80_001 + at, actor: A }))
    const change = { actor: B, seq: 1, startOp: MANY + 1, deps: [] }
    const place = { obj: undefined, key: 'n' } as const
    const hostile: Change[] = [
      { ...change, ops: [{ action: 'del', ...place, pred: preds }] },
      { ...change, ops: preds.slice(0, 500).map((pred): Op => ({ action: 'inc', ...place, value: 1, pred: [pred] })) },
    ]
    const started = performance.now()
    for (const one of hostile) {
      expect(changeFault(fold, one)).toBeUndefined()
      expect(materialize(applyChange(fold, one, 'ab'.repeat(32))).data).toEqual({ n: 1 })
    }
    expect(applyChange(fold, hostile[0]!, 'ab').registers.get('n')).toHaveLength(84_000)
    expect(performance.now() - started).toBeLessThan(8_000)
  })
})
