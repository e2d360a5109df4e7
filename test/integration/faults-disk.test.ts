import type { StorageEngine } from '@sojourn/core/internal'
import { SojournError, systemClock } from '@sojourn/core/internal'
import { logReplica, openLog } from '@sojourn/server'
import { levelEngine } from '@sojourn/store'
import { describe, expect, test } from 'vitest'
import { contents, openRegions } from '../support/region.js'
import { until } from '../support/until.js'

/** The real engine, until the disk is full: an append to the journal says so at once, a batch of rows after a while. */
const failingEngine = () => {
  const disk = { isFull: false, refused: 0 }
  const refuse = () => {
    disk.refused++
    throw new SojournError('STORE_FAILED', 'no space left on the device')
  }
  const engine: StorageEngine = {
    async open(location) {
      const storage = await levelEngine.open(location)
      const { journal, rows } = storage
      return {
        journal: Object.create(journal, {
          head: { get: () => journal.head },
          bytes: { get: () => journal.bytes },
          append: {
            value: (after: number, bytes: Uint8Array) => (disk.isFull ? refuse() : journal.append(after, bytes)),
          },
          sync: { value: () => journal.sync() },
          read: { value: (after: number) => journal.read(after) },
          drop: { value: (through: number) => journal.drop(through) },
        }),
        rows: {
          get: (key) => rows.get(key),
          scan: () => rows.scan(),
          async write(writes, sync) {
            if (!disk.isFull) return rows.write(writes, sync)
            await new Promise((resolve) => setImmediate(resolve))
            refuse()
          },
        },
        close: () => storage.close(),
      }
    },
  }
  return { disk, engine }
}

