import type {
  ActorId,
  ChangeDelta,
  ChangeHash,
  ChangeLimits,
  Data,
  Fold,
  Mutation,
  Value,
} from '@sojourn/core/internal'
import {
  applyChange,
  changeFault,
  decodeChange,
  diff,
  EMPTY_FOLD,
  incrementEdits,
  isPlainObject,
  isSojournError,
  joinFolds,
  materialize,
  mutate,
  readiness,
  thaw,
} from '@sojourn/core/internal'
import fc from 'fast-check'

/** Random sessions, and random histories of them: authors that edit, and that learn from each other in every way. */

export const CHANGE_LIMITS: ChangeLimits = {
  maxChangeBytes: 1 << 20,
  maxOps: 10_000,
  maxPreds: 10_000,
  maxDeps: 256,
  maxKeyBytes: 1024,
}
export const RECORD_LIMITS = { maxRecordBytes: 1 << 20, maxKeyBytes: 1024 }
export const MAX_DEPTH = 16

// Data.

/** Keys that a pointer must escaped, that sort around "/", that an object inherits, or that storage gives a meaning. */
const AWKWARD_KEYS = [
  '',
  '~',
  '/',
  'a/b',
  '~0',
  '~1',
  'a!',
  'é',
  'e\u0301',
  '🛒',
  '$',
  '$$',
  '$date',
  '$bytes',
  '0',
  '-1',
]
const INHERITED_KEYS = ['toString', 'hasOwnProperty', 'valueOf', 'toJSON', 'length', 'then', 'constructor', 'prototype']

export const awkwardKey: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('a', 'b', 'c', ...AWKWARD_KEYS, ...INHERITED_KEYS),
  fc.string({ unit: 'grapheme', maxLength: 6 }).filter((key) => key !== '__proto__'),
)

const number = fc.oneof(
  fc.integer({ min: -100, max: 100 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 0.1, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 1 - 2 ** 53, 5e-324, Number.MAX_VALUE),
)

export const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value[]>(null, true, false, '', 'x', '\0', '\ufeff', '__proto__'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  number,
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ maxLength: 6 }),
)

/** Trees of everything that a session can hold, with keys from `key`. */
export const dataTrees = (key: fc.Arbitrary<string>, maxKeys = 4): fc.Arbitrary<Data> =>
  fc.letrec<{ node: Value; object: Data; array: readonly Value[] }>((tie) => ({
    object: fc.dictionary(key, tie('node'), { maxKeys, noNullPrototype: true }),
    array: fc.array(tie('node'), { maxLength: 3 }),
    node: fc.oneof(
      { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: leaf },
      { weight: 2, arbitrary: tie('object') },
      { weight: 1, arbitrary: tie('array') },
    ),
  })).object

/** Few keys, so that the authors of a world meet in them. */
const fieldKey = fc.constantFrom('a', 'b', 'a/b', '~', 'é')
const smallTree = dataTrees(fieldKey, 3)
const smallValue: fc.Arbitrary<Value> = fc.oneof(fc.integer({ min: -9, max: 9 }), leaf, smallTree)
export const fieldPath: fc.Arbitrary<readonly string[]> = fc.array(fieldKey, { minLength: 1, maxLength: 3 })

const escaped = (segment: string): string => segment.replaceAll('~', '~0').replaceAll('/', '~1')
/** RFC 6901, written a second time so that the tests do not lean on what they test. */
export const pointerTo = (path: readonly string[]): string => path.map((segment) => `/${escaped(segment)}`).join('')

/** A copy of `data` with a field set; what is no object on the way becomes one. */
export const withField = (data: Data, path: readonly string[], value: Value): Data => {
  const copy = thaw(data) as Record<string, Value>
  const [segment, ...rest] = path as [string, ...string[]]
  const inner = Object.hasOwn(copy, segment) && isPlainObject(copy[segment]) ? (copy[segment] as Data) : {}
  copy[segment] = rest.length === 0 ? value : withField(inner, rest, value)
  return copy
}

export const withoutField = (data: Data, path: readonly string[]): Data => {
  const copy = thaw(data) as Record<string, Value>
  const [segment, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) delete copy[segment]
  else if (isPlainObject(copy[segment])) copy[segment] = withoutField(copy[segment] as Data, rest)
  return copy
}

/** The paths of all fields, objects too. */
export const pathsOf = (data: Data, parent: readonly string[] = []): (readonly string[])[] =>
  Object.keys(data).flatMap((key) => {
    const path = [...parent, key]
    return isPlainObject(data[key]) ? [path, ...pathsOf(data[key] as Data, path)] : [path]
  })

// Worlds.

const AUTHORS = 3
/** Three actors in random order, so that which author wins a conflict is random too. */
export const actorIds: fc.Arbitrary<readonly ActorId[]> = fc
  .uniqueArray(fc.nat(255), { minLength: AUTHORS, maxLength: AUTHORS })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0').repeat(16)))

