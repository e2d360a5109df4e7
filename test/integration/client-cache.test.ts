import type { ReplicaOptions, Session } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions, steppedClock } from '../support/region.js'
import { Gate, Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const cached = async (region: Partial<ReplicaOptions> = {}, nearCache: object | true = true, limits = {}) => {
  const served = await opened.serve({ region, limits })
  const client = await opened.connect({ url: served.url, nearCache, whenUnavailable: 'wait' })
  const requests = () => served.listener.status().totals.requests
  return { ...served, client, requests, cache: () => client.status().nearCache! }
}

describe('the near cache', () => {
  it('[NET-5] answers what was read before, without asking', async () => {
    const { client, replica, requests, cache } = await cached()
    const { id } = await replica.create({ user: 'ada', deep: { list: [1] } })
    const first = (await client.get(id))!
    const before = requests()
    const second = (await client.get(id))!
    expect(second).toEqual(first)
    expect(Object.isFrozen(second.data.deep.list)).toBe(true)
    expect(await client.get(id, { read: 'local' })).toEqual(first)
    expect(requests()).toBe(before)
    expect(cache()).toMatchObject({ entries: 1, hits: 2, misses: 1 })
  })

  it('[NET-5] is off unless asked for', async () => {
    const { url, replica, listener } = await opened.serve()
    const client = await opened.connect({ url })
    const { id } = await replica.create({})
    for (let n = 0; n < 3; n++) await client.get(id)
    expect(listener.status()).toMatchObject({ watched: 0, totals: { requests: 3 } })
    expect(client.status().nearCache).toBeUndefined()
  })

  it('[NET-5] what holds a date or bytes is nobody else’s', async () => {
    const { client, replica } = await cached()
    const { id } = await replica.create({ at: new Date(5), bytes: Uint8Array.of(1) })
    const first = (await client.get(id))!
    first.data.at.setTime(6)
    first.data.bytes[0] = 2
    expect((await client.get(id))!.data).toEqual({ at: new Date(5), bytes: Uint8Array.of(1) })
    expect(client.status().nearCache!.hits).toBe(1)
  })

  it('[NET-5] every change of a session takes it back: an edit, a renewal, an end, from here or another region', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { url } = await opened.serve({ on: regions.eu })
    const client = await opened.connect({ url, nearCache: true })
    const { id } = await regions.eu.create({ n: 0 }, { idleTimeout: '10m' })
    await regions.settled()
    const is = (isSo: (session: Session<{ n: number }> | undefined) => boolean, what: string) =>
      until(async () => isSo(await client.get<{ n: number }>(id)), what)
    await is((session) => session?.data.n === 0, 'the session')
    await regions.eu.increment(id, '/n')
    await is((session) => session?.data.n === 1, 'an edit')
    await regions.us.increment(id, '/n')
    await is((session) => session?.data.n === 2, 'an edit of another region')
    const { expiresAt } = (await regions.us.touch(id, { idleTimeout: '1m' }))!
    await is((session) => session?.expiresAt === expiresAt, 'a shorter lease')
    await regions.us.end(id)
    await is((session) => session === undefined, 'an end')
    expect(client.status().nearCache!.entries).toBe(0)
  })

  it('[NET-5] a client reads what it has written', async () => {
    const { client } = await cached()
    const { id } = await client.create({ n: 0 })
    for (let n = 1; n <= 200; n++) {
      await client.get(id)
      await client.increment(id, '/n')
      expect((await client.get(id))!.data.n).toBe(n)
    }
    await client.get(id)
    await client.end(id)
    expect(await client.get(id)).toBeUndefined()
  })

  it('[NET-5] no read is older than what was written before the last ping that was answered, whatever the reads overtake', async () => {
    const { client, replica } = await cached()
    const { id } = await replica.create({ n: 0 })
    let written = 0
    let isOver = false
    let reads = 0
    const writer = async () => {
      for (let n = 1; n <= 300; n++) {
        await replica.update(id, { n })
        written = n
        // Else a write is faster than two reads, and no copy is ever read again.
        const before = reads
        if (n % 10 === 0) await until(() => reads > before + 10, 'some reads')
      }
      isOver = true
    }
    const reader = async () => {
      let last = 0
      while (!isOver) {
        const { n } = (await client.get(id))!.data
        // Reads of one client never go back.
        expect(n).toBeGreaterThanOrEqual(last)
        last = n
        reads++
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await Promise.all([writer(), reader(), reader()])
    await until(async () => (await client.get(id))!.data.n === written, 'the last write')
    expect(client.status().nearCache!.hits).toBeGreaterThan(0)
  })

  it('[NET-5] an answer that a change overtook is not kept', async () => {
    const gate = new Gate()
    const { url, replica } = await opened.serve({ around: gate.around })
    const client = await opened.connect({ url, nearCache: true })
    const { id } = await replica.create({ n: 0 })
    gate.shut()
    const slow = client.get(id)
    await until(() => gate.held === 1, 'the read to be under way')
    await replica.update(id, { n: 1 })
    gate.open()
    expect(await slow).toMatchObject({ data: { n: 0 } })
    expect(await client.get(id)).toMatchObject({ data: { n: 1 } })
    expect(client.status().nearCache!.hits).toBe(0)
  })

  it('[NET-5] over a link that is stalled nothing is given out once the last ping is too old', async () => {
    const { proxy, replica, url } = await opened.serve()
    const client = await opened.connect({
      url,
      nearCache: { maxStale: 200 },
      timeout: 150,
      connection: { timeout: '10s' },
    })
    const { id } = await replica.create({ n: 0 })
    await client.get(id)
    await until(async () => (await client.get(id)) && client.status().nearCache!.hits > 0, 'a hit')
    proxy.stall()
    const start = performance.now()
    await replica.update(id, { n: 1 })
    let stale = 0
    const refused = await until(
      () =>
        client.get(id).then(
          (session) => {
            expect(session?.data.n).toBe(0)
            stale++
            expect(performance.now() - start).toBeLessThan(200 + 50)
            return undefined
          },
          (error: unknown) => error,
        ),
      'reads to be refused',
    )
    expect(refused).toMatchObject({ code: 'TIMEOUT' })
    expect(stale).toBeGreaterThan(0)
    proxy.flow()
    await until(async () => (await client.get(id).catch(() => undefined))?.data.n === 1, 'the change')
  })

  it('[NET-5] a cut link empties it', async () => {
    const { client, replica, proxy, cache } = await cached()
    const { id } = await replica.create({ n: 0 })
    await client.get(id)
    expect(cache().entries).toBe(1)
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    expect(cache().entries).toBe(0)
    await replica.update(id, { n: 1 })
    proxy.heal()
    expect(await client.get(id)).toMatchObject({ data: { n: 1 } })
  })

  it('[NET-5] what has expired by the server’s clock is not given out, however the client’s own goes', async () => {
    const clock = steppedClock()
    const served = await opened.serve({ region: { ports: { clock } }, clock })
    const slow = { ...clock, now: () => 0 }
    const client = await opened.connect({ url: served.url, nearCache: true, ports: { clock: slow } })
    const { id } = await served.replica.create({}, { idleTimeout: '1m' })
    expect(await client.get(id)).toBeDefined()
    expect(await client.get(id)).toBeDefined()
    expect(client.status().nearCache!.hits).toBe(1)
    clock.advance(60_000)
    // Not sent by the server, which knows it as a fact of the clock: the next answer to a ping carries the time.
    await until(async () => (await client.get(id)) === undefined, 'the expiry')
  })

  it('[NET-5] a read that asks other regions is never answered from it, nor by a default that does', async () => {
    await using regions = await openRegions(['eu', 'us'], { consistency: { read: 'majority' } })
    const { url, listener } = await opened.serve({ on: regions.eu })
    const client = await opened.connect({ url, nearCache: true })
    const { id } = await regions.eu.create({ n: 0 })
    await regions.settled()
    await client.get(id)
    await client.get(id)
    expect(listener.status()).toMatchObject({ watched: 0, totals: { requests: 2 } })
    await client.get(id, { read: 'local' })
    await client.get(id, { read: 'local' })
    expect(listener.status()).toMatchObject({ watched: 1, totals: { requests: 3 } })
    // What a local read found is no answer to a read by default.
    await client.get(id)
    await client.get(id, { read: 'all' })
    expect(listener.status().totals.requests).toBe(5)
  })

  it('[NET-5] is bounded, by count and by bytes', async () => {
    const few = await cached({}, { maxEntries: 3 })
    const ids: string[] = []
    for (let n = 0; n < 10; n++) ids.push((await few.replica.create({ n })).id)
    for (const id of ids) await few.client.get(id)
    expect(few.cache().entries).toBe(3)
    const small = await cached({}, { maxBytes: 1_000 })
    for (let n = 0; n < 10; n++) await small.client.get((await small.replica.create({ text: 'x'.repeat(300) })).id)
    expect(small.cache().entries).toBe(3)
    expect(small.cache().bytes).toBeLessThanOrEqual(1_000)
  })

  it('[NET-8] so is what a server watches for one client: the longest watched is taken back', async () => {
    const { client, replica, listener, cache } = await cached({}, true, { maxWatched: 3 })
    for (let n = 0; n < 10; n++) await client.get((await replica.create({ n })).id)
    await until(() => cache().entries === 3, 'the rest to be taken back')
    expect(listener.status()).toMatchObject({ watched: 3, totals: { invalidations: 7 } })
    await client.close()
    await until(() => listener.status().watched === 0, 'the server to see that nobody keeps anything')
  })
})
