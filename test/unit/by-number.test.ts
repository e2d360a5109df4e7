import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByNumber } from '../../packages/client/src/by-number.js'
import { runs } from '../support/runs.js'

interface Item {
  readonly number: number
  next: Item | undefined
}

const item = (number: number): Item => ({ number, next: undefined })

describe('calls by their numbers', () => {
  test('[NET-2] a table holds what was added and not deleted, also where it has fewer slots than that', () => {
    // What is added, or which of those that are here is deleted.
    const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat(50)), { maxLength: 200 })
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 8), steps, (slots, todo) => {
        const table = new ByNumber<Item>(slots)
        const model = new Map<number, Item>()
        let last = 0
        for (const step of todo) {
          if (step === 'add') {
            const added = item(++last)
            table.add(added)
            model.set(last, added)
          } else {
            const doomed = [...model.values()][step]
            if (doomed === undefined) continue
            table.delete(doomed)
            model.delete(doomed.number)
            expect(doomed.next).toBeUndefined()
          }
          expect(table.size).toBe(model.size)
          expect(table.oldest).toBe([...model.keys()][0] ?? last + 1)
        }
        expect(table.all()).toEqual([...model.values()])
        for (let number = 0; number <= last + 1; number++) expect(table.get(number)).toBe(model.get(number))
      }),
      { numRuns: runs(100) },
    )
  })

  test('[NET-2] numbers beyond 32 bits are distinguished', () => {
    const table = new ByNumber<Item>(4)
    const [low, high] = [item(5), item(5 + 2 ** 33)]
    table.add(low)
    table.add(high)
    expect(table.get(5)).toBe(low)
    expect(table.get(5 + 2 ** 33)).toBe(high)
    table.delete(low)
    expect(table.get(5)).toBeUndefined()
    expect(table.get(5 + 2 ** 33)).toBe(high)
  })
})
