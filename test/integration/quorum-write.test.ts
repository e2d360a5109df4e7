import type { Replica } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { consistency, dataIn, THREE, timeout, unmetRead, unmetWrite } from '../support/quorum.js'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

describe('majorities with one region cut off', () => {
  it('[QUO-1] writes and reads are answered on the larger side', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, ap } = regions
    await regions.cutOff('us')
    const { id } = await eu.create({ n: 0 }, { write: 'majority' })
    expect((await ap.get(id, { read: 'majority' }))?.data).toEqual({ n: 0 })
    await ap.update(id, { n: 1 }, { write: 'majority' })
    expect((await eu.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
    await eu.replace(id, { n: 2 }, { write: 'majority' })
    await ap.increment(id, '/n', 1, { write: 'majority' })
    await eu.touch(id, { write: 'majority' })
    expect((await ap.get(id, { read: 'majority' }))?.data).toEqual({ n: 3 })
    const rotated = await eu.rotate(id, { write: 'majority' })
    expect((await ap.get(rotated.id, { read: 'majority' }))?.data).toEqual({ n: 3 })
    expect(await ap.end(rotated.id, { write: 'majority' })).toBe(true)
    expect(await eu.get(rotated.id, { read: 'majority' })).toBeUndefined()
  })

  it('[QUO-1] on the smaller side they are unmet, and report what was needed and who answered', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    await expect(us.get(id, { read: 'majority' })).rejects.toMatchObject(unmetRead(2, ['us']))
    await expect(us.update(id, { n: 1 }, { write: 'majority', timeout })).rejects.toMatchObject(unmetWrite(2, ['us']))
    // Who asks for no more than is there is answered.
    expect(await dataIn(us, id)).toEqual({ n: 1 })
    expect((await us.get(id, { read: 1 }))?.data).toEqual({ n: 1 })
    await us.increment(id, '/n', 1, { write: 1 })
    expect(us.status().pending).toMatchObject({ writes: 0, reads: 0 })
  })

  it('[QUO-1] the levels of `consistency` are the default of every call', async () => {
    await using regions = await openRegions(THREE, {
      consistency: { read: 'majority', write: 'majority', timeout: '15s' },
    })
    const { eu, us, ap } = regions
    await regions.cutOff('us')
    const { id } = await eu.create({ n: 0 })
    expect(await dataIn(ap, id)).toEqual({ n: 0 })
    await expect(us.get(id)).rejects.toMatchObject(unmetRead(2, ['us']))
    expect(await us.get(id, { read: 'local' })).toBeUndefined()
    await expect(us.create({}, { timeout })).rejects.toMatchObject(unmetWrite(2, ['us']))
    await us.create({}, { write: 'local' })
  })

  it('[QUO-1] works again as soon as the region is back', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    // The write is made, and waits; the heal comes while it does.
    const written = us.update(id, { n: 1 }, { write: 'majority' })
    await until(() => us.status().pending.writes === 1, 'the write to wait')
    regions.healAll()
    expect((await written).data).toEqual({ n: 1 })
  })
})

