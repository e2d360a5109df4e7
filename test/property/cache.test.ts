import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
// Not a door of the package: the store's own part.
import { Cache } from '../../packages/store/src/cache.js'
import { runs } from '../support/runs.js'

const key = fc.nat(12).map((n) => `k${n}`)
const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key, size: fc.nat(60) }),
  fc.record({ do: fc.constant('get' as const), key }),
  fc.record({ do: fc.constant('delete' as const), key }),
)

describe('the cache', () => {
  test('[BOUND-2] keeps its limits at any moment, gives what was set last, and counts what it has', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 200 }),
        fc.array(step),
        (most, bytes, all) => {
          const cache = new Cache<{ size: number }>(most, bytes)
          const latest = new Map<string, { size: number }>()
          for (const one of all) {
            if (one.do === 'set') {
              const value = { size: one.size }
              cache.set(one.key, value)
              latest.set(one.key, value)
              // What fits by itself is there right after.
              expect(cache.has(one.key)).toBe(one.size <= bytes)
            } else if (one.do === 'delete') {
              cache.delete(one.key)
              latest.delete(one.key)
            } else if (cache.has(one.key)) expect(cache.get(one.key)).toBe(latest.get(one.key))
            else expect(cache.get(one.key)).toBeUndefined()
            const kept = [...latest].filter(([name]) => cache.has(name))
            expect(cache.count).toBe(kept.length)
            expect(cache.bytes).toBe(kept.reduce((sum, [, { size }]) => sum + size, 0))
            expect(cache.count).toBeLessThanOrEqual(most)
            expect(cache.bytes).toBeLessThanOrEqual(bytes)
          }
        },
      ),
      { numRuns: runs(2_000) },
    )
  })

  test('[BOUND-2] keeps what is used all the time, and forgets what is not', () => {
    const cache = new Cache<{ size: number }>(100, 1_000_000)
    for (let n = 0; n < 10; n++) cache.set(`hot${n}`, { size: 1 })
    for (let n = 0; n < 1_000; n++) {
      cache.set(`cold${n}`, { size: 1 })
      for (let hot = 0; hot < 10; hot++) expect(cache.get(`hot${hot}`)).toBeDefined()
    }
    expect(cache.has('cold0')).toBe(false)
    expect(cache.has('cold999')).toBe(true)
    expect(cache.count).toBeGreaterThan(50)
  })
})
