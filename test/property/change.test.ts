import * as A from '@automerge/automerge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeChange, encodeChange } from '../../packages/core/src/document/change.js'
import type { Change, Op, OpId, Scalar } from '../../packages/core/src/document/op.js'
import { isInteger } from '../../packages/core/src/document/op.js'
import {
  ACTORS,
  changeOf,
  idText,
  integer,
  jsonScalar,
  LIMITS,
  ME,
  scalar,
  shownByAutomerge,
  sorted,
  toAutomerge,
} from '../support/changes.js'
import { runs } from '../support/runs.js'

/** Without the class: ours may be a Buffer. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

// Random histories: three replicas that write and merge, in the way of Automerge's own documents.

type Step =
  | { readonly kind: 'merge'; readonly at: number; readonly from: number }
  | { readonly kind: 'write'; readonly at: number; readonly ops: readonly Draft[] }
interface Draft {
  readonly action: string
  /** Picks the map: the root, or one of those that the replica knows. */
  readonly where: number
  readonly key: string
  readonly value: Scalar
  readonly by: number
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('merge' as const), at: fc.nat(2), from: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: fc.nat(2),
      ops: fc.array(
        fc.record({
          action: fc.constantFrom('set', 'set', 'make', 'make', 'del', 'inc'),
          where: fc.oneof(fc.constant(0), fc.nat(99)),
          key: fc.constantFrom('a', 'b', '🛒', ''),
          value: scalar,
          by: integer,
        }),
        { maxLength: 4 },
      ),
    }),
  },
)

interface Written {
  readonly change: Change
  readonly bytes: Uint8Array
  readonly hash: string
}

/** One replica's view: the maps, also those that were deleted, which operations of a key are live, and whether each holds a counter. */
class Replica {
  readonly seen = new Set<Written>()
  readonly maps: (OpId | undefined)[] = [undefined]
  readonly live = new Map<string, Map<string, { readonly id: OpId; readonly counter: boolean }>>()
  heads: string[] = []
  maxOp = 0

  receive(written: Written): void {
    if (this.seen.has(written)) return
    this.seen.add(written)
    const { change } = written
    this.heads = [...this.heads.filter((head) => !change.deps.includes(head)), written.hash].sort()
    change.ops.forEach((op, index) => {
      this.apply(op, { counter: change.startOp + index, actor: change.actor })
    })
  }

  apply(op: Op, id: OpId): void {
    this.maxOp = Math.max(this.maxOp, id.counter)
    const live = this.liveAt(op.obj, op.key)
    if (op.action === 'inc') return
    for (const pred of op.pred) live.delete(idText(pred))
    if (op.action === 'make') this.maps.push(id)
    if (op.action !== 'del') live.set(idText(id), { id, counter: op.action === 'set' && isInteger(op.value) })
  }

  liveAt(obj: OpId | undefined, key: string): Map<string, { readonly id: OpId; readonly counter: boolean }> {
    const place = JSON.stringify([obj ? idText(obj) : null, key])
    const live = this.live.get(place) ?? new Map()
    this.live.set(place, live)
    return live
  }
}

const play = (steps: readonly Step[]): Written[] => {
  const log: Written[] = []
  const replicas = [new Replica(), new Replica(), new Replica()]
  const seqs = [0, 0, 0]
  for (const step of steps) {
    const replica = replicas[step.at]!
    if (step.kind === 'merge') {
      const from = replicas[step.from]!
      for (const written of log) if (from.seen.has(written)) replica.receive(written)
      continue
    }
    const actor = ACTORS[step.at]!
    const startOp = replica.maxOp + 1
    const deps = replica.heads
    const ops: Op[] = []
    for (const { action, where, key, value, by } of step.ops) {
      const obj = replica.maps[where % replica.maps.length]
      const live = [...replica.liveAt(obj, key).values()]
      const all = live.map(({ id }) => id)
      const counters = live.filter(({ counter }) => counter).map(({ id }) => id)
      let op: Op = { action: 'set', obj, key, value, pred: all.reverse() }
      if (action === 'make') op = { action, obj, key, pred: all }
      if (action === 'del' && all.length > 0) op = { action, obj, key, pred: all }
      if (action === 'inc' && counters.length > 0) op = { action, obj, key, value: by, pred: counters }
      replica.apply(op, { counter: startOp + ops.length, actor })
      ops.push(op)
    }
    const change: Change = { actor, seq: ++seqs[step.at]!, startOp, deps, ops }
    const written = { change, ...encodeChange(change) }
    log.push(written)
    replica.receive(written)
  }
  return log
}

