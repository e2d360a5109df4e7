import { sessionKey } from '@sojourn/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NearCache } from '../../packages/client/src/near-cache.js'
import { SessionSnapshot } from '../../packages/client/src/session-snapshot.js'
import { runs } from '../support/runs.js'

const snapshot = (bytes: number, opensUntil?: number) =>
  new SessionSnapshot({
    data: new Uint8Array(bytes),
    objects: [],
    createdAt: 0,
    expiresAt: 1_000,
    who: opensUntil === undefined ? {} : { opensUntil },
  })

/** Three sessions with three ids each. */
const IDS = ['a', 'b', 'c'].flatMap((locator) =>
  ['x', 'y', 'z'].map((secret) => `${locator.repeat(22)}.${secret.repeat(22)}`),
)

describe('the near cache', () => {
  it('[NET-15] has what its ids were given and no change took back, by the whole id, within its bounds', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), id: fc.nat(8), bytes: fc.nat(40) }),
      fc.record({ kind: fc.constant('get' as const), id: fc.nat(8), bytes: fc.constant(0) }),
      fc.record({ kind: fc.constant('delete' as const), id: fc.nat(8), bytes: fc.constant(0) }),
    )
    const bounds = fc.record({
      maxEntries: fc.integer({ min: 1, max: 9 }),
      maxBytes: fc.integer({ min: 40, max: 200 }),
    })
    fc.assert(
      fc.property(bounds, fc.array(step, { maxLength: 60 }), ({ maxEntries, maxBytes }, steps) => {
        const cache = new NearCache({ maxEntries, maxBytes })
        /** In the order of use. */
        const model = new Map<string, SessionSnapshot>()
        const bytes = () => [...model.values()].reduce((sum, each) => sum + each.bytes.length, 0)
        for (const { kind, id: place, bytes: size } of steps) {
          const id = IDS[place]!
          const known = model.get(id)
          if (kind === 'set') {
            const made = snapshot(size)
            cache.set(id, made, true)
            model.delete(id)
            model.set(id, made)
            for (const oldest of model.keys()) if (model.size > maxEntries || bytes() > maxBytes) model.delete(oldest)
          } else if (kind === 'get') {
            expect(cache.get(id, true, 0)).toBe(known)
            if (known) {
              model.delete(id)
              model.set(id, known)
            }
          } else {
            cache.delete(sessionKey(id))
            for (const each of IDS) if (sessionKey(each) === sessionKey(id)) model.delete(each)
          }
          expect(cache.status).toMatchObject({ entries: model.size, bytes: bytes() })
        }
        for (const id of IDS) expect(cache.get(id, true, 0)).toBe(model.get(id))
      }),
      { numRuns: runs(100) },
    )
  })

  it('[NET-15] shows a superseded id until its grace ends, and the other one until the session ends', () => {
    const cache = new NearCache({ maxEntries: 9, maxBytes: 1_000 })
    const [old, now] = [snapshot(1, 500), snapshot(1)]
    cache.set(IDS[0]!, old, true)
    cache.set(IDS[1]!, now, true)
    expect([cache.get(IDS[0]!, true, 499), cache.get(IDS[0]!, true, 500)]).toEqual([old, undefined])
    expect([cache.get(IDS[1]!, true, 999), cache.get(IDS[1]!, true, 1_000)]).toEqual([now, undefined])
  })
})
