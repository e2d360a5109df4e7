import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import { levelEngine } from '@sojourn/store'
import { expect, test } from 'vitest'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

/** SOJOURN_LONG=1: so many that LevelDB compacts its tables again and again, beside whatever reads them. */
const IS_LONG = process.env.SOJOURN_LONG === '1'
const WRITES = IS_LONG ? 1_000_000 : 60_000
const SESSIONS = IS_LONG ? 50_000 : 3_000
const WORKERS = 32
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const later = (ms: number) => ({ ...systemClock, now: () => systemClock.now() + ms })
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

interface Written {
  n: number
  text: string
}

/** Writes to sessions of its own, one after the other, and knows what was acknowledged of each. */
class Worker {
  readonly #replica: Replica
  readonly #random: (limit: number) => number
  readonly #ids: string[] = []
  readonly acked: Map<string, Written>
  readonly ended: Set<string>

  constructor(replica: Replica, seed: number, acked: Map<string, Written>, ended: Set<string>) {
    this.#replica = replica
    this.acked = acked
    this.ended = ended
    let state = seed + 1
    this.#random = (limit) => {
      state = Math.imul(state, 48_271) % 0x7fffffff
      return Math.abs(state) % limit
    }
  }

  async write(): Promise<void> {
    const random = this.#random(100)
    if (this.#ids.length < SESSIONS / WORKERS) return this.#create()
    const place = this.#random(this.#ids.length)
    const id = this.#ids[place]!
    const written = this.acked.get(id)!
    if (random < 60) {
      await this.#replica.increment(id, '/n')
      written.n++
    } else if (random < 80) {
      const text = `${written.n} ${'x'.repeat(this.#random(200))}`
      await this.#replica.update(id, { text })
      written.text = text
    } else if (random < 90) await this.#replica.touch(id, { idleTimeout: 30 * MINUTE + this.#random(HOUR) })
    else {
      this.acked.delete(id)
      this.#ids[place] = this.#ids.at(-1)!
      this.#ids.pop()
      await this.#replica.end(id)
      this.ended.add(id)
    }
  }

  async #create(): Promise<void> {
    const { id } = await this.#replica.create({ n: 0, text: '' })
    this.#ids.push(id)
    this.acked.set(id, { n: 0, text: '' })
  }
}

/** As often as it takes: a million writes are a lot to catch up with. */
const patiently = async (what: () => Promise<void>): Promise<void> => {
  for (let tries = IS_LONG ? 20 : 1; ; tries--)
    try {
      return await what()
    } catch (error) {
      if (tries === 1) throw error
    }
}

/** Does something again and again, until a caller says that it is enough. */
const again = async (isOver: () => boolean, what: () => Promise<void>): Promise<number> => {
  let times = 0
  for (; !isOver(); times++) {
    await what()
    await turn()
  }
  return times
}

const listed = async (replica: Replica): Promise<Map<string, unknown>> => {
  const found = new Map<string, unknown>()
  for await (const { key, data } of replica.sessions()) found.set(key, data)
  return found
}

const bytesIn = async (directory: string): Promise<number> => {
  let bytes = 0
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size
  return bytes
}

test(
  `[STORE-5] ${WRITES} writes beside backups, listings, catch-ups and checkpoints: every record is at its last acknowledged state`,
  async () => {
    await using regions = await openRegions(['a', 'b'], {
      disk: true,
      session: { idleTimeout: '1h', maxLifetime: '2h' },
      // Records are read from the rows, and go there all the time.
      limits: {
        checkpointBytes: IS_LONG ? 1024 * 1024 : 128 * 1024,
        maxCacheEntries: SESSIONS / 10,
        maxRecentCommits: 512,
      },
    })
    const acked = new Map<string, Written>()
    const ended = new Set<string>()
    let left = WRITES
    const isOver = () => left <= 0
    const workers = Array.from(
      { length: WORKERS },
      (_, n) => new Worker(n % 2 ? regions.b : regions.a, n, acked, ended),
    )
    const writing = Promise.all(
      workers.map(async (worker) => {
        while (left-- > 0) await worker.write()
      }),
    )
    const [backups, listings, catchUps] = await Promise.all([
      again(isOver, async () => {
        for (const replica of [regions.a, regions.b])
          for await (const chunk of replica.rows()) {
            expect(chunk.length).toBeGreaterThan(0)
            for (let count = 0; count < 20 && !isOver(); count++) await turn()
          }
      }),
      again(isOver, async () => {
        for (const replica of [regions.a, regions.b]) for await (const _ of replica.sessions()) if (isOver()) break
      }),
      again(isOver, async () => {
        await regions.cut('a', 'b')
        const until_ = left - WRITES / 20
        while (left > until_ && !isOver()) await turn()
        regions.heal('a', 'b')
        // Whether they come into step before the next cut depends on how busy this machine is.
        await until(() => regions.a.status().links.b!.state !== 'down', 'the link')
      }),
      writing,
    ])
    console.info(`${backups} backups, ${listings} listings, ${catchUps} catch-ups`, regions.a.status().store)
    expect(Math.min(backups, listings, catchUps)).toBeGreaterThan(0)

    const expectAll = async () => {
      for (const replica of regions.all) {
        for (const [id, written] of acked) expect((await replica.get(id))?.data).toEqual(written)
        for (const id of ended) expect(await replica.get(id)).toBeUndefined()
        expect((await listed(replica)).size).toBe(acked.size)
        expect(replica.status()).toMatchObject({ sessions: acked.size, tombstones: ended.size })
      }
      expect(regions.faults).toEqual([])
    }
    await patiently(() => regions.settled())
    await expectAll()
    for (const name of regions.names) await regions.reopen(name)
    await patiently(() => regions.settled())
    await expectAll()

    // Everybody is gone, and forgotten, two lifetimes later: a login may have prolonged what was ended.
    for (const name of regions.names) await regions.shut(name)
    for (const name of regions.names) await regions.reopen(name, { ports: { clock: later(6 * HOUR) } })
    const isEmpty = () => regions.all.every((each) => each.status().sessions + each.status().tombstones === 0)
    await patiently(async () => void (await until(isEmpty, 'all to be purged')))
    for (const name of regions.names) {
      await regions.shut(name)
      const location = regions.location(name)
      const storage = await levelEngine.open(location)
      const rows: string[] = []
      for await (const chunk of storage.rows.scan())
        for (const [key] of chunk) rows.push(Buffer.from(key).toString('latin1'))
      await storage.close()
      // What the store knows of itself.
      expect(rows.filter((key) => key.startsWith('r'))).toEqual([])
      expect(rows).toContain('s')
      expect(await bytesIn(join(location, 'journal'))).toBeLessThan(64 * 1024)
    }
  },
  IS_LONG ? 45 * MINUTE : MINUTE,
)
