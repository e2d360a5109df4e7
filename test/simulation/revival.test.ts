import type { Replica } from '@sojourn/replica'
import { type Plan, World } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'

const REGIONS = ['ap', 'eu', 'us']
const WAYS = REGIONS.flatMap((from) => REGIONS.filter((to) => to !== from).map((to) => `${from}>${to}`))
const each = <T>(names: readonly string[], value: T) => Object.fromEntries(names.map((name) => [name, value]))

const options = {
  session: { idleTimeout: 10_000, maxLifetime: 300_000 },
  purgeGrace: 5_000,
  links: { heartbeat: 1_000, timeout: 3_000, maxReconnectDelay: 1_000, digestInterval: 3_600_000 },
}

const PLAN: Plan = {
  seed: 1,
  regions: REGIONS,
  // What ap has purged is not among its recent commits either.
  options: { ...each(REGIONS, options), ap: { ...options, purgeGrace: 1, limits: { maxRecentCommits: 1 } } },
  wires: each(WAYS, { latencyMs: 5, jitterMs: 0, bytesPerMs: 10_000, loss: 0, duplication: 0 }),
  disks: each(REGIONS, { writeMs: 0, syncMs: 0, appendMs: 0 }),
  clocks: each(REGIONS, 0),
  faults: [],
  steps: [],
  endsAt: 0,
}

describe('a session that idled out and comes back', () => {
  // Found by thinking it through: ap's claim on us's feed covers an edit that ap has purged, so us never sends it to eu.
  it('[EXP-2] has the edit of a region that still holds it, although another had purged it and reported that it was held', async () => {
    const world = new World(PLAN)
    const { network, time } = world
    const cut = (a: string, b: string) => {
      network.block(a, b)
      network.block(b, a)
      network.reset(a, b)
    }
    const heal = (a: string, b: string) => {
      network.unblock(a, b)
      network.unblock(b, a)
    }
    for (const region of world.regions.values()) region.start()
    await time.advance(2_000)
    const [ap, eu, us] = REGIONS.map((name) => world.regions.get(name)!.replica!) as [Replica, Replica, Replica]
    const { id } = await world.during(us.create({ from: 'us' }))
    await time.advance(500)

    cut('eu', 'us')
    cut('eu', 'ap')
    await world.during(us.update(id, { edited: true }, { touch: false }))
    await time.advance(8_000)
    await world.during(eu.touch(id))
    await time.advance(2_000)
    expect(await ap.get(id)).toBeUndefined()
    expect(ap.status()).toMatchObject({ sessions: 0, expired: 0 })
    expect(us.status()).toMatchObject({ sessions: 0, expired: 1 })

    await world.during(ap.create({ another: 'session' }))
    cut('ap', 'us')
    heal('eu', 'ap')
    await time.advance(4_000)
    expect((await eu.get(id))?.data).toEqual({ from: 'us' })
    heal('eu', 'us')
    await time.advance(4_000)
    for (const replica of [ap, eu, us]) expect((await replica.get(id))?.data).toEqual({ from: 'us', edited: true })
  })
})
