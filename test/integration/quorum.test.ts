import { openReplica, type Replica } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { openRegions, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

const THREE = ['eu', 'us', 'ap'] as const

/** For calls that cannot be met; all others have time enough for the busiest machine. */
const timeout = '60ms'
/** For those that cannot be met either, and of which it matters who answers meanwhile. */
const longer = '700ms'
const consistency = { timeout: '15s' }

const unmetWrite = (need: number, regions: readonly string[]) => ({
  code: 'QUORUM_UNMET',
  need,
  got: regions.length,
  regions: expect.toSatisfy((answered: string[]) => [...answered].sort().join() === [...regions].sort().join()),
  mayHaveApplied: true,
})
const unmetRead = (need: number, regions: readonly string[]) => ({
  ...unmetWrite(need, regions),
  mayHaveApplied: false,
})

const dataIn = async (replica: Replica, id: string): Promise<unknown> => (await replica.get(id))?.data

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

  it('[QUO-1] on the smaller side they are unmet, and tell what was needed and who answered', async () => {
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
    it(`[QUO-2] ${what}: is told as indeterminate, holds here, and spreads after the heal`, async () => {
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
    await using regions = await openRegions(THREE, { consistency: { timeout: '1h' } })
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

  it('[QUO-3] by a region that has a long way to catch up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    for (let n = 0; n < BACKLOG; n++) await eu.create({ n })
    await eu.update(id, { n: 1 }, { write: 'majority' })
    regions.heal('us', 'ap')
    await until(() => us.status().links.ap!.state !== 'down', 'a link')
    expect((await us.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
  })

  it('[QUO-4] a reader that was behind is mended by the read, before it has caught up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    for (let n = 0; n < BACKLOG; n++) await eu.create({ n })
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

  it('[QUO-4] whom a read finds behind is mended, before it has caught up', async () => {
    await using regions = await openRegions(THREE, { consistency, limits: SLOW })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    await regions.settled()
    await regions.cutOff('us')
    for (let n = 0; n < BACKLOG; n++) await eu.create({ n })
    await eu.update(id, { n: 1 })
    await regions.settled('eu', 'ap')
    // One side dials, so that no second connection takes the place of the first.
    regions.proxy('us', 'eu').heal()
    await until(() => eu.status().links.us!.state !== 'down', 'a link')
    expect((await eu.get(id, { read: 'majority' }))?.data).toEqual({ n: 1 })
    await until(async () => (await us.get(id))?.data.n === 1, 'the region that was behind to be mended')
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
    await until(() => us.status().links.eu!.state === 'live', 'the link that us dialled')
    usDials.stall()
    const read = us.get(id, { read: 'majority', timeout: '2s' })
    // Of two connections both sides keep the one that eu dialled.
    euDials.flow()
    expect((await read)?.data).toEqual({ n: 0 })
  })
})

describe('levels', () => {
  it('[QUO-1] all needs every region', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, us, ap } = regions
    const { id } = await eu.create({ n: 0 }, { write: 'all' })
    for (const replica of regions.all) expect(await dataIn(replica, id)).toEqual({ n: 0 })
    expect((await us.get(id, { read: 'all' }))?.data).toEqual({ n: 0 })
    await regions.cutOff('ap')
    await expect(eu.update(id, { n: 1 }, { write: 'all', timeout: longer })).rejects.toMatchObject(
      unmetWrite(3, ['eu', 'us']),
    )
    // Where a link is down the answer is known at once, and nobody is asked.
    await expect(us.get(id, { read: 'all' })).rejects.toMatchObject(unmetRead(3, ['us']))
    await expect(ap.get(id, { read: 'all' })).rejects.toMatchObject(unmetRead(3, ['ap']))
    regions.healAll()
    await regions.settled()
    expect((await ap.get(id, { read: 'all' }))?.data).toEqual({ n: 1 })
  })

  it('[QUO-1] a number counts regions, this one included', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu, us } = regions
    await regions.cutOff('ap')
    const { id } = await eu.create({ n: 0 }, { write: 2 })
    expect((await us.get(id, { read: 2 }))?.data).toEqual({ n: 0 })
    await eu.increment(id, '/n', 1, { write: 1 })
    await expect(eu.increment(id, '/n', 1, { write: 3, timeout: longer })).rejects.toMatchObject(
      unmetWrite(3, ['eu', 'us']),
    )
    await expect(eu.get(id, { read: 3 })).rejects.toMatchObject(unmetRead(3, ['eu']))
  })

  it('[QUO-1] a level that is none is refused, and nothing is written', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu } = regions
    const { id } = await eu.create({ n: 0 })
    const { head } = eu.status()
    for (const level of [0, -1, 1.5, 4, Number.NaN, 'most', '2', '']) {
      const write = level as never
      const refused = { code: 'INVALID_OPTION', option: 'write' }
      await expect(eu.create({}, { write }), `create ${level}`).rejects.toMatchObject(refused)
      await expect(eu.update(id, { n: 1 }, { write }), `update ${level}`).rejects.toMatchObject(refused)
      await expect(eu.replace(id, { n: 1 }, { write }), `replace ${level}`).rejects.toMatchObject(refused)
      await expect(eu.increment(id, '/n', 1, { write }), `increment ${level}`).rejects.toMatchObject(refused)
      await expect(eu.touch(id, { idleTimeout: '5h', write }), `touch ${level}`).rejects.toMatchObject(refused)
      await expect(eu.rotate(id, { write }), `rotate ${level}`).rejects.toMatchObject(refused)
      await expect(eu.end(id, { write }), `end ${level}`).rejects.toMatchObject(refused)
      await expect(eu.endAll({ write }), `endAll ${level}`).rejects.toMatchObject(refused)
      await expect(eu.get(id, { read: write }), `get ${level}`).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        option: 'read',
      })
    }
    expect(eu.status().head).toBe(head)
  })

  it('[QUO-1] a store by itself is all of its regions', async () => {
    await using replica = await openReplica({ region: 'eu', location: ':memory:' })
    const { id } = await replica.create({ n: 0 }, { write: 'all' })
    await replica.update(id, { n: 1 }, { write: 'majority' })
    expect((await replica.get(id, { read: 'all' }))?.data).toEqual({ n: 1 })
    await expect(replica.get(id, { read: 2 })).rejects.toMatchObject({ code: 'INVALID_OPTION', option: 'read' })
  })

  it('[QUO-1] over a chain: what a peer relays is acknowledged back along it', async () => {
    await using regions = await openRegions(THREE, {
      pairs: [
        ['eu', 'us'],
        ['us', 'ap'],
      ],
      consistency,
    })
    for (const replica of regions.all)
      for (let n = 0; n < 5; n++) {
        const { id } = await replica.create({ n }, { write: 'all' })
        for (const other of regions.all) expect(await dataIn(other, id), other.region).toEqual({ n })
        await replica.update(id, { n: -n }, { write: 'all' })
        for (const other of regions.all) expect(await dataIn(other, id), other.region).toEqual({ n: -n })
      }
  })

  it('[QUO-1] a call that changes nothing is acknowledged where what it leaves is held', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(THREE, {
      consistency,
      maxClockSkew: '1d',
      ports: { clock },
    })
    const { eu, us } = regions
    const { id } = await eu.create({ n: 0 })
    // A renewal that is written reaches further, so that those that follow soon need not be.
    clock.advance(60_000)
    await eu.touch(id, { write: 'all' })
    await regions.settled()
    const heads = regions.all.map((replica) => replica.status().head)
    for (const replica of [eu, us]) {
      await replica.touch(id, { write: 'all' })
      await replica.update(id, { n: 0 }, { write: 'all', touch: false })
    }
    expect(regions.all.map((replica) => replica.status().head)).toEqual(heads)
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

describe('timeouts', () => {
  it('[QUO-1] a call waits as long as it says, whatever the default is', async () => {
    await using regions = await openRegions(THREE, { consistency: { timeout: '1h' } })
    const { us, ap } = regions
    await regions.cutOff('us')
    regions.stall('eu', 'ap')
    for (const call of [
      () => us.create({}, { write: 'majority', timeout: 80 }),
      () => ap.get('x', { read: 'majority', timeout: '80ms' }),
    ]) {
      const start = performance.now()
      await expect(call()).rejects.toMatchObject({ code: 'QUORUM_UNMET' })
      // Timers may fire a little early.
      expect(performance.now() - start).toBeGreaterThan(75)
    }
  })

  it('[QUO-1] a timeout that is none is refused, and nothing is written', async () => {
    await using regions = await openRegions(THREE, { consistency })
    const { eu } = regions
    const { head } = eu.status()
    for (const timeout of [0, -1, Number.NaN, 'soon', '5'] as const) {
      const refused = { code: 'INVALID_OPTION', option: 'timeout' }
      await expect(eu.create({}, { write: 'majority', timeout })).rejects.toMatchObject(refused)
      await expect(eu.get('x', { read: 'majority', timeout })).rejects.toMatchObject(refused)
    }
    expect(eu.status().head).toBe(head)
  })

  it('[QUO-1] calls that wait are bounded: one more is refused before it is written', async () => {
    await using regions = await openRegions(THREE, {
      consistency: { timeout: '1h' },
      limits: { maxPendingQuorums: 2 },
    })
    const { us, ap } = regions
    await regions.cutOff('us')
    const waiting = [1, 2].map(() => us.create({}, { write: 'majority' }))
    await until(() => us.status().pending.writes === 2 && us.status().head === 2, 'two writes to wait')
    const { head } = us.status()
    const overloaded = { code: 'OVERLOADED', limit: 2 }
    await expect(us.create({}, { write: 'majority' })).rejects.toMatchObject(overloaded)
    expect(us.status().head).toBe(head)
    await us.create({})

    regions.stall('eu', 'ap')
    const reading = [1, 2].map(() => ap.get('x', { read: 'majority' }))
    await until(() => ap.status().pending.reads === 2, 'two reads to wait')
    await expect(ap.get('x', { read: 'majority' })).rejects.toMatchObject(overloaded)
    expect(await ap.get('x')).toBeUndefined()

    regions.flow('eu', 'ap')
    regions.healAll()
    await Promise.all([...waiting, ...reading])
  })
})
