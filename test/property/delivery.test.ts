import type { ActorId, ChangeDelta, Data, End, Fold, Lease, Op, SessionRecord } from '@sojourn/core/internal'
import {
  applyChange,
  changeFault,
  decodeChange,
  decodeRecord,
  diff,
  encodeRecord,
  incrementEdits,
  isSojournError,
  joinLeases,
  joinRecords,
  mutate,
  nextStamp,
  readiness,
  recordVersion,
  renewLease,
} from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newRecordOf } from '../support/records.js'
import { runs } from '../support/runs.js'
import {
  actorIds,
  CHANGE_LIMITS,
  createdFold,
  dataOf,
  fieldPath,
  leaf,
  MAX_DEPTH,
  pathsOf,
  pointerTo,
  RECORD_LIMITS,
  withField,
  withoutField,
} from '../support/worlds.js'

// Replicas that send each other every write once, over links that lose, repeat and reorder, and then compare records.

type Delta =
  | { readonly kind: 'change'; readonly change: ChangeDelta }
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'end'; readonly end: End }

type Step =
  /** `whole`: an object is put in the place of the one there, rather than changed to be like it. */
  | {
      readonly kind: 'set'
      readonly at: number
      readonly whole: boolean
      readonly path: readonly string[]
      readonly value: Data[string]
    }
  | { readonly kind: 'remove'; readonly at: number; readonly pick: number }
  | { readonly kind: 'increment'; readonly at: number; readonly path: readonly string[]; readonly by: number }
  | { readonly kind: 'touch' | 'end'; readonly at: number }
  /** Any delta ever sent: one that nothing picks is lost, one picked often is repeated. */
  | { readonly kind: 'deliver'; readonly at: number; readonly pick: number; readonly asks: boolean }
  /** The record of one replica comes to another. */
  | { readonly kind: 'repair'; readonly at: number; readonly from: number }

const at = fc.nat(2)
// Few, so that a counter is deleted and made again now and then.
const counterPath = fc.constantFrom(['n'], ['a', 'n'])
// Mostly in one object, where they meet.
const setPath = fc.oneof(fieldPath, fc.constantFrom(['a'], ['a', 'b'], ['a', 'n'], ['a', 'b', 'b']))
const value: fc.Arbitrary<Data[string]> = fc.oneof(
  { weight: 2, arbitrary: leaf },
  { weight: 1, arbitrary: fc.constantFrom<Data[]>({}, { n: 1 }, { b: { b: 'x' } }, { b: 2, n: 3 }) },
)
const pick = fc.nat(9_999)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('set' as const), at, whole: fc.boolean(), path: setPath, value }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), at, pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('increment' as const), at, path: counterPath, by: fc.nat(9) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('touch' as const), at }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('deliver' as const), at, pick, asks: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repair' as const), at, from: at }) },
)
const lives = fc.array(step, { maxLength: 50, size: 'max' })
const maybeEnded = fc
  .tuple(lives, fc.array(fc.tuple(fc.nat(50), at), { maxLength: 2 }))
  .map(([steps, ends]) =>
    ends.reduce<Step[]>((all, [where, who]) => all.toSpliced(where, 0, { kind: 'end', at: who }), steps),
  )

const travel = (record: SessionRecord): SessionRecord => decodeRecord(encodeRecord(record), RECORD_LIMITS)

class Replica {
  readonly actor: ActorId
  record: SessionRecord | undefined

  constructor(actor: ActorId) {
    this.actor = actor
  }

  join(theirs: SessionRecord | undefined): void {
    if (theirs) this.record = this.record === undefined ? travel(theirs) : joinRecords(this.record, travel(theirs))
  }

