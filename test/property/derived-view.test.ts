import { type Data, deriveView, type Fold, isPlainObject, materialize, mutate, type View } from '@sojourn/core/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tokensOf } from '../../packages/core/src/document/identity.js'
import { mapWorlds } from '../support/map-worlds.js'
import { runs } from '../support/runs.js'
import { createdFold, type World, worlds } from '../support/worlds.js'

/** Keys in their order, too: equal data of two regions prints alike. */
const entriesOf = (data: Data): unknown =>
  Object.entries(data).map(([key, value]) => [key, isPlainObject(value) ? entriesOf(value as Data) : value])

const isFrozenThrough = (data: Data): boolean =>
  Object.isFrozen(data) && Object.values(data).every((value) => !isPlainObject(value) || isFrozenThrough(value as Data))

const expectSame = (derived: View, whole: View): void => {
  expect(entriesOf(derived.data)).toEqual(entriesOf(whole.data))
  expect(derived.shareable).toBe(whole.shareable)
  // What is edited in an object of a view belongs to the map that it shows.
  expect(tokensOf(derived.data)).toEqual(tokensOf(whole.data))
  expect(isFrozenThrough(derived.data)).toBe(true)
}

/** Derives the view of each state from that of each other one. */
const countDerived = (arbitrary: fc.Arbitrary<World>, numRuns: number): number => {
  let derived = 0
  fc.assert(
    fc.property(arbitrary, ({ states }) => {
      for (const { fold: before } of states)
        for (const { fold: after } of states) {
          const view = deriveView(materialize(before), before, after)
          if (view === undefined) continue
          derived++
          expectSame(view, materialize(after))
        }
    }),
    { numRuns },
  )
  return derived
}

describe('a view that is derived from the one before', () => {
  test('[CONV-1] is what materializing gives, whatever two states of a document lie between', () => {
    expect(countDerived(worlds(20), runs(400))).toBeGreaterThan(runs(1_000))
  })

  test('[CONV-1] is what materializing gives of maps that are edited, replaced, merged, deleted, and scalars for a while', () => {
    expect(countDerived(mapWorlds(5), runs(150))).toBeGreaterThan(runs(10_000))
  })

  test('[CONV-1] is right after a whole life in which each view is derived from the last one', () => {
    fc.assert(
      fc.property(mapWorlds(10), ({ states }) => {
        let last: { readonly fold: Fold; readonly view: View } | undefined
        for (const { fold } of states) {
          const view = (last && deriveView(last.view, last.fold, fold)) ?? materialize(fold)
          expectSame(view, materialize(fold))
          last = { fold, view }
        }
      }),
      { numRuns: runs(200) },
    )
  })

  test('[CONV-1] shares what has not changed with the view before', () => {
    const data = { user: { name: 'ada' }, cart: { tea: { count: 1 }, milk: { count: 2 } } }
    const before = createdFold(data, '0a'.repeat(16))
    const view = materialize(before)
    const after = mutate(before, '0b'.repeat(16), [{ kind: 'set', path: '/cart/tea/count', value: 3 }])!.fold
    const next = deriveView(view, before, after)!.data as typeof data
    expect(next).toEqual({ user: { name: 'ada' }, cart: { tea: { count: 3 }, milk: { count: 2 } } })
    expect(next.user).toBe(view.data.user)
    expect(next.cart.milk).toBe((view.data as typeof data).cart.milk)
    expect(deriveView(view, before, before)!.data).toBe(view.data)
  })
})
