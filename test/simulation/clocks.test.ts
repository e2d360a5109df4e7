/** Clocks that are wrong for a minute, or from the start: nothing is lost, links come back, and every region is whole within seconds. */
import type { Fault, Replica } from '@sojourn/replica'
import { type Plan, World } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'

const HOUR = 3_600_000
const SESSIONS = 100

const planOf = (regions: readonly string[]): Plan => {
  const each = <T>(names: readonly string[], value: T) => Object.fromEntries(names.map((name) => [name, value]))
  const ways = regions.flatMap((from) => regions.filter((to) => to !== from).map((to) => `${from}>${to}`))
  return {
    seed: 1,
    regions,
    options: each(regions, { session: { idleTimeout: '30m', maxLifetime: '12h' } }),
    wires: each(ways, { latencyMs: 20, jitterMs: 5, bytesPerMs: 10_000, loss: 0, duplication: 0 }),
    disks: each(regions, { writeMs: 0, syncMs: 0, appendMs: 0 }),
    clocks: each(regions, 0),
    wildClocks: true,
    faults: [],
    steps: [],
    endsAt: 0,
  }
}

class Story {
  readonly world: World
  readonly regions: readonly string[]
  ids: string[] = []
  readonly faults: Fault[] = []

  constructor(regions: readonly string[]) {
    this.regions = regions
    this.world = new World(planOf(regions))
    for (const region of this.world.regions.values()) region.start()
  }

  at(region: string): Replica {
    return this.world.regions.get(region)!.replica!
  }

  step(region: string, byMs: number): void {
    this.world.regions.get(region)!.machine.clock.step(byMs)
  }

  pass(ms: number): Promise<void> {
    return this.world.time.advance(ms)
  }

  async begin(): Promise<void> {
    await this.pass(3_000)
    for (let n = 0; n < SESSIONS; n++) {
      const at = this.at(this.regions[n % this.regions.length]!)
      this.ids.push((await this.world.during(at.create({ n }))).id)
    }
    await this.pass(5_000)
    for (const region of this.regions) this.at(region).on('fault', (fault) => this.faults.push(fault))
  }

  /** Every session is used, each in another region than the last time. */
  async use(turn: number): Promise<void> {
    for (const [n, id] of this.ids.entries()) {
      const at = this.at(this.regions[(n + turn) % this.regions.length]!)
      await this.world.during(at.update(id, { [`turn${turn}`]: true }))
    }
  }

  /** What a region shows of the sessions. */
  async shown(region: string): Promise<unknown[]> {
    const found = await Promise.all(this.ids.map((id) => this.world.during(this.at(region).get(id))))
    return found.flatMap((session) => (session ? [session.data] : []))
  }

  async expectWhole(): Promise<void> {
    const [first, ...others] = this.regions
    const shown = await this.shown(first!)
    expect(shown).toHaveLength(this.ids.length)
    for (const other of others) expect(await this.shown(other)).toEqual(shown)
    expect(this.world.disagreement()).toBeUndefined()
  }
}

describe('[CLOCK-1] a clock that is wrong for a minute', () => {
  it.each([
    ['49 hours ahead', ['eu', 'us', 'ap'], 49 * HOUR],
    ['49 hours ahead, of two regions', ['eu', 'us'], 49 * HOUR],
    ['an hour ahead', ['eu', 'us', 'ap'], HOUR],
    ['an hour ahead, of two regions', ['eu', 'us'], HOUR],
    ['an hour late', ['eu', 'us', 'ap'], -HOUR],
    ['forty years late', ['eu', 'us', 'ap'], -40 * 365 * 24 * HOUR],
  ])('%s: nothing is lost, and all is everywhere within seconds', async (_, regions, byMs) => {
    const story = new Story(regions)
    await story.begin()
    story.step('eu', byMs)
    await story.use(1)
    await story.pass(40_000)
    // The region knows, goes by the others' time, and goes on.
    expect(story.at('eu').status().clock.isTrusted).toBe(false)
    expect(Math.abs(story.at('eu').status().clock.offBy - byMs)).toBeLessThan(10_000)
    for (const other of regions.slice(1)) expect(story.at(other).status().clock).toEqual({ isTrusted: true, offBy: 0 })
    expect(story.faults.map(({ code }) => code)).toEqual(['CLOCK_UNTRUSTED'])
    await story.use(2)
    expect(await story.shown('eu')).toHaveLength(SESSIONS)
    await story.pass(40_000)
    expect(story.at('eu').status()).toMatchObject({ sessions: SESSIONS, expired: 0 })
    expect(story.at('us').status().links.eu).toMatchObject({ state: 'down', lastError: { code: 'LINK_SKEW' } })

    story.step('eu', -byMs)
    await story.pass(10_000)
    await story.expectWhole()
    expect(story.at('eu').status().clock).toEqual({ isTrusted: true, offBy: 0 })
    for (const region of regions) expect(story.at(region).status().totals.refusedItems).toBe(0)
  })

  it('49 hours ahead, and the process starts anew meanwhile', async () => {
    const story = new Story(['eu', 'us', 'ap'])
    await story.begin()
    story.step('eu', 49 * HOUR)
    const eu = story.world.regions.get('eu')!
    eu.kill(true)
    await story.pass(1_000)
    eu.start()
    await story.pass(10_000)
    expect(story.at('eu').status().clock.isTrusted).toBe(false)
    await story.use(1)
    await story.pass(70_000)
    expect(story.at('eu').status().sessions).toBe(SESSIONS)
    story.step('eu', -49 * HOUR)
    await story.pass(10_000)
    await story.expectWhole()
  })
})

describe('[CLOCK-2] leases of a clock that was wrong when nobody was there to say so', () => {
  it('are left out elsewhere, hold up nothing, and are replaced when the sessions are used', async () => {
    const story = new Story(['eu', 'us', 'ap'])
    await story.begin()
    const { network } = story.world
    const eu = story.world.regions.get('eu')!
    eu.kill(true)
    for (const other of ['us', 'ap']) {
      network.block('eu', other)
      network.block(other, 'eu')
    }
    story.step('eu', 49 * HOUR)
    eu.start()
    await story.pass(1_000)
    const { id } = await story.world.during(story.at('eu').create({ far: 'ahead' }))
    await story.pass(20_000)
    story.step('eu', -49 * HOUR)
    eu.kill(true)
    network.unblockAll()
    await story.pass(1_000)
    eu.start()
    await story.pass(10_000)
    // Nothing else is held up by it, and it is reported.
    await story.use(1)
    await story.pass(3_000)
    await story.expectWhole()
    for (const other of ['us', 'ap']) {
      expect(story.at(other).status().totals.refusedItems).toBeGreaterThan(0)
      expect(await story.at(other).get(id)).toBeUndefined()
    }
    expect(story.faults.map(({ code }) => code)).toContain('ITEM_REFUSED')

    await story.world.during(story.at('eu').touch(id))
    await story.pass(3_000)
    story.ids.push(id)
    await story.expectWhole()
  })
})
