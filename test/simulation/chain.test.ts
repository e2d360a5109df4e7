import { type Plan, World } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'

const REGIONS = ['ap', 'eu', 'us']
const WAYS = REGIONS.flatMap((from) => REGIONS.filter((to) => to !== from).map((to) => `${from}>${to}`))
const each = <T>(names: readonly string[], value: T) => Object.fromEntries(names.map((name) => [name, value]))

const HEARTBEAT_MS = 1_000

const PLAN: Plan = {
  seed: 1,
  regions: REGIONS,
  options: each(REGIONS, { links: { heartbeat: HEARTBEAT_MS, timeout: 3_000 } }),
  wires: each(WAYS, { latencyMs: 1, jitterMs: 0, bytesPerMs: 10_000, loss: 0, duplication: 0 }),
  disks: each(REGIONS, { writeMs: 0, syncMs: 0, appendMs: 0 }),
  clocks: each(REGIONS, 0),
  faults: [],
  steps: [],
  endsAt: 0,
}

describe('a region that is reached through another one', () => {
  // CI found it: what the far region holds was learned from its heartbeat, and passed on only where an acknowledgement had said so first.
  it('[QUO-1] counts for a write soon, whatever tells the middle that it holds the write', async () => {
    const world = new World(PLAN)
    const { network, time } = world
    network.block('ap', 'us')
    network.block('us', 'ap')
    for (const region of world.regions.values()) region.start()
    await time.advance(2_000)
    const us = world.regions.get('us')!.replica!
    const took: number[] = []
    // Steps that are no divisor of the heartbeat come to every place between two of them.
    for (let count = 0; count < 400; count++) {
      const before = time.now
      await world.during(us.create({ count }, { write: 'all', timeout: 3 * HEARTBEAT_MS }))
      took.push(time.now - before)
      await time.advance(7)
    }
    // Four ways over a wire, and the moment for which what nobody asked for is saved up.
    expect(Math.max(...took)).toBeLessThan(60)
  })
})
