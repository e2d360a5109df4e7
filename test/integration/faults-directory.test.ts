import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contents, openRegions, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

const temporary = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-copy-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

describe('a region whose directory was deleted', () => {
  test('[FAULT-2] comes back whole from its peers, with what ended', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const ids: string[] = []
    for (const replica of regions.all)
      for (let index = 0; index < 200; index++) {
        const { id } = await replica.create({ by: replica.region, n: 0, cart: { index } })
        ids.push(id)
      }
    await regions.settled()
    await Promise.all(ids.map((id, index) => regions.all[index % 3]!.increment(id, '/n', index)))
    await Promise.all(ids.slice(0, 50).map((id) => regions.a.end(id)))
    await regions.settled()
    const before = await contents(regions.b)
    for (let round = 0; round < 2; round++) {
      await regions.shut('a')
      await rm(regions.location('a'), { recursive: true })
      await regions.b.increment(ids[60 + round]!, '/n')
      await regions.reopen('a')
      await regions.settled()
    }
    expect((await contents(regions.a)).sessions).toHaveLength(550)
    expect((await contents(regions.a)).tombstones).toBe(50)
    expect(regions.a.status()).toMatchObject({ sessions: 550, tombstones: 50 })
    expect((await contents(regions.a)).sessions.length).toBe(before.sessions.length)
    // What it writes from now on is new to all.
    for (const id of ids.slice(100, 120)) await regions.a.increment(id, '/n')
    const { id } = await regions.a.create({ after: true })
    await regions.settled()
    expect(await regions.c.get(id)).toBeDefined()
    expect(await regions.a.get(ids[0]!)).toBeUndefined()
  })

  test('[FAULT-2] in the middle of a chain', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], {
      disk: true,
      pairs: [
        ['a', 'b'],
        ['b', 'c'],
      ],
    })
    const ids = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => (await regions.all[n % 3]!.create({ n })).id),
    )
    await regions.settled()
    await regions.shut('b')
    await rm(regions.location('b'), { recursive: true })
    await regions.a.update(ids[0]!, { late: 'a' })
    await regions.c.update(ids[0]!, { later: 'c' })
    await regions.reopen('b')
    await regions.settled()
    for (const replica of regions.all)
      expect((await replica.get(ids[0]!))!.data).toEqual({ n: 0, late: 'a', later: 'c' })
    expect((await contents(regions.b)).sessions).toHaveLength(100)
  })

  test('[FAULT-2] under load', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const ids = await Promise.all(Array.from({ length: 50 }, async () => (await regions.b.create({ n: 0 })).id))
    await regions.settled()
    let running = true
    let rounds = 0
    const load = (async () => {
      for (; running; rounds++)
        await Promise.all(ids.map((id, index) => [regions.b, regions.c][index % 2]!.increment(id, '/n')))
    })()
    await regions.shut('a')
    await rm(regions.location('a'), { recursive: true })
    const seen = rounds
    await until(() => rounds > seen + 5, 'load')
    await regions.reopen('a')
    await until(async () => regions.a.status().links.b!.state === 'live' && rounds > seen + 20, 'more load')
    running = false
    await load
    await regions.settled()
    for (const replica of regions.all) for (const id of ids) expect((await replica.get(id))!.data.n).toBe(rounds)
  })
})