describe('a write whose quorum was not met', () => {
  const WRITES: readonly {
    readonly what: string
    readonly write: (us: Replica, id: string) => Promise<unknown>
    /** What a region shows under the id, or under every id, once it has the write. */
    readonly spread: (replica: Replica, id: string) => Promise<unknown>
    readonly as: unknown
  }[] = [
    {
      what: 'update',
      write: (us, id) => us.update(id, { by: 'us' }, { write: 'majority', timeout }),
      spread: dataIn,
      as: { n: 1, by: 'us' },
    },
    {
      what: 'replace',
      write: (us, id) => us.replace(id, { by: 'us' }, { write: 'majority', timeout }),
      spread: dataIn,
      as: { by: 'us' },
    },
    {
      what: 'increment',
      write: (us, id) => us.increment(id, '/n', 4, { write: 'majority', timeout }),
      spread: dataIn,
      as: { n: 5 },
    },
    {
      what: 'touch',
      write: (us, id) => us.touch(id, { idleTimeout: '5h', write: 'majority', timeout }),
      spread: async (replica, id) => {
        const session = (await replica.get(id))!
        return session.expiresAt - session.createdAt > 5 * 3_600_000
      },
      as: true,
    },
    { what: 'end', write: (us, id) => us.end(id, { write: 'majority', timeout }), spread: dataIn, as: undefined },
    {
      what: 'endAll',
      write: (us) => us.endAll({ write: 'majority', timeout }),
      spread: (replica) => replica.count(),
      as: 0,
    },
    {
      what: 'create',
      write: (us) => us.create({ by: 'us' }, { id: 'chosen', write: 'majority', timeout }),
      spread: (replica) => dataIn(replica, 'chosen'),
      as: { by: 'us' },
    },
    {
      what: 'rotate',
      write: (us, id) => us.rotate(id, { write: 'majority', timeout }),
      spread: async (replica, id) => {
        const all = []
        for await (const { data } of replica.sessions()) all.push(data)
        return [await dataIn(replica, id), all]
      },
      as: [undefined, [{ n: 1 }]],
    },
  ]

  for (const { what, write, spread, as } of WRITES)
    it(`[QUO-2] ${what}: is reported as indeterminate, holds here, and spreads after the heal`, async () => {
      await using regions = await openRegions(THREE, { consistency })
      const { us } = regions
      const { id } = await regions.eu.create({ n: 1 })
      await regions.settled()
      await regions.cutOff('us')
      await expect(write(us, id)).rejects.toMatchObject(unmetWrite(2, ['us']))
      expect(await spread(us, id)).toEqual(as)
      expect(await spread(regions.eu, id)).not.toEqual(as)
      regions.healAll()
      await regions.settled()
      for (const replica of regions.all) expect(await spread(replica, id), replica.region).toEqual(as)
    })

  it('[QUO-2] is on the disk: it outlives the process, and spreads when that is back', async () => {
    await using regions = await openRegions(THREE, { disk: true, consistency })
    const { id } = await regions.eu.create({ n: 1 })
    await regions.settled()
    await regions.cutOff('us')
    await expect(regions.us.update(id, { n: 2 }, { write: 'all', timeout })).rejects.toMatchObject(
      unmetWrite(3, ['us']),
    )
    await regions.reopen('us')
    expect(await dataIn(regions.us, id)).toEqual({ n: 2 })
    expect(await dataIn(regions.eu, id)).toEqual({ n: 1 })
    regions.healAll()
    await regions.settled()
    for (const replica of regions.all) expect(await dataIn(replica, id)).toEqual({ n: 2 })
  })

  it('[QUO-2] merges with what the larger side wrote meanwhile: neither is rolled back', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, us } = regions
    const { id } = await eu.create({})
    await regions.settled()
    await regions.cutOff('us')
    await expect(us.update(id, { us: 1 }, { write: 'majority', timeout })).rejects.toMatchObject({
      code: 'QUORUM_UNMET',
    })
    await eu.update(id, { eu: 1 }, { write: 'majority' })
    regions.healAll()
    await regions.settled()
    for (const replica of regions.all) expect(await dataIn(replica, id)).toEqual({ eu: 1, us: 1 })
  })

  it('[QUO-2] what was refused before it was written is no indeterminate write', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { us } = regions
    await regions.cutOff('us')
    const { head } = us.status()
    await expect(us.update('unknown', {}, { write: 'majority', timeout })).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    })
    await expect(us.create({ bad: Number.NaN }, { write: 'majority', timeout })).rejects.toMatchObject({
      code: 'INVALID_DATA',
    })
    expect(us.status().head).toBe(head)
    expect(us.status().pending.writes).toBe(0)
  })

  it('[QUO-2] closing the replica answers the calls that wait', async () => {
    await using regions = await openRegions(THREE, { consistency: { timeout: '1m' } })
    const { us, ap } = regions
    await regions.cutOff('us')
    const write = expect(us.create({}, { write: 'majority' })).rejects.toMatchObject(unmetWrite(2, ['us']))
    // The links stand, and nothing comes back over them.
    regions.stall('ap', 'eu')
    const read = expect(ap.get('x', { read: 'majority' })).rejects.toMatchObject(unmetRead(2, ['ap']))
    await until(() => us.status().pending.writes + ap.status().pending.reads === 2, 'both calls to wait')
    await Promise.all([regions.shut('us'), regions.shut('ap')])
    await Promise.all([write, read])
  })
})

describe('a write that changes nothing', () => {
  it('[QUO-6] where what it leaves came from a peer, that peer is asked at once whether it has it', async () => {
    // No heartbeat comes to its help.
    await using regions = await openRegions(['eu', 'us'], {
      links: { heartbeat: '9m', timeout: '10m' },
      consistency: { timeout: '10s' },
    })
    const { eu, us } = regions
    for (let n = 0; n < 20; n++) {
      const { id } = await us.create({ n })
      await until(() => eu.get(id), 'it to arrive')
      await eu.update(id, { n }, { write: 'majority', touch: false })
    }
  })
})

describe('a region that hangs', () => {
  it('[QUO-6] holds up no quorum that does without it, though what it wrote reached only some', async () => {
    // As long as a link stands here, an acknowledgement that waits for it waits for longer than the test may take.
    await using regions = await openRegions(THREE, { links: { timeout: '10m' }, consistency: { timeout: '10s' } })
    const { eu, us, ap } = regions
    const { id } = await ap.create({ n: 0 })
    await regions.settled()
    for (const _ of [1, 2, 3]) {
      regions.stall('ap', 'eu')
      await ap.increment(id, '/n')
      await until(() => us.status().vector[ap.status().replica] === ap.status().head, 'us to hear of it')
      regions.stall('ap', 'us')
      await us.increment(id, '/n', 1, { write: 'majority' })
      expect(await dataIn(eu, id)).toEqual(await dataIn(us, id))
      await Promise.all([1, 2, 3].map(() => us.create({}, { write: 'majority' })))
      regions.flow('ap', 'eu')
      regions.flow('ap', 'us')
      await regions.settled()
    }
    expect(await dataIn(ap, id)).toEqual({ n: 6 })
    expect(regions.all.map((replica) => replica.status().totals.refused)).toEqual([{}, {}, {}])
  })
})
