import { type Duration, openReplica } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { consistency, dataIn, longer, THREE, unmetRead, unmetWrite } from '../support/quorum.js'
import { openRegions, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

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

describe('timeouts', () => {
  it('[QUO-1] a call waits as long as it says, whatever the default is', async () => {
    await using regions = await openRegions(THREE, { consistency: { timeout: '1m' } })
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
    for (const timeout of [0, -1, Number.NaN, 'soon', '5'] as Duration[]) {
      const refused = { code: 'INVALID_OPTION', option: 'timeout' }
      await expect(eu.create({}, { write: 'majority', timeout })).rejects.toMatchObject(refused)
      await expect(eu.get('x', { read: 'majority', timeout })).rejects.toMatchObject(refused)
    }
    expect(eu.status().head).toBe(head)
  })

  it('[QUO-1] calls that wait are bounded: one more is refused before it is written', async () => {
    await using regions = await openRegions(THREE, {
      consistency: { timeout: '1m' },
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