describe('a region that was restored from an old copy', () => {
  /** Shuts `a`, and puts the directory aside, or back. */
  const copyOf = async (regions: { shut(name: 'a'): Promise<void>; location(name: 'a'): string }) => {
    const copy = await temporary()
    await regions.shut('a')
    await cp(regions.location('a'), copy, { recursive: true })
    return async () => {
      await regions.shut('a')
      await rm(regions.location('a'), { recursive: true })
      await cp(copy, regions.location('a'), { recursive: true })
    }
  }

  test('[FAULT-3] brings nothing back, misses nothing, and its new writes reach all', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const make = async (count: number) =>
      Promise.all(Array.from({ length: count }, async (_, index) => (await regions.a.create({ n: 0, old: index })).id))
    const [kept, ended, rotated] = [await make(50), await make(50), await make(50)]
    await regions.settled()
    const restore = await copyOf(regions)
    await regions.reopen('a')
    await regions.settled()

    for (const id of kept) await regions.a.increment(id, '/n')
    // Ended where it was made, and elsewhere.
    for (const [index, id] of ended.entries()) await regions.all[index % 3]!.end(id)
    const fresh = await Promise.all(
      rotated.map(async (id, index) => {
        const replica = regions.all[index % 3]!
        return (await replica.rotate(id)).id
      }),
    )
    const made = await make(50)
    await regions.settled()
    for (const id of kept) await regions.b.increment(id, '/n')
    await regions.settled()
    const before = await contents(regions.b)

    await restore()
    await regions.reopen('a')
    // Writes before anything can have come from the peers.
    const early = await regions.a.create({ early: true })
    await regions.a.increment(kept[0]!, '/n', 100)
    await regions.settled()
    for (const id of kept.slice(1)) await regions.a.increment(id, '/n', 10)
    await regions.settled()
    for (const replica of regions.all) {
      // A rotated session goes on: only what opened it is gone.
      for (const id of [...ended, ...rotated]) expect(await replica.get(id)).toBeUndefined()
      for (const id of [...fresh, ...made, early.id]) expect(await replica.get(id)).toBeDefined()
      expect((await replica.get(kept[0]!))!.data.n).toBe(102)
      for (const id of kept.slice(1)) expect((await replica.get(id))!.data.n).toBe(12)
      expect(replica.status()).toMatchObject({ sessions: before.sessions.length + 1, tombstones: 50 })
    }
    expect(regions.faults).toEqual([])
  })

  test('[FAULT-3] again and again from one copy', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    const restore = await copyOf(regions)
    for (let round = 1; round <= 5; round++) {
      await restore()
      await regions.reopen('a')
      // Each incarnation writes under the same sequence numbers as the last one did.
      await regions.a.increment(id, '/n')
      await regions.a.create({ round })
      await regions.settled()
      for (const replica of regions.all) {
        expect((await replica.get(id))!.data.n).toBe(round)
        expect(await replica.count()).toBe(round + 1)
      }
    }
  })

  test('[FAULT-3] while its peers only know that the session ended', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    const restore = await copyOf(regions)
    await regions.b.end(id)
    // Peers that have restarted hold nothing but what is on their disks: the tombstone.
    await regions.reopen('b')
    await regions.reopen('c')
    await regions.settled('b', 'c')
    await restore()
    await regions.reopen('a')
    await regions.a.increment(id, '/n').catch(() => {})
    await regions.settled()
    for (const replica of regions.all) {
      expect(await replica.get(id)).toBeUndefined()
      expect(replica.status()).toMatchObject({ sessions: 0, tombstones: 1 })
    }
  })

  test('[FAULT-3] after its peers collected the tombstones', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['a', 'b', 'c'], {
      disk: true,
      ports: { clock },
      purgeGrace: 1,
      session: { idleTimeout: '10m', maxLifetime: '20m' },
    })
    const ended = (await regions.a.create({ n: 0 })).id
    const idle = (await regions.a.create({ n: 0 })).id
    const kept = (await regions.a.create({ n: 0 })).id
    await regions.settled()
    const restore = await copyOf(regions)
    await regions.b.end(ended)
    await regions.settled('b', 'c')
    for (const step of [8, 8]) {
      clock.advance(step * 60_000)
      await regions.b.touch(kept)
      await regions.settled('b', 'c')
    }
    await restore()
    await regions.reopen('a')
    await regions.settled()
    for (const replica of regions.all) {
      expect(await replica.get(ended)).toBeUndefined()
      expect(await replica.get(idle)).toBeUndefined()
      expect(await replica.get(kept)).toBeDefined()
    }
    // Past every deadline, and after each has collected what is due (a reopened one does so at once).
    clock.advance(30 * 60_000)
    await regions.reopen('b')
    await regions.reopen('c')
    await until(() => regions.b.status().tombstones === 0 && regions.c.status().tombstones === 0, 'the purge')
    await restore()
    await regions.reopen('a')
    await regions.settled('b', 'c')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    for (const replica of regions.all)
      for (const id of [ended, idle, kept]) expect(await replica.get(id)).toBeUndefined()
  })

  test('[FAULT-3] a copy that was made while the region was open', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const ids = await Promise.all(Array.from({ length: 100 }, async () => (await regions.a.create({ n: 0 })).id))
    await regions.settled()
    const copy = await temporary()
    const copying = cp(regions.location('a'), copy, { recursive: true })
    for (const id of ids) await regions.a.increment(id, '/n')
    await copying
    for (const id of ids) await regions.a.increment(id, '/n')
    await regions.a.end(ids[0]!)
    await regions.settled()
    await regions.shut('a')
    await rm(regions.location('a'), { recursive: true })
    await cp(copy, regions.location('a'), { recursive: true })
    await regions.reopen('a')
    for (const id of ids.slice(1)) await regions.a.increment(id, '/n')
    await regions.settled()
    for (const replica of regions.all) {
      expect(await replica.get(ids[0]!)).toBeUndefined()
      for (const id of ids.slice(1)) expect((await replica.get(id))!.data.n).toBe(3)
    }
  })
})