  /** Whether the delta could be taken; if not, its sender's record has to be asked for. */
  receive(delta: Delta): boolean {
    if (delta.kind === 'end') this.join({ kind: 'ended', end: delta.end })
    const { record } = this
    if (record === undefined) return false
    if (record.kind === 'ended' || delta.kind === 'end') return true
    if (delta.kind === 'lease') {
      this.record = { ...record, lease: joinLeases(record.lease, delta.lease) }
      return true
    }
    const { change, hash } = decodeChange(delta.change.bytes, CHANGE_LIMITS)
    const state = readiness(record.document, change, delta.change.context)
    if (state === 'ready') {
      expect(changeFault(record.document, change)).toBeUndefined()
      this.record = { ...record, document: applyChange(record.document, change, hash) }
    }
    return state !== 'missing'
  }
}

const edited = (fold: Fold, actor: ActorId, step: Step) => {
  const base = dataOf(fold)
  const whole = step.kind === 'set' && step.whole ? pointerTo(step.path) : undefined
  const isAssigned = (_next: object, _base: object, path: string) => path === whole
  const to = (next: Data) => mutate(fold, actor, diff(base, next, { maxDepth: MAX_DEPTH, isAssigned }))
  if (step.kind === 'set') return to(withField(base, step.path, step.value))
  const paths = pathsOf(base)
  if (step.kind === 'remove')
    return paths.length === 0 ? undefined : to(withoutField(base, paths[step.pick % paths.length]!))
  if (step.kind !== 'increment') return undefined
  try {
    return mutate(fold, actor, incrementEdits(base, pointerTo(step.path), step.by))
  } catch (error) {
    if (!isSojournError(error, 'INVALID_DATA')) throw error
    return undefined
  }
}

/** A write at one replica, and the deltas that carry it. */
const write = (replica: Replica, step: Step, now: number): Delta[] => {
  const { record, actor } = replica
  if (record?.kind !== 'live') return []
  if (step.kind === 'touch') {
    const lease = renewLease(record.lease, now, actor)
    replica.record = { ...record, lease }
    return [{ kind: 'lease', lease }]
  }
  if (step.kind === 'end') {
    const end: End = { reason: 'logout', stamp: nextStamp(undefined, now, actor), horizon: record.limit.horizon }
    replica.join({ kind: 'ended', end })
    return [{ kind: 'end', end }]
  }
  const mutation = edited(record.document, actor, step)
  if (!mutation) return []
  replica.record = { ...record, document: mutation.fold }
  return mutation.changes.map((change) => ({ kind: 'change', change }))
}

const run = (actors: readonly ActorId[], steps: readonly Step[]) => {
  const replicas = actors.map((actor) => new Replica(actor))
  const life = { now: 0, idleMs: 100, lifeMs: 10_000 }
  const origin: SessionRecord = newRecordOf(createdFold({ a: { b: 1 } }, actors[0]!), actors[0]!, life)
  replicas[0]!.record = origin
  const log: { readonly delta: Delta; readonly from: Replica }[] = []
  steps.forEach((step, index) => {
    const replica = replicas[step.at]!
    if (step.kind === 'deliver') {
      const sent = log[step.pick % log.length]
      if (sent && !replica.receive(sent.delta) && step.asks) replica.join(sent.from.record)
    } else if (step.kind === 'repair') replica.join(replicas[step.from]!.record)
    else log.push(...write(replica, step, index * 10).map((delta) => ({ delta, from: replica })))
  })
  return { replicas, log, origin }
}

const expectConverged = (replicas: readonly Replica[]): SessionRecord => {
  const [first] = replicas.map(({ record }) => record!)
  for (const { record } of replicas) {
    expect(record).toEqual(first)
    expect(recordVersion(record!)).toBe(recordVersion(first!))
  }
  return first!
}

/** What somebody who saw every write as it was made would hold. */
const witnessed = ({ origin, log }: ReturnType<typeof run>): SessionRecord => {
  const witness = new Replica('ee'.repeat(16))
  witness.record = origin
  for (const { delta } of log) expect(witness.receive(delta)).toBe(true)
  return witness.record
}

