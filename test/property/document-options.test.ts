/** Authors who count, and who hold objects atomic, each as its own options say: what they write, peers take, and all see the same. */
import type { ActorId, ChangeDelta, ChangeHash, Data, Edit, Fold, Mutation, Value } from '@sojourn/core/internal'
import {
  decodeChange,
  diff,
  EMPTY_FOLD,
  incrementEdits,
  isSojournError,
  joinFolds,
  materialize,
  mutate,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldByDefinition } from '../support/fold-definition.js'
import { runs } from '../support/runs.js'
import {
  actorIds,
  CHANGE_LIMITS,
  createdFold,
  dataOf,
  MAX_DEPTH,
  pathsOf,
  pointerTo,
  receive,
  withField,
  withoutField,
} from '../support/worlds.js'

const KEYS = ['a', 'b'] as const
const key = fc.constantFrom(...KEYS)
const path: fc.Arbitrary<readonly string[]> = fc.oneof(
  fc.tuple(key),
  fc.tuple(key, key),
  fc.tuple(fc.constant('a'), fc.constant('a'), key),
)
const scalar = fc.constantFrom<Value[]>(0, 1, 5, 'x', null)
const object = fc.letrec<{ node: Value; object: Data }>((tie) => ({
  object: fc.dictionary(key, tie('node'), { maxKeys: 2, noNullPrototype: true }),
  node: fc.oneof({ maxDepth: 2 }, { weight: 3, arbitrary: scalar }, { weight: 2, arbitrary: tie('object') }),
})).object

interface Field {
  readonly path: readonly string[]
  /** Undefined: the field that `pick` picks is removed. */
  readonly value: Value | undefined
  readonly pick: number
  readonly whole: boolean
}
const field: fc.Arbitrary<Field> = fc.record({
  path,
  value: fc.oneof(scalar, object, fc.constant(undefined)),
  pick: fc.nat(99),
  whole: fc.boolean(),
})
const pointers = (...lists: (readonly string[])[]) => fc.constantFrom(...lists).map((list) => new Set(list))
const counters = pointers([], ['/a/b', '/a/a/b'], ['/a', '/b', '/a/a', '/a/b', '/b/a', '/b/b', '/a/a/a', '/a/a/b'])
/** As regions have it whose options differ for a while. */
const atomic = pointers([], [], ['/b'], ['/a/a'], ['/a'])
const at = fc.nat(2)

type Step =
  | {
      readonly kind: 'write'
      readonly at: number
      readonly late: boolean
      readonly fields: readonly Field[]
      readonly counters: ReadonlySet<string>
      readonly atomic: ReadonlySet<string>
    }
  | { readonly kind: 'add'; readonly at: number; readonly path: readonly string[]; readonly by: number }
  | { readonly kind: 'join'; readonly at: number; readonly from: number }
  | { readonly kind: 'deliver'; readonly at: number; readonly from: number }
  | { readonly kind: 'sync'; readonly at: number }
  | { readonly kind: 'read'; readonly at: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at,
      late: fc.nat(4).map((drawn) => drawn === 0),
      fields: fc.array(field, { minLength: 1, maxLength: 3 }),
      counters,
      atomic,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('add' as const), at, path, by: fc.integer({ min: -3, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'deliver' as const), at, from: at }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('sync' as const, 'sync' as const, 'read' as const), at }) },
)

class Author {
  readonly actor: ActorId
  readonly history = new Map<ChangeHash, ChangeDelta>()
  fold: Fold = EMPTY_FOLD
  read: Data = {}

  constructor(actor: ActorId) {
    this.actor = actor
  }

  learn({ history }: Author): void {
    for (const [hash, delta] of history) this.history.set(hash, delta)
  }

  /** An increment of what is no integer is refused; every other refusal is a bug. */
  write(edits: () => readonly Edit[]): boolean {
    const { fold: before } = this
    let mutation: Mutation | undefined
    try {
      mutation = mutate(before, this.actor, edits())
    } catch (error) {
      if (!isSojournError(error, 'INVALID_DATA')) throw error
      return false
    }
    for (const delta of mutation?.changes ?? []) this.history.set(decodeChange(delta.bytes, CHANGE_LIMITS).hash, delta)
    this.fold = mutation?.fold ?? before
    // A peer that is as far takes what was written, and holds the same.
    expect((mutation?.changes ?? []).reduce(receive, before)).toEqual(this.fold)
    return true
  }
}

const wanted = (base: Data, fields: readonly Field[]): Data =>
  fields.reduce((data, { path: at, value, pick }) => {
    if (value !== undefined) return withField(data, at, value)
    const paths = pathsOf(data)
    return paths.length === 0 ? data : withoutField(data, paths[pick % paths.length]!)
  }, base)

