/** What users are promised of objects, held against a model that forgets nothing: the operations themselves, read by the two sentences. */
import type { ChangeDelta, Data, Fold, Op, OpId, Value } from '@sojourn/core/internal'
import {
  decodeChange,
  diff,
  EMPTY_FOLD,
  isPlainObject,
  joinFolds,
  materialize,
  mutate,
  sameValue,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromScalar } from '../../packages/core/src/document/value.js'
import { runs } from '../support/runs.js'
import { CHANGE_LIMITS, MAX_DEPTH, pathsOf, pointerTo, receive, withField, withoutField } from '../support/worlds.js'

// The model.

interface Known {
  readonly op: Op
  readonly id: OpId
  /** Of the change that it is in. */
  readonly change: string
}

const nameOf = ({ counter, actor }: OpId): string => `${counter}@${actor}`
const ROOT = 'root'

const byId = (a: Known, b: Known): number =>
  a.id.counter - b.id.counter || (a.id.actor < b.id.actor ? -1 : a.id.actor > b.id.actor ? 1 : 0)

/** A document as the set of all its operations. */
class Model {
  readonly ops: readonly Known[]
  readonly #dead: ReadonlySet<string>

  constructor(deltas: Iterable<ChangeDelta>) {
    this.ops = [...deltas].flatMap(({ bytes }) => {
      const { change, hash } = decodeChange(bytes, CHANGE_LIMITS)
      const { startOp, actor } = change
      return change.ops.map((op, index) => ({ op, id: { counter: startOp + index, actor }, change: hash }))
    })
    this.#dead = new Set(this.ops.flatMap(({ op }) => (op.action === 'inc' ? [] : op.pred.map(nameOf))))
  }

  /** What stands in maps, the highest first. */
  live(maps: readonly string[], key?: string): Known[] {
    return this.ops
      .filter(({ op, id }) => {
        const isIn = maps.includes(op.obj ? nameOf(op.obj) : ROOT) && (key === undefined || op.key === key)
        return isIn && (op.action === 'set' || op.action === 'make') && !this.#dead.has(nameOf(id))
      })
      .sort((a, b) => byId(b, a))
  }

  /** What the making of a map set itself. */
  making(map: Known): Known[] {
    return this.ops.filter(
      ({ op, change }) =>
        change === map.change &&
        op.obj !== undefined &&
        nameOf(op.obj) === nameOf(map.id) &&
        (op.action === 'set' || op.action === 'make'),
    )
  }

  agree(a: Known, b: Known): boolean {
    const others = new Map(this.making(b).map((made) => [made.op.key, made]))
    return this.making(a).every((made) => {
      const other = others.get(made.op.key)
      if (other === undefined) return true
      if (made.op.action === 'set' && other.op.action === 'set') return sameValue(made.op.value, other.op.value)
      return made.op.action === other.op.action && this.agree(made, other)
    })
  }

  /** The maps that show as one where the highest is a map. */
  merged(live: readonly Known[]): Known[] {
    const [top, ...rest] = live
    const isFresh = ({ op }: Known) => op.action === 'make' && op.pred.length === 0
    const maps = [top!]
    if (isFresh(top!))
      for (const other of rest) if (isFresh(other) && maps.every((map) => this.agree(map, other))) maps.push(other)
    return maps
  }

  added({ id }: Known): number {
    return this.ops.reduce(
      (sum, { op }) =>
        op.action === 'inc' && op.pred.some((pred) => nameOf(pred) === nameOf(id)) ? sum + op.value : sum,
      0,
    )
  }

