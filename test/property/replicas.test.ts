import { isSojournError, type Replica } from '@sojourn/replica'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../support/runs.js'
import { Cluster, REGIONS } from '../support/virtual-cluster.js'

const SESSIONS = 4

/** Small, so that links fall behind and catch up. */
const LIMITS = { limits: { maxRecentCommits: 6, targetFrameBytes: 400 } }

interface Wait {
  do: 'wait'
  ms: number
}

type Step =
  | { do: 'create' | 'set' | 'increment' | 'touch' | 'end' | 'rotate' | 'remove'; at: number; session: number }
  | { do: 'cut' | 'heal'; at: number; other: number }
  | Wait
  | { do: 'restart' | 'kill'; at: number }

const region = fc.nat(REGIONS.length - 1)
const session = fc.nat(SESSIONS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('create' as const), at: region, session }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom('set', 'increment'), at: region, session }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('touch', 'remove'), at: region, session }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('end', 'rotate'), at: region, session }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('cut', 'heal'), at: region, other: region }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 100 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 500, max: 4_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 4_000, max: 90_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart', 'kill'), at: region }) },
)

/** What a client may rely on: fields and sums that were acknowledged, and ends. */
interface Expectation {
  id: string
  fields: Set<string>
  removed: Set<string>
  views: number
  ended: boolean
  createdAt: number
}

const play = async (cluster: Cluster, steps: readonly Step[]): Promise<Expectation[]> => {
  for (const name of REGIONS) await cluster.open(name)
  await cluster.time.advance(200)
  const expectations = new Map<number, Expectation>()
  const all: Expectation[] = []
  let count = 0
  for (const step of steps) {
    if ('ms' in step) await cluster.time.advance(step.ms)
    else if ('other' in step) {
      const [a, b] = [REGIONS[step.at]!, REGIONS[step.other]!]
      if (a !== b) cluster.network[step.do](a, b)
    } else if (!('session' in step)) await cluster.restart(REGIONS[step.at]!, step.do)
    else {
      const replica = cluster.replicas.get(REGIONS[step.at]!)!
      const expected = expectations.get(step.session)
      if (step.do === 'create') {
        const made = await cluster.during(replica.create({ user: 'ada', cart: {} }))
        const fresh = { id: made.id, fields: new Set<string>(), removed: new Set<string>(), views: 0, ended: false }
        expectations.set(step.session, { ...fresh, createdAt: made.createdAt })
        all.push(expectations.get(step.session)!)
      } else if (expected) await act(cluster, replica, step.do, expected, ++count).catch(ignoreAbsent)
    }
  }
  return all
}

const ignoreAbsent = (error: unknown) => {
  if (!isSojournError(error, 'SESSION_NOT_FOUND')) throw error
}

const act = async (
  cluster: Cluster,
  replica: Replica,
  what: 'set' | 'increment' | 'touch' | 'end' | 'rotate' | 'remove',
  expected: Expectation,
  count: number,
): Promise<void> => {
  const { id } = expected
  if (what === 'set') {
    const field = `f${count}`
    await cluster.during(
      replica.update(id, (draft) => {
        if (count % 2) draft.cart[field] = count
        else draft[field] = count
      }),
    )
    expected.fields.add(count % 2 ? `/cart/${field}` : `/${field}`)
  } else if (what === 'increment') {
    await cluster.during(replica.increment(id, '/views', count))
    expected.views += count
  } else if (what === 'remove') {
    await cluster.during(
      replica.update(id, (draft) => {
        for (const key of Object.keys(draft.cart)) expected.removed.add(`/cart/${key}`)
        draft.cart = {}
      }),
    )
  } else if (what === 'touch') await cluster.during(replica.touch(id))
  else if (what === 'end') {
    await cluster.during(replica.end(id))
    expected.ended = true
  } else {
    await cluster.during(replica.rotate(id))
    expected.ended = true
  }
}

const recordsOf = async (replica: Replica): Promise<Map<string, unknown>> => {
  const out = new Map<string, unknown>()
  for await (const { key, data, createdAt, expiresAt } of replica.sessions())
    out.set(key, { data, createdAt, expiresAt })
  return out
}

describe('three replicas under random schedules', () => {
  it('[CONV-5] converge after partitions, restarts and kills; acknowledged writes stay, ended sessions do not return', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 20 }),
        fc.array(step, { minLength: 20, maxLength: 80 }),
        async (seed, steps) => {
          const cluster = new Cluster(seed, LIMITS)
          const expectations = await play(cluster, steps)
          cluster.network.healAll()
          await cluster.time.advance(8_000)

          for (const replica of cluster.replicas.values())
            for (const link of Object.values(replica.status().links))
              expect(link).toMatchObject({ state: 'live', behind: 0 })
          const states = new Map<string, Map<string, unknown>>()
          for (const [name, replica] of cluster.replicas) states.set(name, await recordsOf(replica))
          const [first, ...others] = REGIONS.map((name) => states.get(name)!)
          for (const other of others) expect(other).toEqual(first)

          for (const { id, fields, removed, views, ended } of expectations) {
            const found = (await cluster.replicas.get('eu')!.get(id))?.data
            if (ended) expect(found).toBeUndefined()
            if (!found) continue
            for (const field of fields) if (!removed.has(field)) expect(at(found, field)).toBeDefined()
            if (views > 0) expect(found.views).toBe(views)
          }

          // Past every deadline nothing is left: no session, no tombstone.
          await cluster.time.advance(310_000)
          for (const replica of cluster.replicas.values())
            expect(replica.status()).toMatchObject({ sessions: 0, expired: 0, tombstones: 0 })
          await cluster.close()
        },
      ),
      { numRuns: runs(60) },
    )
  })
})

const at = (data: Record<string, unknown>, pointer: string): unknown =>
  pointer
    .slice(1)
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], data)