describe('changes are Automerge’s', () => {
  test('[DOC-1] encodeChange writes the bytes and the hash that Automerge writes', () => {
    fc.assert(
      fc.property(changeOf(jsonScalar), (change) => {
        const { bytes, hash } = encodeChange(change)
        const theirs = A.encodeChange(toAutomerge(change))
        expect(Buffer.from(bytes).toString('hex')).toBe(Buffer.from(theirs).toString('hex'))
        expect(hash).toBe(A.decodeChange(theirs).hash)
      }),
      { numRuns: runs(600) },
    )
  })

  test('[DOC-1] decodeChange gives back what was encoded', () => {
    fc.assert(
      fc.property(changeOf(scalar), (change) => {
        const { bytes, hash } = encodeChange(change)
        const decoded = decodeChange(bytes, LIMITS)
        expect(decoded.hash).toBe(hash)
        expect(decoded.change).toStrictEqual(sorted(change))
        expect(encodeChange(decoded.change).bytes).toStrictEqual(bytes)
      }),
      { numRuns: runs(600) },
    )
  })

  test('[DOC-1] Automerge reads the same operations and the same hash out of the bytes', () => {
    fc.assert(
      fc.property(changeOf(scalar), (change) => {
        const { bytes, hash } = encodeChange(change)
        const { hash: theirHash, ...theirs } = A.decodeChange(bytes)
        expect(theirHash).toBe(hash)
        expect(theirs).toEqual(shownByAutomerge(sorted(change)))
      }),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-1] Automerge derives the same bytes again when it loads a saved document', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
        const log = play(steps)
        const [doc] = A.applyChanges(
          A.init(),
          log.map(({ bytes }) => bytes),
        )
        const deps = new Set(log.flatMap(({ change }) => change.deps))
        const heads = log.map(({ hash }) => hash).filter((hash) => !deps.has(hash))
        expect(A.getHeads(doc).sort()).toEqual(heads.sort())
        const loaded = A.load(A.save(doc))
        expect(A.getHeads(loaded).sort()).toEqual(heads)
        const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
        expect(A.getAllChanges(loaded).map(hex).sort()).toEqual(log.map(({ bytes }) => hex(bytes)).sort())
        A.free(doc)
        A.free(loaded)
      }),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-1] maps, bytes, counters and increments are what Automerge’s own documents hold', () => {
    let doc = A.init<Record<string, unknown>>({ actor: ME })
    doc = A.change(doc, { time: 0 }, (draft) => {
      draft.bytes = Uint8Array.of(0, 1, 255)
      draft.cart = { items: { tea: new A.Counter(5) } }
    })
    const first = A.getLastLocalChange(doc)!
    const id = (counter: number): OpId => ({ counter, actor: ME })
    const one: Change = {
      actor: ME,
      seq: 1,
      startOp: 1,
      deps: [],
      ops: [
        { action: 'set', obj: undefined, key: 'bytes', value: Uint8Array.of(0, 1, 255), pred: [] },
        { action: 'make', obj: undefined, key: 'cart', pred: [] },
        { action: 'make', obj: id(2), key: 'items', pred: [] },
        { action: 'set', obj: id(3), key: 'tea', value: 5, pred: [] },
      ],
    }
    expect(plain(encodeChange(one).bytes)).toStrictEqual(first)
    expect(decodeChange(first, LIMITS).change).toStrictEqual(one)
    doc = A.change(doc, { time: 0 }, (draft) => {
      const cart = draft.cart as { items?: { tea: A.Counter } }
      cart.items!.tea.increment(7)
      delete draft.bytes
      delete cart.items
    })
    const two: Change = {
      actor: ME,
      seq: 2,
      startOp: 5,
      deps: [encodeChange(one).hash],
      ops: [
        { action: 'inc', obj: id(3), key: 'tea', value: 7, pred: [id(4)] },
        { action: 'del', obj: undefined, key: 'bytes', pred: [id(1)] },
        { action: 'del', obj: id(2), key: 'items', pred: [id(3)] },
      ],
    }
    expect(plain(encodeChange(two).bytes)).toStrictEqual(A.getLastLocalChange(doc))
    expect(decodeChange(A.getLastLocalChange(doc)!, LIMITS).change).toStrictEqual(two)
  })

  test('[DOC-1] the random changes have rows of nulls, repetitions and single values in the columns of the object', () => {
    const seen = { nulls: 0, repetitions: 0, singles: 0, mixed: 0 }
    for (const { ops } of fc.sample(changeOf(scalar), { numRuns: 400, seed: 9 })) {
      const names = ops.map(({ obj }) => (obj ? idText(obj) : ''))
      const kinds = new Set(
        names.map((name, at) =>
          name === '' ? 'nulls' : name === names[at - 1] || name === names[at + 1] ? 'repetitions' : 'singles',
        ),
      )
      for (const kind of kinds) seen[kind as 'nulls']++
      if (kinds.size === 3) seen.mixed++
    }
    for (const [kind, times] of Object.entries(seen)) expect(times, kind).toBeGreaterThan(40)
  })

  test('[DOC-1] a value that has no encoding is refused, and leaves nothing behind in the next change', () => {
    const change: Change = { actor: ME, seq: 1, startOp: 1, deps: [], ops: [] }
    const good: Change = { ...change, ops: [{ action: 'set', obj: undefined, key: 'k', value: 1, pred: [] }] }
    const { bytes } = encodeChange(good)
    for (const value of [new Date(Number.NaN), new Date('nonsense')]) {
      const ops: Op[] = [good.ops[0]!, { action: 'set', obj: undefined, key: 'd', value, pred: [] }]
      expect(() => encodeChange({ ...change, ops })).toThrow(/CHANGE_INVALID/)
      expect(plain(encodeChange(good).bytes)).toStrictEqual(plain(bytes))
    }
  })
})
