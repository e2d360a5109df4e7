import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type SessionKey, sessionKey } from '@sojourn/core'
import { openReplica, type Replica } from '@sojourn/replica'
import { ClassicLevel } from 'classic-level'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contents, openRegions, SECRET } from '../support/region.js'
import { openRegionProcess, type RegionProcess } from '../support/region-process.js'
import { seeded } from '../support/seeded.js'
import { until } from '../support/until.js'

type Row = [key: Uint8Array, value: Uint8Array]
type Kind = 'r' | 'f' | 'x' | 'm'

/** Rewrites rows of a closed store, as rot would: `change` gives the new value, or nothing for a row that is lost. */
const rewrite = async (
  location: string,
  kind: Kind,
  change: (value: Uint8Array, index: number, key: Uint8Array) => Uint8Array | undefined,
): Promise<number> => {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view' })
  const from = Buffer.from(kind)
  const rows: Row[] = await level.iterator({ gte: from, lt: Uint8Array.of(from[0]! + 1) }).all()
  for (const [index, [key, value]] of rows.entries()) {
    const changed = change(value, index, key)
    if (changed === undefined) await level.del(key)
    else if (changed !== value) await level.put(key, changed)
  }
  await level.close()
  return rows.length
}

const flip = (bytes: Uint8Array, at: number, bit = 0): Uint8Array => {
  const copy = new Uint8Array(bytes)
  copy[at] = copy[at]! ^ (1 << bit)
  return copy
}

const keyOf = (row: Uint8Array): SessionKey => Buffer.from(row.subarray(1)).toString('hex')
const isOf = (id: string) => (row: Uint8Array) => keyOf(row) === sessionKey(id)

const make = async (replica: Replica, count: number): Promise<string[]> =>
  Promise.all(
    Array.from(
      { length: count },
      async (_, n) => (await replica.create({ user: `user ${n}`, n, cart: { [`item${n}`]: n } })).id,
    ),
  )

const corrupt = (regions: { faults: readonly { region: string; code: string }[] }) =>
  regions.faults.filter(({ region, code }) => region === 'a' && code === 'STORE_CORRUPT')

/**
 * Rounds of digests until all is healed: what is said over a link that is given up, or that gives way to the one which the other
 * side dialled, is lost with it, and the next round finds the rest.
 */
const compareUntil = (region: { compareDigests(): Promise<unknown> }, isHealed: () => Promise<boolean>) =>
  until(async () => {
    await region.compareDigests()
    await new Promise((resolve) => setImmediate(resolve))
    return isHealed()
  }, 'all to be healed')

/** Same sessions everywhere, and the counts are those of what is there. */
const expectWhole = async (regions: { all: readonly Replica[] }) => {
  const [first, ...rest] = await Promise.all(regions.all.map(contents))
  for (const other of rest) expect(other).toEqual(first)
  for (const replica of regions.all)
    expect(replica.status()).toMatchObject({ sessions: first!.sessions.length, tombstones: first!.tombstones })
}