const by = fc.nat(AUTHORS - 1)
type Step =
  /** Remembers what the author sees now, as a slow request does. */
  | { readonly kind: 'read'; readonly by: number }
  /** `late` edits start from what was read; the others from what the author sees now. */
  | { readonly kind: 'become'; readonly by: number; readonly late: boolean; readonly data: Data }
  | {
      readonly kind: 'assign'
      readonly by: number
      readonly late: boolean
      /** Whether an object is put in the place of the one there, rather than changed to be like it. */
      readonly whole: boolean
      readonly path: readonly string[]
      readonly value: Value
    }
  | { readonly kind: 'remove'; readonly by: number; readonly late: boolean; readonly pick: number }
  | { readonly kind: 'increment'; readonly by: number; readonly path: readonly string[]; readonly amount: number }
  | { readonly kind: 'join' | 'deliver'; readonly by: number; readonly from: number }

const late = fc.boolean()
const amount = fc.integer({ min: -5, max: 5 })
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), by }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('become' as const), by, late, data: smallTree }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('assign' as const),
      by,
      late,
      whole: fc.boolean(),
      path: fieldPath,
      value: smallValue,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), by, late, pick: fc.nat(99) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('increment' as const), by, path: fieldPath, amount }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'deliver' as const), by, from: by }) },
)

/** One replica's document, and the history that a replica would have forgotten, in the order in which it came. */
export interface Author {
  readonly actor: ActorId
  fold: Fold
  read: Data
  readonly history: Map<ChangeHash, ChangeDelta>
}

export interface World {
  readonly authors: readonly Author[]
  /** Every fold that any author ever held, with its history: states that lie before, beside and after each other. */
  readonly states: readonly { readonly fold: Fold; readonly history: ReadonlyMap<ChangeHash, ChangeDelta> }[]
  /** Every change ever made, causes first. */
  readonly log: ReadonlyMap<ChangeHash, ChangeDelta>
  /** A counterexample is described by what was done, not by what came of it. */
  readonly [fc.toStringMethod]: () => string
}

export const worlds = (maxSteps: number, steps: fc.Arbitrary<Step> = step): fc.Arbitrary<World> =>
  fc
    .tuple(actorIds, fc.array(steps, { minLength: 1, maxLength: maxSteps, size: 'max' }))
    .map(([actors, list]) => play(actors, list))

export const dataOf = (fold: Fold): Data => materialize(fold).data

/** The document of a session just created. */
export const createdFold = (data: Data, actor: ActorId): Fold =>
  mutate(EMPTY_FOLD, actor, diff({}, data, { maxDepth: MAX_DEPTH }))?.fold ?? EMPTY_FOLD

/** What a receiver does with a change: decode it, and apply it if it is next. What an author wrote has no fault. */
export const receive = (fold: Fold, delta: ChangeDelta): Fold => {
  const { change, hash } = decodeChange(delta.bytes, CHANGE_LIMITS)
  if (readiness(fold, change, delta.context) !== 'ready') return fold
  const fault = changeFault(fold, change)
  if (fault !== undefined) throw new Error(fault)
  return applyChange(fold, change, hash)
}

/** An increment of what is no integer is refused; every other refusal is a bug. */
const orRefused = (make: () => Mutation | undefined): Mutation | undefined => {
  try {
    return make()
  } catch (error) {
    if (isSojournError(error, 'INVALID_DATA')) return undefined
    throw error
  }
}

const wanted = (base: Data, step: Step): Data => {
  if (step.kind === 'become') return step.data
  if (step.kind === 'assign') return withField(base, step.path, step.value)
  const paths = pathsOf(base)
  return step.kind === 'remove' && paths.length > 0 ? withoutField(base, paths[step.pick % paths.length]!) : base
}

const edit = (author: Author, step: Step): Mutation | undefined => {
  if (step.kind === 'increment')
    return orRefused(() =>
      mutate(author.fold, author.actor, incrementEdits(dataOf(author.fold), pointerTo(step.path), step.amount)),
    )
  const base = 'late' in step && step.late ? author.read : dataOf(author.fold)
  const whole = step.kind === 'assign' && step.whole ? pointerTo(step.path) : undefined
  const isAssigned = (_next: object, _base: object, path: string) => path === whole
  return mutate(author.fold, author.actor, diff(base, wanted(base, step), { maxDepth: MAX_DEPTH, isAssigned }))
}

export const play = (actors: readonly ActorId[], steps: readonly Step[]): World => {
  const authors = actors.map((actor): Author => ({ actor, fold: EMPTY_FOLD, read: {}, history: new Map() }))
  const states: { fold: Fold; history: ReadonlyMap<ChangeHash, ChangeDelta> }[] = []
  const log = new Map<ChangeHash, ChangeDelta>()
  for (const step of steps) {
    const author = authors[step.by]!
    if (step.kind === 'read') author.read = dataOf(author.fold)
    else if (step.kind === 'join' || step.kind === 'deliver') {
      const from = authors[step.from]!
      author.fold =
        step.kind === 'join'
          ? joinFolds(author.fold, from.fold)
          : [...from.history.values()].reduce(receive, author.fold)
      for (const [hash, delta] of from.history) author.history.set(hash, author.history.get(hash) ?? delta)
    } else {
      const mutation = edit(author, step)
      for (const delta of mutation?.changes ?? []) {
        const { hash } = decodeChange(delta.bytes, CHANGE_LIMITS)
        author.history.set(hash, delta)
        if (!log.has(hash)) log.set(hash, delta)
      }
      author.fold = mutation?.fold ?? author.fold
    }
    states.push({ fold: author.fold, history: new Map(author.history) })
  }
  return { authors, states, log, [fc.toStringMethod]: () => fc.stringify({ actors, steps }) }
}