const take = (authors: readonly Author[], step: Step): void => {
  const author = authors[step.at]!
  if (step.kind === 'read') author.read = dataOf(author.fold)
  else if (step.kind === 'sync') {
    for (const to of authors)
      for (const from of authors) {
        to.fold = joinFolds(to.fold, from.fold)
        to.learn(from)
      }
  } else if (step.kind === 'join' || step.kind === 'deliver') {
    const from = authors[step.from]!
    const joined = joinFolds(author.fold, from.fold)
    const delivered = [...from.history.values()].reduce(receive, author.fold)
    expect(delivered).toEqual(joined)
    author.fold = step.kind === 'join' ? joined : delivered
    author.learn(from)
  } else if (step.kind === 'add') author.write(() => incrementEdits(dataOf(author.fold), pointerTo(step.path), step.by))
  else {
    const base = step.late ? author.read : dataOf(author.fold)
    const next = wanted(base, step.fields)
    const whole = new Set(step.fields.filter((one) => one.whole).map((one) => pointerTo(one.path)))
    const isAssigned = (_next: object, _base: object, pointer: string) => whole.has(pointer)
    const options = { maxDepth: MAX_DEPTH, counters: step.counters, atomic: step.atomic, isAssigned }
    const isTaken = author.write(() => diff(base, next, options))
    // Whoever wrote on what it saw reads what it wrote.
    if (isTaken && !step.late) expect(dataOf(author.fold)).toEqual(next)
  }
}

describe('authors whose options differ', () => {
  test('[CONV-2] write what peers take, read what they wrote, and come to hold the same', () => {
    fc.assert(
      fc.property(actorIds, fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }), (actors, steps) => {
        const authors = actors.map((actor) => new Author(actor))
        for (const one of steps) take(authors, one)
        for (const { fold, history } of authors) expect(fold).toEqual(foldByDefinition(history))
        const [inOrder, mixed] = [authors, authors.toReversed()].map((list) =>
          list.map(({ fold }) => fold).reduce((a, b) => joinFolds(a, b)),
        ) as [Fold, Fold]
        expect(mixed).toEqual(inOrder)
        expect(JSON.stringify(materialize(mixed).data)).toBe(JSON.stringify(materialize(inOrder).data))
      }),
      { numRuns: runs(600) },
    )
  })

  // Found: each edit inside of such an object wrote the object, and a change that writes one key twice is refused by every peer.
  test('[CONV-2] an object that is one register is written once, whatever is edited inside of it', () => {
    const [a, b] = ['0a', '0b'].map((byte) => byte.repeat(16)) as [ActorId, ActorId]
    const options = { maxDepth: MAX_DEPTH, atomic: new Set(['/user']) }
    const user = { id: 1, name: 'ada', seen: { at: 1 } }
    const fold = mutate(EMPTY_FOLD, a, diff({}, { user }, options))!.fold
    const taken = (edits: readonly Edit[]): Data => {
      const { changes, fold: after } = mutate(fold, b, edits)!
      expect(changes.flatMap(({ bytes }) => decodeChange(bytes, CHANGE_LIMITS).change.ops)).toHaveLength(1)
      expect(changes.reduce(receive, fold)).toEqual(after)
      return dataOf(after)
    }
    expect(taken(incrementEdits(dataOf(fold), '/user/visits/today/count', 2))).toEqual({
      user: { ...user, visits: { today: { count: 2 } } },
    })
    // By a region that does not hold the object atomic.
    const next = { user: { id: 2, seen: { at: 2, by: 'b' } } }
    expect(taken(diff(dataOf(fold), next, { maxDepth: MAX_DEPTH }))).toEqual(next)
    expect(dataOf(createdFold({ user }, a))).toEqual(dataOf(fold))
  })

  // Found: each such save left one more map, and the record grew until it was refused.
  test('[CONV-2] who saves again and again without having read leaves no more maps than can show as one', () => {
    const [a, b] = ['0a', '0b'].map((byte) => byte.repeat(16)) as [ActorId, ActorId]
    for (const cartOf of [
      () => ({ tea: 1 }),
      (at: number) => ({ tea: at }),
      (at: number) => ({ [`item ${at}`]: at }),
    ]) {
      let fold = EMPTY_FOLD
      for (let at = 0; at < 500; at++) {
        fold = mutate(fold, at % 2 ? a : b, diff({}, { cart: cartOf(at) }, { maxDepth: MAX_DEPTH }))?.fold ?? fold
        expect(fold.registers.get('cart')!.length).toBeLessThanOrEqual(64)
        expect(dataOf(fold)).toMatchObject({ cart: cartOf(at) })
      }
    }
  })
})