describe('a rotten record', () => {
  test('[ROT-1] whichever byte it is: noticed, reported, and healed by a peer', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    // A session for each byte of a record.
    const ids = await make(regions.a, 400)
    await regions.settled()
    const before = await contents(regions.b)
    await regions.shut('a')
    let length = 0
    await rewrite(regions.location('a'), 'r', (value, index) => {
      length = Math.max(length, value.length)
      return flip(value, index % value.length, index % 8)
    })
    expect(length).toBeLessThan(ids.length)
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    for (const id of ids) expect((await regions.a.get(id))?.data).toEqual((await regions.b.get(id))!.data)
    expect(corrupt(regions)).toHaveLength(ids.length)
    expect(regions.a.status().totals.rotten).toBe(ids.length)
    expect(await contents(regions.a)).toEqual(before)
    // They are sound now, on the disk, too.
    await regions.reopen('a')
    await regions.settled()
    await expectWhole(regions)
    expect(corrupt(regions)).toHaveLength(ids.length)
  })

  test('[ROT-1] the counts are right after healing, and nothing is left when the sessions are gone', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    const ids = await make(regions.a, 20)
    await regions.settled()
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value) => flip(value, 12))
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    for (const id of ids) await regions.a.get(id)
    await expectWhole(regions)
  })

  test('[ROT-1] without peers: refused with STORE_CORRUPT, and it can be ended', async () => {
    await using regions = await openRegions(['a'], { disk: true })
    const [bad, good] = (await make(regions.a, 2)) as [string, string]
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value, _index, key) => (isOf(bad)(key) ? flip(value, 30) : value))
    await regions.reopen('a')
    const failure = { code: 'STORE_CORRUPT' }
    await expect(regions.a.get(bad)).rejects.toMatchObject(failure)
    await expect(regions.a.update(bad, { n: 1 })).rejects.toMatchObject(failure)
    await expect(regions.a.touch(bad)).rejects.toMatchObject(failure)
    await expect(regions.a.rotate(bad)).rejects.toMatchObject(failure)
    await expect(regions.a.create({}, { id: bad })).rejects.toMatchObject(failure)
    expect((await contents(regions.a)).sessions).toHaveLength(1)
    expect((await regions.a.get(good))!.data.n).toBe(1)
    expect(corrupt(regions)).toHaveLength(1)
    expect(regions.a.status().totals).toMatchObject({ rotten: 1, repaired: { rot: 0 } })
    await regions.a.end(bad)
    expect(await regions.a.get(bad)).toBeUndefined()
    await regions.reopen('a')
    expect(await regions.a.get(bad)).toBeUndefined()
  })

  test('[ROT-1] one of two peers is down: the other one heals it', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const [id] = (await make(regions.a, 1)) as [string]
    await regions.settled()
    await regions.shut('c')
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value) => flip(value, 30))
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    expect((await regions.a.get(id))!.data.n).toBe(0)
    // Noticed once, and mended once.
    expect(regions.a.status().totals).toMatchObject({ rotten: 1, repaired: { rot: 1 } })
  })

  test('[ROT-1] it is rotten in two regions: the third heals both', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const ids = await make(regions.a, 20)
    await regions.settled()
    for (const name of ['a', 'b'] as const) {
      await regions.shut(name)
      await rewrite(regions.location(name), 'r', (value) => flip(value, 30))
      await regions.reopen(name)
    }
    await regions.settled('a')
    await until(
      () => regions.all.every((one) => Object.values(one.status().links).every(({ state }) => state === 'live')),
      'the links',
    )
    for (const id of ids) expect((await regions.a.get(id))!.data).toEqual((await regions.c.get(id))!.data)
    for (const id of ids) expect((await regions.b.get(id))!.data).toEqual((await regions.c.get(id))!.data)
    await regions.settled()
  })

  test('[ROT-1] a write that comes first: from here, and from a peer', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    const [here, there, ended, touched] = (await make(regions.a, 4)) as [string, string, string, string]
    await regions.settled()
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value) => flip(value, 30))
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    await regions.a.increment(here, '/n', 10)
    await regions.b.increment(there, '/n', 10)
    await regions.b.end(ended)
    await regions.b.touch(touched, { idleTimeout: '2h' })
    await regions.settled()
    expect((await regions.a.get(here))!.data.n).toBe(10)
    expect((await regions.a.get(there))!.data.n).toBe(11)
    expect(await regions.a.get(ended)).toBeUndefined()
    expect((await regions.a.get(touched))!.data.n).toBe(3)
    await expectWhole(regions)
  })

  test('[ROT-1] it is asked for by a quorum of peers', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const [id] = (await make(regions.a, 1)) as [string]
    await regions.settled()
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value) => flip(value, 30))
    await regions.reopen('a')
    await until(() => regions.b.status().links.a!.state === 'live', 'the link')
    expect((await regions.b.get(id, { read: 'majority' }))!.data.n).toBe(0)
    await until(async () => regions.a.status().totals.rotten === 1, 'the rot to be noticed')
    expect((await regions.a.get(id))!.data.n).toBe(0)
  })

  test('[ROT-2] nobody reads it: a round of digests finds it', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    await make(regions.a, 100)
    const [ended] = (await make(regions.a, 1)) as [string]
    await regions.a.end(ended)
    await regions.settled()
    const before = await contents(regions.b)
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', (value, index) => (index % 3 === 0 ? flip(value, 9) : value))
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    await compareUntil(regions.a, async () => (await contents(regions.a)).sessions.length === before.sessions.length)
    expect(await contents(regions.a)).toMatchObject({ sessions: before.sessions })
    expect(corrupt(regions).length).toBeGreaterThan(30)
    expect(await regions.a.get(ended)).toBeUndefined()
    await regions.settled()
    await expectWhole(regions)
  })

  test('[ROT-2] records that are lost: either side finds them by digests', async () => {
    for (const who of ['a', 'b'] as const) {
      await using regions = await openRegions(['a', 'b'], { disk: true })
      await make(regions.a, 100)
      await regions.settled()
      const before = await contents(regions.b)
      await regions.shut('a')
      await rewrite(regions.location('a'), 'r', (value, index) => (index % 2 === 0 ? undefined : value))
      await regions.reopen('a')
      await until(() => regions[who].status().links[who === 'a' ? 'b' : 'a']!.state === 'live', 'the link')
      await compareUntil(regions[who], async () => (await contents(regions.a)).sessions.length === 100)
      expect(await contents(regions.a)).toEqual(before)
      await expectWhole(regions)
    }
  })
})

describe('a lot of rot', () => {
  test('[ROT-2] more is lost than a link may buffer: digests mend it all the same', async () => {
    const limits = { maxBufferedBytes: 64 * 1024, maxFrameBytes: 256 * 1024, maxRecordBytes: 128 * 1024 }
    await using regions = await openRegions(['a', 'b'], { disk: true, limits })
    const pad = 'x'.repeat(4_000)
    await Promise.all(Array.from({ length: 1_500 }, (_, n) => regions.b.create({ n, pad })))
    await regions.settled()
    await regions.shut('a')
    await rewrite(regions.location('a'), 'r', () => undefined)
    await regions.reopen('a')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    await compareUntil(regions.a, async () => (await contents(regions.a)).sessions.length === 1_500)
    expect(regions.a.status().totals.refused).toEqual({})
    expect(regions.b.status().totals.refused).toEqual({})
  })
})

