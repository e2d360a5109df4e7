import type { Replica } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { consistency, dataIn, THREE } from '../support/quorum.js'
import { openRegions, type Regions } from '../support/region.js'
import { until } from '../support/until.js'

describe('answers that come at one time', () => {
  it('[QUO-6] are all counted, though what each brought has yet to reach the disk', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'], { disk: true, fsync: 'always' })
    const { eu, us, ap } = regions
    const { id } = await eu.create({ n: 0 }, { write: 'all', timeout: '10s' })
    for (let n = 1; n <= 40; n++) {
      await Promise.all([us.increment(id, '/n'), ap.increment(id, '/n')])
      expect((await eu.get(id, { read: 'all', timeout: '10s' }))!.data.n).toBe(2 * n)
    }
  })
})

describe('a majority read sees every majority write', () => {
  const increments = async (writers: readonly Replica[], readers: readonly Replica[], rounds: number) => {
    const { id } = await writers[0]!.create({ n: 0 }, { write: 'majority' })
    for (const writer of writers) await writer.get(id, { read: 'majority' })
    for (let n = 1; n <= rounds; n++) {
      const writer = writers[n % writers.length]!
      await writer.increment(id, '/n', 1, { write: 'majority' })
      const seen = await Promise.all(readers.map((reader) => reader.get(id, { read: 'majority' })))
      for (const [index, session] of seen.entries())
        expect(session?.data.n, `round ${n}: ${writer.region} wrote, ${readers[index]!.region} read`).toBe(n)
    }
  }

  it('[QUO-3] in every region, whoever wrote', async () => {
    await using regions = await openRegions(THREE, { consistency })
    await increments(regions.all, regions.all, 60)
  })

  it('[QUO-3] where the link between writer and reader is cut, and a third region has the write', async () => {
    await using regions = await openRegions(THREE, { consistency })
    await regions.cut('eu', 'us')
    await increments([regions.eu], [regions.us], 40)
    await increments([regions.us], [regions.eu], 40)
  })

  it('[QUO-3] where the writer is cut off as soon as the write is acknowledged', async () => {
    for (let round = 0; round < 5; round++) {
      await using regions = await openRegions(THREE, { consistency })
      const { eu, us, ap } = regions
      const { id } = await eu.create({ n: 0 })
      await regions.settled()
      await eu.update(id, { n: 1 }, { write: 'majority' })
      await regions.cutOff('eu')
      for (const reader of [us, ap]) expect((await reader.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
    }
  })

  it('[QUO-3] an end, too: whoever asks a majority gets no session', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const [eu, us, ap] = [regions.eu, regions.us, regions.ap]
    await regions.cut('eu', 'us')
    for (let round = 0; round < 20; round++) {
      const { id } = await eu.create({}, { write: 'majority' })
      expect((await us.get(id, { read: 'majority' }))?.id).toBe(id)
      expect(await us.end(id, { write: 'majority' })).toBe(true)
      expect(await eu.get(id, { read: 'majority' })).toBeUndefined()
      expect(await ap.get(id, { read: 'majority' })).toBeUndefined()
    }
  })

  /** Catching up takes a round trip for each session. */
  const SLOW = { maxUnackedBytes: 1, targetFrameBytes: 1 }
  const BACKLOG = 20

  /** A session that all know; then us is cut off, and misses what comes. */
  const letLag = async (regions: Regions<(typeof THREE)[number]>): Promise<string> => {
    const { id } = await regions.eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    for (let n = 0; n < BACKLOG; n++) await regions.eu.create({ n })
    return id
  }

  it('[QUO-3] by a region that has a long way to catch up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const id = await letLag(regions)
    await eu.update(id, { n: 1 }, { write: 'majority' })
    regions.heal('us', 'ap')
    await until(() => us.status().links.ap!.state !== 'down', 'a link')
    expect((await us.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
  })

  it('[QUO-4] a reader that lagged is repaired by the read, before it has caught up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const id = await letLag(regions)
    await eu.update(id, { n: 1 })
    // One side dials, so that no second connection takes the place of the first.
    regions.proxy('us', 'eu').heal()
    await until(() => us.status().links.eu!.state !== 'down', 'a link')
    expect((await us.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
    expect(us.status().vector[eu.status().replica]).toBeLessThan(eu.status().head)
    expect(us.status().totals.repaired.read).toBe(1)
    expect(await dataIn(us, id), 'from then on locally').toEqual({ n: 1 })
    regions.healAll()
    await regions.settled()
  })

  it('[QUO-4] whom a read finds lagging is repaired, before it has caught up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const id = await letLag(regions)
    await eu.update(id, { n: 1 })
    await regions.settled('eu', 'ap')
    // One side dials, so that no second connection takes the place of the first.
    regions.proxy('us', 'eu').heal()
    await until(() => eu.status().links.us!.state !== 'down', 'a link')
    expect((await eu.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
    await until(async () => (await us.get(id))?.data.n === 1, 'the region that lagged to be repaired')
    expect(us.status().vector[eu.status().replica]).toBeLessThan(eu.status().head)
    expect(eu.status().totals.repaired.read).toBe(1)
    regions.healAll()
    await regions.settled()
    for (const replica of regions.all) expect(await dataIn(replica, id)).toEqual({ n: 1 })
  })

  it('[QUO-4] a read of equals repairs nothing, and writes nothing', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { id } = await regions.eu.create({ n: 0 })
    await regions.settled()
    const heads = regions.all.map((replica) => replica.status().head)
    for (const replica of regions.all) await replica.get(id, { read: 'all' })
    await regions.settled()
    expect(regions.all.map((replica) => replica.status().head)).toEqual(heads)
    for (const replica of regions.all) expect(replica.status().totals.repaired.read).toBe(0)
  })
})

describe('questions over a connection that is replaced', () => {
  it('[QUO-3] are answered all the same, when both regions dial at one time', async () => {
    await using regions = await openRegions(THREE, { consistency, links: { timeout: '10s' } })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutAll()
    const [usDials, euDials] = [regions.proxy('us', 'eu'), regions.proxy('eu', 'us')]
    // eu dials, and its connection hangs; meanwhile us dials, and the link stands.
    euDials.stall()
    euDials.heal()
    await until(() => euDials.connections > 0, 'eu to dial')
    usDials.heal()
    await until(() => us.status().links.eu!.state === 'live', 'the link that us dialed')
    usDials.stall()
    const read = us.get(id, { read: 'majority', timeout: '2s' })
    // Of two connections both sides keep the one that eu dialed.
    euDials.flow()
    expect((await read)?.data).toEqual({ n: 0 })
  })
})
