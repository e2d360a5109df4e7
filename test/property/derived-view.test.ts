import { type Data, deriveView, isPlainObject, materialize } from '@sojourn/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.js'
import { worlds } from '../support/worlds.js'

/** Keys in their order, too: equal data of two regions prints alike. */
const entriesOf = (data: Data): unknown =>
  Object.entries(data).map(([key, value]) => [key, isPlainObject(value) ? entriesOf(value as Data) : value])

const isFrozenThrough = (data: Data): boolean =>
  Object.isFrozen(data) && Object.values(data).every((value) => !isPlainObject(value) || isFrozenThrough(value as Data))

describe('a view that is derived from the one before', () => {
  test('[CONV-1] is what materializing gives, whatever two states of a document lie between', () => {
    let derived = 0
    fc.assert(
      fc.property(worlds(20), ({ states }) => {
        for (const { fold: before } of states)
          for (const { fold: after } of states) {
            const view = deriveView(materialize(before), before, after)
            if (view === undefined) continue
            derived++
            const whole = materialize(after)
            expect(entriesOf(view.data)).toEqual(entriesOf(whole.data))
            expect(view.shareable).toBe(whole.shareable)
            expect(isFrozenThrough(view.data)).toBe(true)
          }
      }),
      { numRuns: runs(400) },
    )
    expect(derived).toBeGreaterThan(1_000)
  })
})
