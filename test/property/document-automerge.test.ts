import * as A from '@automerge/automerge'
import type { ChangeDelta, ChangeHash, Fold, LiveOp, Registers, Scalar } from '@sojourn/core/internal'
import { decodeChange, EMPTY_FOLD, isMap, liveValue } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import { CHANGE_LIMITS, dataOf, play, receive, worlds } from '../support/worlds.js'

// Automerge is the oracle: it is given the very bytes that travel, and has to come to the same document.

type Doc = A.Doc<Record<string, unknown>>

const automergeOf = (changes: readonly Uint8Array[]): Doc =>
  A.applyChanges(A.init<Record<string, unknown>>(), [...changes])[0]

type Shown = readonly [type: string, ...rest: unknown[]]
interface Backend {
  keys(object: string): string[]
  getAll(object: string, key: string): Shown[]
}

/** A scalar as Automerge holds it. */
const scalarOf = ([type, value]: Shown): Scalar => {
  // Automerge shows what leaves the safe integers as a bigint.
  if (type === 'counter') return Number(value)
  return type === 'timestamp' ? new Date(value as Date) : (value as Scalar)
}

/** All live values of each key of a map, by the operations that set them. */
const expectMap = (registers: Registers, backend: Backend, object: string, path: string): void => {
  expect(backend.keys(object).sort(), path).toEqual([...registers.keys()].sort())
  for (const [key, register] of registers) {
    const at = `${path}/${key}`
    const theirs = new Map(backend.getAll(object, key).map((shown) => [String(shown.at(-1)), shown]))
    expect([...theirs.keys()].sort(), at).toEqual(register.map(nameOf).sort())
    for (const live of register) {
      const shown = theirs.get(nameOf(live))!
      if (isMap(live)) {
        expect(shown[0], at).toBe('map')
        expectMap(live.value.registers, backend, nameOf(live), at)
      } else expect(scalarOf(shown), at).toEqual(liveValue(live))
    }
  }
}

const nameOf = ({ counter, actor }: LiveOp): string => `${counter}@${actor}`

const expectAgreement = (fold: Fold, doc: Doc): void => {
  expect(A.getHeads(doc).sort()).toEqual(fold.heads.map((head) => head.hash))
  // Not what the handle shows: it follows Automerge's patches, and those of 3.5 give a counter that a deletion uncovers
  // its first value, without what was added to it. What Automerge holds, and shows once loaded again, is right.
  expectMap(fold.registers, A.getBackend(doc) as unknown as Backend, '_root', '')
}

const withDoc = (changes: readonly Uint8Array[], check: (doc: Doc) => void): void => {
  const doc = automergeOf(changes)
  check(doc)
  A.free(doc)
}

const bytesOf = (history: ReadonlyMap<ChangeHash, ChangeDelta>): Uint8Array[] =>
  [...history.values()].map((delta) => delta.bytes)

/** The order in which the changes of `log` come when, each time, `picks` choose one of those that may be next. */
const reordered = (log: ReadonlyMap<ChangeHash, ChangeDelta>, picks: readonly number[]): ChangeDelta[] => {
  const waiting = [...log.values()].map((delta) => ({ delta, change: decodeChange(delta.bytes, CHANGE_LIMITS).change }))
  const seqs = new Map<string, number>()
  const maxOps = new Map<string, number>()
  const order: ChangeDelta[] = []
  while (waiting.length > 0) {
    const held = (actor: string, seq: number) => (seqs.get(actor) ?? 0) >= seq
    const ready = waiting.filter(
      ({ delta, change }) =>
        held(change.actor, change.seq - 1) &&
        delta.context.every((dep) => held(dep.actor, dep.seq)) &&
        // The making of a counter waits for the map that it is in.
        change.ops.every(
          ({ obj }) => !obj || obj.actor === change.actor || (maxOps.get(obj.actor) ?? 0) >= obj.counter,
        ),
    )
    expect(ready).not.toHaveLength(0)
    const next = ready[(picks[order.length % picks.length] ?? 0) % ready.length]!
    waiting.splice(waiting.indexOf(next), 1)
    seqs.set(next.change.actor, next.change.seq)
    maxOps.set(next.change.actor, next.change.startOp + next.change.ops.length - 1)
    order.push(next.delta)
  }
  return order
}

describe('a document is what Automerge makes of the same changes', () => {
  test('[DOC-1] every author agrees with Automerge on values, conflicts and heads', () => {
    fc.assert(
      fc.property(worlds(30), ({ authors }) => {
        for (const { fold, history } of authors)
          withDoc(bytesOf(history), (doc) => {
            expectAgreement(fold, doc)
          })
      }),
      { numRuns: runs(500) },
    )
  })

  test('[DOC-1] in every order that the protocol allows', () => {
    fc.assert(
      fc.property(worlds(30), fc.array(fc.nat(99), { minLength: 1, maxLength: 20 }), ({ log }, picks) => {
        const order = reordered(log, picks)
        withDoc(bytesOf(log), (doc) => {
          // One by one, as deltas come; the log came in one call. Not through the handle, which follows the patches in
          // JavaScript and cannot add to a counter that it shows as a bigint.
          const other = A.init<Record<string, unknown>>()
          for (const { bytes } of order) A.getBackend(other).applyChanges([bytes])
          expect(A.getHeads(other).sort()).toEqual(A.getHeads(doc).sort())
          expectAgreement(order.reduce(receive, EMPTY_FOLD), other)
          A.free(other)
        })
      }),
      { numRuns: runs(250) },
    )
  })

  test('[DOC-1] what Automerge saves and loads again has the same heads', () => {
    fc.assert(
      fc.property(worlds(30), ({ log }) => {
        withDoc(bytesOf(log), (doc) => {
          const loaded = A.load<Record<string, unknown>>(A.save(doc))
          expect(A.getHeads(loaded).sort()).toEqual(A.getHeads(doc).sort())
          expect(A.toJS(loaded)).toEqual(A.toJS(doc))
          A.free(loaded)
        })
      }),
      { numRuns: runs(250) },
    )
  })

  // Found by the property above: Automerge accepted the second making of a counter when it built on nothing, but could
  // not load the document that it saved ("missing ops"), and panicked when the second making came before the first.
  test('[DOC-1] a counter that is made, deleted and made again is loaded again', () => {
    const cycle = [
      { kind: 'increment', by: 0, path: ['n'], amount: 2 },
      { kind: 'assign', by: 0, late: false, whole: false, path: ['m'], value: 'x' },
      { kind: 'remove', by: 0, late: false, pick: 1 },
    ] as const
    const meet = { kind: 'join', by: 1, from: 0 } as const
    const { authors, log } = play(
      ['0a', '0b', '0c'].map((byte) => byte.repeat(16)),
      [...cycle, ...cycle, meet, { ...cycle[0], by: 1 }, cycle[0], meet],
    )
    // Both authors made the counter a third time, with the very same change.
    expect(dataOf(authors[1]!.fold)).toEqual({ m: 'x', n: 4 })
    withDoc(bytesOf(log), (doc) => {
      expectAgreement(authors[1]!.fold, doc)
      const loaded = A.load<Record<string, unknown>>(A.save(doc))
      expectAgreement(authors[1]!.fold, loaded)
      A.free(loaded)
    })
  })
})
