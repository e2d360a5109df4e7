/** Random histories whose authors meet in few maps: they edit, replace and delete the same fields of the same objects. */
import fc from 'fast-check'
import { actorIds, type step as anyStep, play, type World } from './worlds.js'

type Step = typeof anyStep extends fc.Arbitrary<infer S> ? S : never

const KEYS = ['a', 'b'] as const
const by = fc.nat(2)
// Seldom: what was read long ago lacks the object around the field, so that the edit replaces it.
const late = fc.nat(5).map((drawn) => drawn === 0)
const whole = fc.nat(2).map((drawn) => drawn === 0)
const key = fc.constantFrom(...KEYS)
const path = fc.oneof(
  { weight: 1, arbitrary: fc.tuple(key) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('a'), key) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('a'), fc.constant('a'), key) },
)
/** Few scalars, so that two makings often set the same. */
const scalar = fc.constantFrom<(number | string | null)[]>(0, 1, 'x', null)
const object = fc.letrec<{ node: unknown; object: Record<string, never> }>((tie) => ({
  object: fc.dictionary(key, tie('node'), { maxKeys: 2, noNullPrototype: true }) as fc.Arbitrary<Record<string, never>>,
  node: fc.oneof({ maxDepth: 2 }, { weight: 3, arbitrary: scalar }, { weight: 2, arbitrary: tie('object') }),
})).object

const assign = (value: fc.Arbitrary<number | string | null | Record<string, never>>): fc.Arbitrary<Step> =>
  fc.record({ kind: fc.constant('assign' as const), by, late, whole, path, value })

const edit: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: assign(scalar) },
  { weight: 4, arbitrary: assign(object) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), by, late, pick: fc.nat(99) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('increment' as const),
      by,
      path,
      amount: fc.integer({ min: -2, max: 2 }),
    }),
  },
)
const move: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), by }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'deliver' as const), by, from: by }) },
)

/** Everybody learns everything, and sees it. */
const SYNC: readonly Step[] = [
  ...([1, 2] as const).map((from): Step => ({ kind: 'deliver', by: 0, from })),
  ...([1, 2] as const).map((to): Step => ({ kind: 'join', by: to, from: 0 })),
  ...([0, 1, 2] as const).map((reader): Step => ({ kind: 'read', by: reader })),
]
/** What all know is edited by several at one time, and then some of them learn of some of it. */
const round: fc.Arbitrary<readonly Step[]> = fc
  .record({
    sync: fc.nat(2).map((drawn) => (drawn === 0 ? [] : SYNC)),
    edits: fc.array(edit, { minLength: 1, maxLength: 4, size: 'max' }),
    moves: fc.array(move, { maxLength: 4, size: 'max' }),
  })
  .map(({ sync, edits, moves }) => [...sync, ...edits, ...moves])

export const mapWorlds = (maxRounds: number): fc.Arbitrary<World> =>
  fc
    .tuple(actorIds, fc.array(round, { minLength: 1, maxLength: maxRounds, size: 'max' }))
    .map(([actors, rounds]) => play(actors, rounds.flat()))
