/** Worlds with apps in them: the real client calls real servers over a simulated network. */
import { clientPlanOf, type OperationStep, type Plan, planOf, runPlan } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'
import { expectClean } from '../support/clean-world.js'
import { runs } from '../support/runs.js'

/** Worlds in which a rule was broken once; each line says what it was. */
const PINNED: readonly (readonly [seed: number, found: string])[] = [
  [80, 'a client that was closed reported an end that was done as not done'],
  [463, 'an end that one server had done was refused by the next one, and reported as not done'],
]

const WORLDS = runs(40)

describe('simulated worlds with clients', () => {
  it.each(PINNED)('[SIM-6] seed %i, in which %s', async (seed) => expectClean(await runPlan(clientPlanOf(seed))))

  it.each(Array.from({ length: Math.ceil(WORLDS / 10) }, (_, block) => 1 + block * 10))(
    '[SIM-6] [NET-2] [NET-3] [NET-4] [NET-5] no rule is broken in the worlds from %i on',
    async (first) => {
      for (let seed = first; seed < first + 10; seed++) expectClean(await runPlan(clientPlanOf(seed)))
    },
  )

  it('[SIM-2] a seed is one history, with apps too, and the regions of the world have the same plan as without them', async () => {
    const [one, two] = [await runPlan(clientPlanOf(4)), await runPlan(clientPlanOf(4))]
    expect(two.hash).toBe(one.hash)
    expect(two.transcript).toEqual(one.transcript)
    const { clients: _, ...without } = one.plan
    const steps = one.plan.steps.filter((step) => step.do === 'fault' || (step.do !== 'client-fault' && !step.app))
    expect({ ...without, steps }).toEqual(planOf(4))
  })
})

/** Two apps and two regions, a disk that takes a while, and nothing that goes wrong but what is asked for. */
const quiet = (steps: Plan['steps'], appendMs: number): Plan => {
  const base = clientPlanOf(1)
  const regions = ['eu', 'us']
  const links = { heartbeat: 500, timeout: 3_000, maxReconnectDelay: 500, digestInterval: 5_000 }
  const wire = { latencyMs: 0.5, jitterMs: 0, bytesPerMs: 12_000, loss: 0, duplication: 0 }
  const app = {
    regions,
    clock: 0,
    drift: 0,
    options: {
      timeout: 5_000,
      connectTimeout: 5_000,
      nearCache: { maxEntries: 10, maxBytes: 10_000, maxStale: 1_500 },
      connection: { heartbeat: 1_000, timeout: 3_000, maxReconnectDelay: 500, failback: 1_000 },
    },
  } as const
  const names = ['app-1', 'app-2']
  const options = Object.values(base.options)[0]!
  return {
    seed: 1,
    regions,
    options: Object.fromEntries(regions.map((name) => [name, { ...options, fsync: 'never', links }])),
    wires: { 'eu>us': wire, 'us>eu': wire },
    disks: Object.fromEntries(regions.map((name) => [name, { writeMs: 1, syncMs: 1, appendMs }])),
    clocks: { eu: 0, us: 0 },
    faults: [...new Set(steps.flatMap((step) => (step.do === 'fault' ? [step.fault] : [])))],
    clients: {
      apps: { 'app-1': app, 'app-2': app },
      doors: Object.fromEntries(regions.map((name) => [name, { limits: {}, drainMs: 0 }])),
      wires: Object.fromEntries(
        names
          .flatMap((name) => regions.flatMap((region) => [`${name}>${region}`, `${region}>${name}`]))
          .map((way) => [way, wire]),
      ),
      speaksOld: false,
    },
    steps,
    endsAt: 8_000,
  }
}

let steps = 0
const call = (
  at: number,
  app: string,
  what: OperationStep['do'],
  more: Partial<OperationStep> = {},
): OperationStep => ({
  do: what,
  at,
  n: ++steps,
  app,
  client: app,
  region: '',
  slot: 0,
  read: 'local',
  write: 'local',
  ...more,
})

describe('[NET-5] a near cache beside a disk that refuses', () => {
  it('does not keep what was read of a write that the disk then refused', async () => {
    const result = await runPlan(
      quiet(
        [
          call(2_000, 'app-1', 'create'),
          { do: 'fault', fault: 'disk-full', at: 3_000, region: 'eu', ms: 400, amount: 1 },
          call(3_010, 'app-1', 'set', { field: 'f1' }),
          ...Array.from({ length: 30 }, (_, n) => call(3_012 + n, 'app-2', 'get')),
          ...Array.from({ length: 30 }, (_, n) => call(3_300 + 20 * n, 'app-2', 'get')),
        ],
        20,
      ),
    )
    const { transcript } = result
    expect(transcript.filter((line) => line.includes('STORE_FAILED'))).not.toEqual([])
    // It was seen on its way, by somebody who keeps what it reads.
    expect(transcript.filter((line) => /app-2 get .*f1 v/.test(line))).not.toEqual([])
    expect(transcript.filter((line) => /app-2 get .*cached/.test(line))).not.toEqual([])
    expectClean(result)
  })
})