  view(maps: readonly string[] = [ROOT], seen: (maps: readonly Known[]) => void = () => {}): Data {
    const out: Record<string, Value> = {}
    for (const key of new Set(this.live(maps).map(({ op }) => op.key))) {
      const live = this.live(maps, key)
      const top = live[0]!
      if (top.op.action === 'make') {
        const shown = this.merged(live)
        seen(shown)
        out[key] = this.view(
          shown.map(({ id }) => nameOf(id)),
          seen,
        )
      } else if (top.op.action === 'set') {
        const { value } = top.op
        if (!Number.isSafeInteger(value) || Object.is(value, -0)) out[key] = fromScalar(value)
        else {
          const firsts = maps.flatMap((map) => this.live([map], key).slice(0, 1))
          const same = firsts.filter(({ op }) => op.action === 'set' && Object.is(op.value, value))
          out[key] = same.reduce((sum, known) => sum + this.added(known), value as number)
        }
      }
    }
    return out
  }
}

// Schedules.

const WRITERS = ['0a', '0b', '0c'].map((byte) => byte.repeat(16))
const key = fc.constantFrom('user', 'id', 'n')
const object = fc.letrec<{ node: Value; object: Data }>((tie) => ({
  object: fc.dictionary(key, tie('node'), { minKeys: 0, maxKeys: 3, noNullPrototype: true }),
  node: fc.oneof(
    { maxDepth: 2, depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 1 }) },
    { weight: 1, arbitrary: tie('object') },
  ),
})).object

const by = fc.nat(2)
const path = fc.oneof({ weight: 3, arbitrary: fc.tuple(key) }, { weight: 2, arbitrary: fc.tuple(key, key) })
type Step =
  | { readonly kind: 'read'; readonly by: number }
  | { readonly kind: 'draft' | 'save'; readonly by: number; readonly path: readonly string[]; readonly value: Value }
  | { readonly kind: 'delete'; readonly by: number; readonly late: boolean; readonly pick: number }
  | { readonly kind: 'increment'; readonly by: number; readonly path: readonly string[]; readonly amount: number }
  | { readonly kind: 'join' | 'deliver'; readonly by: number; readonly from: number }

const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }) },
  { weight: 2, arbitrary: object },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), by }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('draft' as const, 'save' as const), by, path, value }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), by, late: fc.boolean(), pick: fc.nat(99) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('increment' as const), by, path, amount: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'deliver' as const), by, from: by }) },
)

interface Writer {
  readonly actor: string
  fold: Fold
  /** What a slow request read. */
  read: Data
  readonly history: Map<string, ChangeDelta>
}

const newWriter = (actor: string): Writer => ({ actor, fold: EMPTY_FOLD, read: {}, history: new Map() })
const viewOf = (fold: Fold): Data => materialize(fold).data

const write = (
  writer: Writer,
  base: Data,
  next: Data,
  options: { assigned?: string; counters?: ReadonlySet<string> },
) => {
  const isAssigned = (_next: object, _base: object, at: string) => at === options.assigned
  const edits = diff(base, next, { maxDepth: MAX_DEPTH, isAssigned, counters: options.counters })
  let mutation: ReturnType<typeof mutate>
  try {
    mutation = mutate(writer.fold, writer.actor, edits)
  } catch {
    // An increment of what is no integer.
    return false
  }
  for (const delta of mutation?.changes ?? []) writer.history.set(decodeChange(delta.bytes, CHANGE_LIMITS).hash, delta)
  writer.fold = mutation?.fold ?? writer.fold
  return true
}

/** Whether every object on the way to a field shows: a draft function could not reach it else. */
const isReachable = (data: Data, [segment, ...rest]: readonly string[]): boolean =>
  rest.length === 0 || (isPlainObject(data[segment!]) && isReachable(data[segment!] as Data, rest))

const numberAt = (data: Data, [segment, ...rest]: readonly string[]): number | undefined => {
  const found = Object.hasOwn(data, segment!) ? data[segment!] : 0
  if (rest.length === 0) return typeof found === 'number' ? found : undefined
  return isPlainObject(found) ? numberAt(found as Data, rest) : found === 0 ? 0 : undefined
}