describe('a disk that refuses writes', () => {
  test('[FAULT-4] writes fail with STORE_FAILED and change nothing; reads go on; then all is well again', async () => {
    const { disk, engine } = failingEngine()
    await using regions = await openRegions(['a', 'b', 'c'], {
      disk: true,
      each: { a: { ports: { storage: engine } } },
    })
    const { a, b, c } = regions
    const { id } = await a.create({ n: 0, text: 'old' })
    const ended = (await a.create({ n: 0 })).id
    const rotated = (await a.create({ n: 0 })).id
    await a.end((await a.create({ n: 0 })).id)
    await regions.settled()
    const before = await contents(a)
    const { sessions, tombstones, head } = a.status()

    disk.isFull = true
    const failure = { code: 'STORE_FAILED' }
    const failed = [
      () => a.update(id, { text: 'new' }),
      () => a.increment(id, '/n'),
      () => a.touch(id, { idleTimeout: '2h' }),
      () => a.end(ended),
      () => a.rotate(rotated),
      () => a.create({ never: true }),
      () => a.update(id, { text: 'new' }, { write: 'majority', timeout: '5s' }),
    ]
    // One after the other, and all at once.
    for (const write of failed) {
      await expect(write()).rejects.toMatchObject(failure)
      expect((await a.get(id))!.data).toEqual({ n: 0, text: 'old' })
    }
    await Promise.all(failed.map((write) => expect(write()).rejects.toMatchObject(failure)))
    expect(a.status()).toMatchObject({ sessions, tombstones })
    expect(await contents(a)).toEqual(before)
    expect(a.status().pending).toMatchObject({ commits: 0, writes: 0 })
    expect(a.status().head).toBe(head)
    expect(regions.faults.some(({ region, code }) => region === 'a' && code === 'STORE_FAILED')).toBe(true)
    // Others heard of nothing, and go on.
    for (const replica of [b, c]) expect((await replica.get(id))!.data).toEqual({ n: 0, text: 'old' })
    await b.increment(id, '/n', 5)
    await c.end(ended)
    const { id: made } = await b.create({ by: 'b' }, { write: 'majority', timeout: '5s' })
    await until(async () => (await c.get(id))!.data.n === 5 && (await b.get(ended)) === undefined, 'b and c to agree')

    disk.isFull = false
    await a.increment(id, '/n')
    await regions.settled()
    for (const replica of regions.all) {
      expect((await replica.get(id))!.data).toEqual({ n: 6, text: 'old' })
      expect(await replica.get(ended)).toBeUndefined()
      expect(await replica.get(rotated)).toBeDefined()
      expect(await replica.get(made)).toBeDefined()
      expect(replica.status()).toMatchObject({ sessions: 3, tombstones: 2 })
    }
    expect(disk.refused).toBeGreaterThan(3)
  })

  test('[FAULT-4] now and then, under load: what was acknowledged is there, what failed is not, counts are right', async () => {
    const { disk, engine } = failingEngine()
    await using regions = await openRegions(['a', 'b'], { disk: true, each: { a: { ports: { storage: engine } } } })
    const { a } = regions
    const counts = new Map<string, number>()
    let running = true
    const work = async () => {
      while (running) {
        try {
          const { id } = await a.create({ n: 0 })
          counts.set(id, 0)
          for (let index = 0; index < 20; index++) {
            await a.increment(id, '/n').then(
              () => counts.set(id, counts.get(id)! + 1),
              (error: unknown) => expect(error).toMatchObject({ code: 'STORE_FAILED' }),
            )
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'STORE_FAILED' })
        }
      }
    }
    const workers = Promise.all(Array.from({ length: 16 }, work))
    for (let round = 0; round < 10; round++) {
      const { refused } = disk
      disk.isFull = true
      await until(() => disk.refused > refused + 3, 'failures')
      disk.isFull = false
      const { size } = counts
      await until(() => counts.size > size + 20, 'progress')
    }
    running = false
    await workers
    await regions.settled()
    for (const replica of regions.all) {
      for (const [id, n] of counts) expect((await replica.get(id))?.data.n).toBe(n)
      expect((await contents(replica)).sessions).toHaveLength(counts.size)
      await until(
        () => replica.status().sessions === counts.size,
        () => `${replica.region} to count ${counts.size} sessions, not ${replica.status().sessions}`,
      )
    }
    const head = a.status()
    await regions.reopen('a')
    await regions.settled()
    expect(regions.a.status()).toMatchObject({ sessions: head.sessions, tombstones: 0 })
  })

  test('[SRV-4] a server logs it once a minute, and how often it did not', async () => {
    const { disk, engine } = failingEngine()
    let later = 0
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later }
    await using regions = await openRegions(['a'], { ports: { storage: engine } })
    const lines: { code?: string; suppressed?: number }[] = []
    logReplica(regions.a, openLog('info', 'a', { write: (line) => void lines.push(JSON.parse(line)) }), clock)
    const fail = async (times: number) => {
      for (let n = 0; n < times; n++) await expect(regions.a.create({})).rejects.toMatchObject({ code: 'STORE_FAILED' })
    }
    disk.isFull = true
    await fail(20)
    expect(lines).toMatchObject([{ code: 'STORE_FAILED' }])
    expect(lines[0]!.suppressed).toBeUndefined()
    const before = regions.faults.length
    later = 60_000
    await fail(3)
    expect(lines).toMatchObject([{}, { code: 'STORE_FAILED', suppressed: before - 1 }])
    disk.isFull = false
    await regions.a.create({})
  })

  test('[FAULT-4] a region whose disk is full closes all the same', async () => {
    const { disk, engine } = failingEngine()
    await using regions = await openRegions(['a', 'b'], { disk: true, each: { a: { ports: { storage: engine } } } })
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    disk.isFull = true
    await regions.a.increment(id, '/n').catch(() => {})
    await regions.shut('a').catch((error: unknown) => expect(error).toMatchObject({ code: 'STORE_FAILED' }))
    disk.isFull = false
    await regions.reopen('a')
    await regions.settled()
    expect((await regions.a.get(id))!.data.n).toBe(0)
  })
})
