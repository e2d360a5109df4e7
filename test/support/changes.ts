import type * as A from '@automerge/automerge'
import fc from 'fast-check'
import type { Change, ChangeLimits, Op, OpId, Scalar } from '../../packages/core/src/document/op.js'
import { compareOpIds, isInteger } from '../../packages/core/src/document/op.js'

/** Random changes, of every kind that there is. */

export const LIMITS: ChangeLimits = {
  maxChangeBytes: 1 << 20,
  maxOps: 10_000,
  maxPreds: 50_000,
  maxDeps: 64,
  maxKeyBytes: 1024,
}

export const ACTORS = ['05', '02', '09', 'fe', 'a0'].map((last) => `${'00'.repeat(7)}7f${'00'.repeat(7)}${last}`)
const actor = fc.oneof(
  fc.constantFrom(...ACTORS),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
)
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const text = fc.string({ unit: 'grapheme', maxLength: 24 })
const key = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'cart', 'a/b', 'a\u0000', '\ufeffbom', 'ключ 🛒', '~0~1'),
  text,
  fc.string({ unit: 'binary', maxLength: 8 }),
)
export const integer = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 63, 64, -64, -65, -8193, 2 ** 49, -(2 ** 49) - 1),
)
const float = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !isInteger(value))
// A.encodeChange takes its change as JSON: it loses the sign of -0 and the last bit of a long fraction, and takes no
// bytes at all. These values go there unharmed; the others are proven by way of a saved document.
const jsonFloat = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((value) => value + 0.125)
export const jsonScalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.constantFrom(null, true, false, ''),
  text,
  fc.string({ minLength: 100, maxLength: 400 }),
  integer,
  jsonFloat,
  fc.date({ noInvalidDate: true }),
  fc.constantFrom(new Date(8.64e15), new Date(-8.64e15), new Date(0)),
)
export const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  { weight: 5, arbitrary: jsonScalar },
  { weight: 1, arbitrary: float },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }) },
)

/** Where an operation stands: in the root, in a map that the change itself made, or in one that others (or its author) made before. */
type Where =
  | { readonly kind: 'root' }
  | { readonly kind: 'made' | 'other'; readonly counter: number; readonly actor: string }
const where: fc.Arbitrary<Where> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'root' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('made' as const), counter: fc.nat(2 ** 31), actor }) },
  // One of few, so that neighbours are alike.
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('other' as const),
      counter: fc.oneof(fc.nat(1), fc.nat(2 ** 31)),
      actor: fc.oneof(fc.constantFrom(...ACTORS.slice(0, 2)), actor),
    }),
  },
)

/** A change whose operations come in runs, so that every kind of column run occurs. */
export const changeOf = (scalar: fc.Arbitrary<Scalar>, opsMax = 12): fc.Arbitrary<Change> =>
  fc
    .record({
      actor,
      seq: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
      startOp: fc.oneof(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 2, max: 2 ** 31 - 1000 })),
      deps: fc.uniqueArray(hash, { maxLength: 4 }).map((deps) => deps.sort()),
      ops: fc.array(
        fc.record({
          action: fc.constantFrom('set', 'set', 'set', 'make', 'make', 'del', 'inc'),
          where,
          /** Whether all of a run is made in one map, or each in the one before. */
          chained: fc.boolean(),
          key,
          value: scalar,
          by: integer,
          pred: fc.array(fc.record({ actor, counter: fc.nat(2 ** 31) }), { maxLength: 4 }),
          times: fc.constantFrom(1, 1, 1, 2, 3, 70),
        }),
        { maxLength: opsMax },
      ),
    })
    .map(({ ops: drafts, ...change }) => {
      const ops: Op[] = []
      const made: number[] = []
      for (const { action, where, chained, key, value, by, pred: wanted, times } of drafts) {
        let obj = objectOf(where, change, ops.length, made)
        for (let time = 0; time < times; time++) {
          const counter = change.startOp + ops.length
          const preds = new Map<string, OpId>()
          for (const { actor, counter: drawn } of wanted) {
            const id = { actor, counter: 1 + (drawn % (counter - 1)) }
            preds.set(`${id.counter}@${id.actor}`, id)
          }
          const pred = [...preds.values()]
          if (action === 'make') {
            ops.push({ action, obj, key, pred })
            made.push(counter)
            if (chained) obj = { counter, actor: change.actor }
          } else if (action === 'set' || pred.length === 0) ops.push({ action: 'set', obj, key, value, pred })
          else if (action === 'del') ops.push({ action, obj, key, pred })
          else ops.push({ action: 'inc', obj, key, value: by, pred })
        }
      }
      return { ...change, ops }
    })

const objectOf = (
  where: Where,
  { actor, startOp }: Pick<Change, 'actor' | 'startOp'>,
  written: number,
  made: readonly number[],
): OpId | undefined => {
  if (where.kind === 'root') return undefined
  if (where.kind === 'made')
    return made.length === 0 ? undefined : { counter: made[where.counter % made.length]!, actor }
  // What the author itself made, it made before; others' maps have any number below that of the operation.
  const below = where.actor === actor ? startOp - 1 : startOp + written - 1
  return { counter: 1 + (where.counter % below), actor: where.actor }
}

export const ME = ACTORS[0]!

// What Automerge's own codec takes and gives.

export const idText = ({ counter, actor }: OpId): string => `${counter}@${actor}`

const datatypeOf = (value: unknown): string | undefined =>
  value instanceof Date ? 'timestamp' : isInteger(value) ? 'counter' : typeof value === 'number' ? 'float64' : undefined

export const toAutomerge = (change: Change): A.DecodedChange => {
  const { actor, seq, startOp, deps } = change
  const ops = change.ops.map((op) => {
    const action = op.action === 'make' ? 'makeMap' : op.action
    const base = { action, obj: op.obj ? idText(op.obj) : '_root', key: op.key, pred: op.pred.map(idText) }
    if (op.action === 'del' || op.action === 'make') return base
    const datatype = op.action === 'inc' ? undefined : datatypeOf(op.value)
    const value = op.value instanceof Date ? op.value.getTime() : op.value
    return { ...base, value, ...(datatype === undefined ? {} : { datatype }) }
  })
  return { actor, seq, startOp, deps: [...deps], time: 0, message: null, ops } as unknown as A.DecodedChange
}

/** What the decoder gives: the same change with its predecessors in order. */
export const sorted = (change: Change): Change => ({
  ...change,
  ops: change.ops.map((op): Op => ({ ...op, pred: op.pred.toSorted(compareOpIds) })),
})

/** What Automerge's decoder shows of a change: bytes as a list. */
export const shownByAutomerge = (change: Change): Omit<A.DecodedChange, 'hash'> => {
  const shown = toAutomerge(change)
  for (const op of shown.ops as { value?: unknown }[]) if (op.value instanceof Uint8Array) op.value = [...op.value]
  return shown
}
