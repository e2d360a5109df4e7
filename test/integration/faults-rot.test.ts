import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type SessionKey, sessionKey } from '@sojourn/core/internal'
import { openReplica, type Replica } from '@sojourn/replica'
import { ClassicLevel } from 'classic-level'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contents, openRegions, SECRET } from '../support/region.js'
import { openRegionProcess, type RegionProcess } from '../support/region-process.js'
import { type Seeded, seeded } from '../support/seeded.js'
import { until } from '../support/until.js'

type Row = [key: Uint8Array, value: Uint8Array]
/** Records, and what the store knows of itself. */
type Kind = 'r' | 's'

const rowsAt = (location: string): string => join(location, 'rows')
const journalAt = (location: string): string => join(location, 'journal')

/** Rewrites rows of a closed store, as rot would: `change` gives the new value, or nothing for a row that is lost. */
const rewrite = async (
  location: string,
  kind: Kind,
  change: (value: Uint8Array, index: number, key: Uint8Array) => Uint8Array | undefined,
): Promise<number> => {
  const encodings = { keyEncoding: 'view', valueEncoding: 'view' } as const
  const level = new ClassicLevel<Uint8Array, Uint8Array>(rowsAt(location), encodings)
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
 * side dialed, is lost with it, and the next round finds the rest.
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

describe('a corrupt record', () => {
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
    expect(regions.a.status().totals.corrupt).toBe(ids.length)
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
    await until(() => corrupt(regions).length > 0, 'the report')
    expect(corrupt(regions)).toHaveLength(1)
    expect(regions.a.status().totals).toMatchObject({ corrupt: 1, repaired: { corrupt: 0 } })
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
    // Noticed once, and repaired once.
    expect(regions.a.status().totals).toMatchObject({ corrupt: 1, repaired: { corrupt: 1 } })
  })

  test('[ROT-1] it is corrupt in two regions: the third heals both', async () => {
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
    await until(async () => regions.a.status().totals.corrupt === 1, 'the rot to be noticed')
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
  test('[ROT-2] more is lost than a link may buffer: digests repair it all the same', async () => {
    const limits = { maxBufferedBytes: 64 * 1024, maxFrameBytes: 256 * 1024, maxRecordBytes: 128 * 1024 }
    await using regions = await openRegions(['a', 'b'], { disk: true, limits, links: { timeout: '10s' } })
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

/** Flips bits of a file. */
const flipIn = async (path: string, random: Seeded, count: number): Promise<void> => {
  const bytes = await readFile(path)
  for (let left = count; left > 0; left--) {
    const at = random.below(bytes.length)
    bytes[at] = bytes[at]! ^ (1 << random.below(8))
  }
  await writeFile(path, bytes)
}

const segmentsOf = async (location: string): Promise<string[]> =>
  (await readdir(journalAt(location))).map((name) => join(journalAt(location), name))

describe('the journal, and what the store knows of itself', () => {
  const random = seeded(20_261_126)
  const damages = {
    'the state is corrupt': (location: string) => rewrite(location, 's', (value, index) => flip(value, 5 + index, 3)),
    'the state is lost': (location: string) => rewrite(location, 's', () => undefined),
    'the journal is corrupt': async (location: string) => {
      for (const path of await segmentsOf(location)) await flipIn(path, random, 40)
    },
    'the end of the journal is lost': async (location: string) => {
      const path = (await segmentsOf(location)).sort().at(-1)!
      await truncate(path, Math.floor((await stat(path)).size / 2))
    },
    'the journal is lost': (location: string) => rm(journalAt(location), { recursive: true }),
    'both are lost': async (location: string) => {
      await rm(journalAt(location), { recursive: true })
      await rewrite(location, 's', () => undefined)
    },
  }

  test.each(Object.entries(damages))('[ROT-3] %s: no session is lost', async (_, damage) => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true, pairs: [['a', 'b']] })
    const ids = await make(regions.a, 60)
    await regions.settled('a', 'b')
    for (const id of ids.slice(0, 30)) await regions.b.increment(id, '/n')
    await regions.settled('a', 'b')
    await regions.shut('a')
    await damage(regions.location('a'))
    await regions.reopen('a')
    for (const id of ids) expect(await regions.a.get(id)).toBeDefined()
    await Promise.all(ids.map((id, index) => regions.a.increment(id, '/n', index)))
    await regions.a.end(ids[0]!)
    await make(regions.a, 10)
    await regions.settled('a', 'b')
    await regions.reopen('a')
    await regions.settled('a', 'b')
    const { sessions } = await contents(regions.a)
    expect(sessions).toHaveLength(69)
    expect(sessions).toEqual((await contents(regions.b)).sessions)
  })

  test('[ROT-3] what the store knows of itself is corrupt, whichever byte it is: it opens, says so, and shows everything', async () => {
    await using regions = await openRegions(['a'], { disk: true })
    const [ended, ...ids] = (await make(regions.a, 20)) as [string, ...string[]]
    await regions.a.end(ended)
    const before = await contents(regions.a)
    for (let at = 0; at < 60; at += 7) {
      await regions.shut('a')
      let length = 0
      await rewrite(regions.location('a'), 's', (value) => {
        length = value.length
        return flip(value, at % value.length, at % 8)
      })
      expect(length).toBeGreaterThan(20)
      const reported = corrupt(regions).length
      await regions.reopen('a')
      expect(await contents(regions.a)).toEqual(before)
      for (const id of ids) expect(await regions.a.get(id)).toBeDefined()
      expect(await regions.a.get(ended)).toBeUndefined()
      await until(() => corrupt(regions).length > reported, 'the fault')
      expect(regions.faults.at(-1)!.message).toMatch(/the state of the store/)
    }
  })

  test('[ROT-3] a state that is corrupt brings nothing back: what ended meanwhile stays ended', async () => {
    await using regions = await openRegions(['a', 'b'], { disk: true })
    const ids = await make(regions.a, 20)
    await regions.settled()
    await regions.shut('a')
    for (const id of ids.slice(0, 10)) await regions.b.end(id)
    await regions.b.increment(ids[19]!, '/n', 5)
    await rewrite(regions.location('a'), 's', (value) => flip(value, 9))
    await regions.reopen('a')
    await regions.settled()
    for (const id of ids.slice(0, 10)) expect(await regions.a.get(id)).toBeUndefined()
    expect((await regions.a.get(ids[19]!))!.data.n).toBe(24)
    await expectWhole(regions)
  })
})

describe('bits of the files themselves', () => {
  const TRIALS = 24
  const parts = {
    rows: { directory: rowsAt, files: /\.(ldb|log)$/ },
    journal: { directory: journalAt, files: /\.journal$/ },
  }

  test.each(Object.entries(parts))(
    `[ROT-3] ${TRIALS} trials, %s: it opens or says why, and is whole with its peers`,
    async (part, { directory, files }) => {
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
          limits: { checkpointBytes: 16 * 1024 },
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
          // Some of it in a log, some in tables, some in the journal alone.
          for (const id of ids.slice(trial, trial + 40)) await region.increment(id)
          if (trial % 2 === 0) await region.close()
          else await region.kill()
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
        const names = (await readdir(directory(location))).filter((name) => files.test(name))
        const paths = names.map((name) => join(directory(location), name))
        const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
        const candidates = paths.filter((_, index) => sizes[index]! > 0)
        await flipIn(candidates[random.below(candidates.length)]!, random, 1 + random.below(3))
      }
      console.info(`bits flipped in files of the ${part}:`, Object.fromEntries(outcomes))
      if (part === 'journal') expect(outcomes).toEqual(new Map([['healed', TRIALS]]))
      else expect(outcomes.get('healed')).toBeGreaterThan(TRIALS / 2)
    },
  )
})