describe('rows beside the records', () => {
  test.each([
    ['f', 'flipped'],
    ['f', 'lost'],
    ['x', 'flipped'],
    ['x', 'lost'],
    ['m', 'lost'],
  ] as const)('[ROT-3] %s rows that are %s lose no session', async (kind, how) => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true, pairs: [['a', 'b']] })
    const ids = await make(regions.a, 60)
    // `settled` compares the tombstones, too; a rotten expiry row can spoil their count, which nothing rests on.
    const inStep = () =>
      until(() => {
        const [a, b] = [regions.a.status(), regions.b.status()]
        return (a.vector[b.replica] ?? 0) >= b.head && (b.vector[a.replica] ?? 0) >= a.head
      }, 'a and b to be in step')
    await regions.settled('a', 'b')
    for (const id of ids.slice(0, 30)) await regions.b.increment(id, '/n')
    await regions.settled('a', 'b')
    await regions.shut('a')
    const count = await rewrite(regions.location('a'), kind, (value, index) =>
      how === 'lost' ? undefined : flip(value, index % value.length, index % 8),
    )
    expect(count).toBeGreaterThan(0)
    await regions.reopen('a')
    for (const id of ids) expect(await regions.a.get(id)).toBeDefined()
    await Promise.all(ids.map((id, index) => regions.a.increment(id, '/n', index)))
    await regions.a.end(ids[0]!)
    await make(regions.a, 10)
    await inStep()
    await regions.a.compareDigests()
    await regions.reopen('a')
    await inStep()
    const { sessions } = await contents(regions.a)
    expect(sessions).toHaveLength(69)
    expect(sessions).toEqual((await contents(regions.b)).sessions)
  })

  test('[ROT-3] what the store knows of itself is rotten', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    const ids = await make(regions.a, 20)
    await regions.settled()
    await regions.shut('a')
    await rewrite(regions.location('a'), 'm', (value) => flip(value, 7))
    await regions.reopen('a').then(
      async () => {
        for (const id of ids) expect(await regions.a.get(id)).toBeDefined()
      },
      (error: unknown) => expect(error).toMatchObject({ code: 'STORE_CORRUPT' }),
    )
  })
})

describe('bits of the files themselves', () => {
  const TRIALS = 25

  test(`[ROT-3] ${TRIALS} trials: it opens or says why, and is whole with its peers`, async () => {
    const random = seeded(20_261_123)
    const location = await mkdtemp(join(tmpdir(), 'sojourn-rot-'))
    onTestFinished(() => rm(location, { recursive: true, force: true }))
    const links = { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, digestInterval: '1h' } as const
    const b = await openReplica({
      region: 'b',
      location: ':memory:',
      listen: { port: 0 },
      secret: SECRET,
      links,
      peers: { a: null },
    })
    onTestFinished(() => b.close())
    // In a process of its own: LevelDB ends it where a compaction meets keys that are out of order.
    const open = () =>
      openRegionProcess({
        region: 'a',
        location,
        secret: SECRET,
        links,
        peers: { b: `ws://127.0.0.1:${b.address!.port}` },
      })
    const whole = async (region: RegionProcess) => {
      await until(async () => (await region.status()).links.b!.state === 'live', 'the link')
      await compareUntil(region, async () =>
        isDeepStrictEqual((await region.contents()).sessions, (await contents(b)).sessions),
      )
    }
    const ids = await make(b, 300)
    const outcomes = new Map<string, number>()
    for (let trial = 0; trial < TRIALS; trial++) {
      let outcome = 'healed'
      let region: RegionProcess | undefined
      try {
        region = await open()
        await whole(region)
        // Some of it in a log, some in tables: a store that is opened writes its log to a table.
        for (const id of ids.slice(trial, trial + 40)) await region.increment(id)
        await region.close()
      } catch (error) {
        // LevelDB itself may not be able to go on: it says so. What an operator does then: away with the directory, and
        // the region comes back from its peers.
        outcome = /STORE_CORRUPT|STORE_FAILED|SIGABRT/.exec(String(error))?.[0] ?? expect.fail(String(error))
        await region?.kill()
        await rm(location, { recursive: true })
        region = await open()
        await whole(region)
        await region.close()
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      const files = (await readdir(location)).filter((name) => /\.(ldb|log)$/.test(name))
      const all = await Promise.all(files.map(async (name) => ({ name, bytes: await readFile(join(location, name)) })))
      const candidates = all.filter(({ bytes }) => bytes.length > 0)
      const { name, bytes } = candidates[random.below(candidates.length)]!
      for (let count = 1 + random.below(3); count > 0; count--) {
        const at = random.below(bytes.length)
        bytes[at] = bytes[at]! ^ (1 << random.below(8))
      }
      await writeFile(join(location, name), bytes)
    }
    console.info('bits flipped in files:', Object.fromEntries(outcomes))
    expect(outcomes.get('healed')).toBeGreaterThan(TRIALS / 2)
  })
})