const play = (count: number, steps: readonly Step[]): Writer[] => {
  const writers = WRITERS.slice(0, count).map(newWriter)
  for (const step of steps) {
    const writer = writers[step.by % count]!
    const before = viewOf(writer.fold)
    if (step.kind === 'read') writer.read = before
    else if (step.kind === 'join' || step.kind === 'deliver') {
      const from = writers[step.from % count]!
      const deltas = [...from.history.values()]
      writer.fold = step.kind === 'join' ? joinFolds(writer.fold, from.fold) : deltas.reduce(receive, writer.fold)
      for (const [hash, delta] of from.history) if (!writer.history.has(hash)) writer.history.set(hash, delta)
    } else if (step.kind === 'draft') {
      if (!isReachable(before, step.path)) continue
      const next = withField(before, step.path, step.value)
      write(writer, before, next, { assigned: pointerTo(step.path) })
      // What one writer wrote is what it reads.
      expect(viewOf(writer.fold)).toEqual(next)
    } else if (step.kind === 'save') {
      if (isReachable(writer.read, step.path))
        write(writer, writer.read, withField(writer.read, step.path, step.value), { assigned: pointerTo(step.path) })
    } else if (step.kind === 'delete') {
      const base = step.late ? writer.read : before
      const paths = pathsOf(base)
      if (paths.length > 0) write(writer, base, withoutField(base, paths[step.pick % paths.length]!), {})
    } else if (step.kind === 'increment') {
      const now = numberAt(before, step.path)
      if (now === undefined || !isReachable(before, step.path)) continue
      const counters = new Set([pointerTo(step.path)])
      const next = withField(before, step.path, now + step.amount)
      if (write(writer, before, next, { counters })) expect(viewOf(writer.fold)).toEqual(next)
    }
  }
  return writers
}

const schedules = fc.record({
  count: fc.integer({ min: 2, max: 3 }),
  steps: fc.array(step, { minLength: 3, maxLength: 18, size: 'max' }),
})

const agreed = (writers: readonly Writer[]): { readonly fold: Fold; readonly model: Model } => {
  const history = new Map(writers.flatMap((writer) => [...writer.history]))
  return { fold: writers.map((writer) => writer.fold).reduce(joinFolds), model: new Model(history.values()) }
}