describe('whether a change is next', () => {
  const [a, b, c] = ['0a', '0b', '0c'].map((byte) => byte.repeat(16)) as [ActorId, ActorId, ActorId]
  const fold: Fold = {
    heads: [],
    registers: new Map(),
    seen: new Map([
      [a, { seq: 2, maxOp: 9 }],
      [b, { seq: 1, maxOp: 1 }],
    ]),
  }
  test.each([
    [a, 1, [], 'known'],
    [a, 2, [{ actor: c, seq: 7 }], 'known'],
    [a, 3, [], 'ready'],
    [a, 4, [], 'missing'],
    [a, 3, [{ actor: b, seq: 1 }], 'ready'],
    [a, 3, [{ actor: b, seq: 2 }], 'missing'],
    [
      a,
      3,
      [
        { actor: a, seq: 2 },
        { actor: c, seq: 1 },
      ],
      'missing',
    ],
    [c, 1, [], 'ready'],
    [
      c,
      1,
      [
        { actor: a, seq: 2 },
        { actor: b, seq: 1 },
      ],
      'ready',
    ],
    [c, 2, [], 'missing'],
  ] as const)('[CONV-2] %s as number %d, building on %j, is %s', (actor, seq, context, state) => {
    expect(readiness(fold, { actor, seq, ops: [] }, context)).toBe(state)
  })

  // The making of a counter names the map that it is in, and no change.
  test.each([
    ['what its author makes with it', { actor: c, counter: 1 }, 'ready'],
    ['a map that was seen', { actor: a, counter: 9 }, 'ready'],
    ['a map that was not', { actor: a, counter: 10 }, 'missing'],
    ['a map of whom nobody has seen anything', { actor: 'ee'.repeat(16), counter: 1 }, 'missing'],
  ] as const)('[CONV-2] one with an operation in %s is %s', (_, obj, state) => {
    const inRoot: Op = { action: 'set', obj: undefined, key: 'k', value: 1, pred: [] }
    expect(readiness(fold, { actor: c, seq: 1, ops: [inRoot, { ...inRoot, obj }] }, [])).toBe(state)
    // A change that is known stays known, whatever it names.
    expect(readiness(fold, { actor: b, seq: 1, ops: [{ ...inRoot, obj }] }, [])).toBe('known')
  })
})

describe('replicas that heard of everything in any way hold the same', () => {
  test('[CONV-2] deltas lost, repeated and reordered, then repaired by records', () => {
    fc.assert(
      fc.property(actorIds, maybeEnded, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (actors, steps, order) => {
        const outcome = run(actors, steps)
        const ring = order.map((index) => outcome.replicas[index]!)
        // Once around the ring brings everything to its end, and once more from there to everybody.
        for (const index of [0, 1, 2, 3, 4]) ring[(index + 1) % 3]!.join(ring[index % 3]!.record)
        expect(expectConverged(ring)).toEqual(witnessed(outcome))
      }),
      { numRuns: runs(1_000) },
    )
  })

  test('[CONV-2] deltas alone, in any order, offered again until each was taken', () => {
    fc.assert(
      fc.property(actorIds, maybeEnded, fc.array(pick, { minLength: 1, maxLength: 30 }), (actors, steps, picks) => {
        const outcome = run(actors, steps)
        for (const replica of outcome.replicas) {
          replica.join(outcome.origin)
          const waiting = outcome.log.map(({ delta }) => delta)
          for (let turn = 0; waiting.length > 0; turn++) {
            const start = picks[turn % picks.length]! % waiting.length
            const round = [...waiting.slice(start), ...waiting.slice(0, start)]
            const taken = round.find((delta) => replica.receive(delta))
            expect(taken, 'no delta that is left can be taken').toBeDefined()
            waiting.splice(waiting.indexOf(taken!), 1)
          }
        }
        expect(expectConverged(outcome.replicas)).toEqual(witnessed(outcome))
      }),
      { numRuns: runs(600) },
    )
  })
})