describe('objects have identity', () => {
  test('[DOC-5] what shows is what the operations show, read by the two sentences', () => {
    let merged = 0
    fc.assert(
      fc.property(schedules, ({ count, steps }) => {
        const writers = play(count, steps)
        for (const { fold, history } of writers) expect(viewOf(fold)).toEqual(new Model(history.values()).view())
        const { fold, model } = agreed(writers)
        expect(viewOf(fold)).toEqual(
          model.view([ROOT], (maps) => {
            if (maps.length > 1) merged++
          }),
        )
        expect(viewOf(writers.map((writer) => writer.fold).reduceRight(joinFolds))).toEqual(viewOf(fold))
      }),
      { numRuns: runs(1_500) },
    )
    expect(merged).toBeGreaterThan(runs(10))
  })

  test('[DOC-6] no object that shows mixes the assignments of two writers who disagreed on one of its fields', () => {
    fc.assert(
      fc.property(schedules, ({ count, steps }) => {
        const { model } = agreed(play(count, steps))
        model.view([ROOT], (maps) => {
          for (const a of maps)
            for (const b of maps) {
              if (a === b) continue
              expect(a.op.pred, 'what replaced something is mixed with nothing').toEqual([])
              expect(model.agree(a, b)).toBe(true)
            }
        })
      }),
      { numRuns: runs(300) },
    )
  })

  test('[DOC-6] of users that two writers put in one place at one time, one shows, whole, whatever is edited since', () => {
    const user = fc.record(
      { id: fc.nat(2), name: fc.constantFrom('ada', 'bob'), admin: fc.boolean() },
      { requiredKeys: ['id'] },
    )
    const edit = fc.record({ who: fc.nat(1), key: fc.constantFrom('name', 'seen'), value: fc.nat(9) })
    fc.assert(
      fc.property(
        fc.option(user, { nil: undefined }),
        user,
        user,
        fc.array(edit, { maxLength: 4 }),
        (start, one, two, edits) => {
          fc.pre(one.id !== two.id)
          const [a, b] = [newWriter(WRITERS[0]!), newWriter(WRITERS[1]!)]
          if (start) write(a, {}, { user: start as unknown as Data }, {})
          b.fold = joinFolds(b.fold, a.fold)
          const shown = [one, two].map((own, index) => {
            const writer = [a, b][index]!
            const before = viewOf(writer.fold)
            write(writer, before, { user: own as unknown as Data }, { assigned: '/user' })
            for (const { who, key: field, value: to } of edits) {
              if (who !== index) continue
              const now = viewOf(writer.fold)
              write(writer, now, withField(now, ['user', field], to), {})
            }
            return viewOf(writer.fold)
          })
          // A user that was assigned over an equal one is the old one still.
          fc.pre(!sameValue(one, start) && !sameValue(two, start))
          expect(shown).toContainEqual(viewOf(joinFolds(a.fold, b.fold)))
          expect(viewOf(joinFolds(b.fold, a.fold))).toEqual(viewOf(joinFolds(a.fold, b.fold)))
        },
      ),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-7] no field shows in an object on which it was not made', () => {
    fc.assert(
      fc.property(object, object, object, fc.boolean(), (start, put, edits, isDeleted) => {
        fc.pre(!sameValue(start, put))
        const [a, b] = [newWriter(WRITERS[0]!), newWriter(WRITERS[1]!)]
        write(a, {}, { o: start }, {})
        b.fold = joinFolds(b.fold, a.fold)
        const read = viewOf(b.fold)
        write(a, viewOf(a.fold), isDeleted ? {} : { o: put }, { assigned: '/o' })
        const expected = viewOf(a.fold)
        const edited = { o: { ...start, ...edits } }
        const late = { ...newWriter(WRITERS[2]!), fold: a.fold }
        write(b, read, edited, {})
        // At one time, in two regions; and by a slow request in one, which read the old object.
        expect(viewOf(joinFolds(a.fold, b.fold))).toEqual(expected)
        write(late, read, edited, {})
        expect(viewOf(late.fold)).toEqual(expected)
      }),
      { numRuns: runs(400) },
    )
  })

  test('[DOC-8] carts that were made at one time lose nothing, and what is counted in them adds up', () => {
    const items = fc.dictionary(fc.constantFrom('tea', 'milk', 'rice', 'salt'), fc.constant(1), {
      maxKeys: 3,
      noNullPrototype: true,
    })
    const adds = fc.array(fc.constantFrom('jam', 'oil', 'figs'), { maxLength: 3 })
    const counts = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 })
    const own = fc.record({ items, adds, counts })
    fc.assert(
      fc.property(own, own, own, (...owns) => {
        const writers = WRITERS.map(newWriter)
        let sum = 0
        const all: Record<string, Value> = {}
        owns.forEach((mine, index) => {
          const writer = writers[index]!
          write(writer, {}, { cart: mine.items }, {})
          Object.assign(all, mine.items)
          for (const item of mine.adds) {
            const now = viewOf(writer.fold)
            write(writer, now, withField(now, ['cart', item], 1), {})
            all[item] = 1
          }
          for (const count of mine.counts) {
            const now = viewOf(writer.fold)
            const n = numberAt(now, ['cart', 'n'])! + count
            write(writer, now, withField(now, ['cart', 'n'], n), { counters: new Set(['/cart/n']) })
            sum += count
          }
        })
        const expected = { cart: { ...all, ...(sum > 0 && { n: sum }) } }
        expect(viewOf(writers.map(({ fold }) => fold).reduce(joinFolds))).toEqual(expected)
        expect(viewOf(writers.map(({ fold }) => fold).reduceRight(joinFolds))).toEqual(expected)
      }),
      { numRuns: runs(400) },
    )
  })
})
