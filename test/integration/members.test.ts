import { isSojournError, openReplica, type Replica } from '@sojourn/replica'
import { describe, expect, test } from 'vitest'
import { contents, openRegions, SECRET, steppedClock } from '../support/region.js'
import { until } from '../support/until.js'

const alone = (region: string, peers: Record<string, string | null>): Promise<Replica> =>
  openReplica({
    region,
    location: ':memory:',
    listen: { port: 0 },
    peers,
    secret: SECRET,
    links: { heartbeat: 50, timeout: '1s', maxReconnectDelay: 100, digestInterval: '1h' },
  })

const urlOf = (replica: Replica) => `ws://127.0.0.1:${replica.address!.port}`

describe('[MEM-1] a region is added while the others run', () => {
  test('and while one of them is away: it gets every session, and counts in majorities at once', async () => {
    await using regions = await openRegions(['a', 'b', 'c'])
    const { id } = await regions.a.create({ n: 1 })
    await regions.settled()
    await regions.shut('c')
    await using d = await alone('d', { a: urlOf(regions.a), b: urlOf(regions.b), c: null })
    // d dials them, and is nobody to them yet.
    await until(() => regions.a.status().totals.refused.LINK_REGION, 'd to be refused')
    expect(await d.get(id)).toBeUndefined()

    regions.a.addPeer('d', urlOf(d))
    regions.b.addPeer('d', urlOf(d))
    await until(async () => await d.get(id), 'the session to reach d')
    // Three of four are a majority: a, b and d are here.
    await regions.a.increment(id, '/n', 1, { write: 3, timeout: '10s' })
    expect((await regions.b.get(id, { read: 'majority' }))!.data.n).toBe(2)
    expect((await d.get(id, { read: 'majority' }))!.data.n).toBe(2)
    await expect(regions.a.touch(id, { write: 5 })).rejects.toThrow(/from 1 to 4/)
    await until(async () => (await contents(d)).sessions.length === 1, 'd to hold it')
  })

  test('one that is a member already is not added twice; another address is dialed from the next time on', async () => {
    await using a = await alone('a', {})
    await using b = await alone('b', { a: null })
    a.addPeer('b', 'ws://127.0.0.1:1')
    expect(a.status().links.b!.state).toBe('down')
    a.addPeer('b', 'ws://127.0.0.1:1')
    a.addPeer('b', urlOf(b))
    await until(() => a.status().links.b!.state === 'live', 'the link')
    expect(Object.keys(a.status().links)).toEqual(['b'])
  })

  test('what is no region and no address is refused', async () => {
    await using a = await alone('a', {})
    await using quiet = await openReplica({ region: 'q', location: ':memory:' })
    const cases: [Replica, string, string | null, RegExp][] = [
      [a, 'a', null, /peers\.a/],
      [a, '', null, /peers\./],
      [a, 'b', 'http://x', /ws:/],
      [quiet, 'b', null, /secret/],
    ]
    for (const [replica, region, url, why] of cases)
      expect(() => replica.addPeer(region, url), region).toThrow(
        expect.toSatisfy((error: unknown) => isSojournError(error, 'INVALID_OPTION') && why.test(error.message)),
      )
    expect(a.status().links).toEqual({})
  })
})

test('[API-1] the lag of a peer that is away grows', async () => {
  const clock = steppedClock()
  const monotonic = () => clock.now()
  await using regions = await openRegions(['eu', 'us'], { ports: { clock: { ...clock, monotonic } } })
  await regions.settled()
  await regions.cut('eu', 'us')
  expect(regions.eu.status().links.us!.lag).toBe(0)
  await regions.eu.create({})
  clock.advance(60_000)
  expect(regions.eu.status().links.us!.lag).toBeGreaterThanOrEqual(60_000)
  regions.healAll()
  await until(() => regions.eu.status().links.us!.state === 'live', 'the link')
  await until(() => regions.eu.status().links.us!.lag === 0, 'the acks')
})

describe('[MEM-2] a region is removed while the others run', () => {
  test('it is refused, what it holds counts for nothing, and the rest are a majority by themselves', async () => {
    await using regions = await openRegions(['a', 'b', 'c'])
    const { id } = await regions.a.create({ n: 1 })
    await regions.settled()
    await regions.cutOff('c')
    // With b away too, two of three are not there.
    await regions.cut('a', 'b')
    await expect(regions.a.increment(id, '/n', 1, { write: 'majority', timeout: 50 })).rejects.toThrow(/QUORUM_UNMET/)
    regions.heal('a', 'b')
    expect(regions.a.removePeer('c')).toBe(true)
    expect(regions.b.removePeer('c')).toBe(true)
    expect(regions.a.removePeer('c')).toBe(false)
    // All of two.
    await regions.a.increment(id, '/n', 1, { write: 'all', timeout: '10s' })
    expect((await regions.b.get(id, { read: 'all' }))!.data.n).toBe(3)
    expect(Object.keys(regions.a.status().links)).toEqual(['b'])
    const refusals = regions.a.status().totals.refused.LINK_REGION ?? 0
    regions.healAll()
    await until(() => (regions.a.status().totals.refused.LINK_REGION ?? 0) > refusals, 'c to be refused')
    expect((await regions.c.get(id))!.data.n).toBe(1)
    expect(regions.a.status().links.c).toBeUndefined()
  })

  test('also where others, who have not heard of it, report that it holds a write', async () => {
    await using regions = await openRegions(['a', 'b', 'c', 'd'])
    const { id } = await regions.a.create({ n: 1 })
    await regions.settled()
    await regions.cutOff('b')
    regions.a.removePeer('c')
    await until(() => regions.c.status().links.a!.state === 'down', 'the link to go')
    // d hands it on to c, and reports that to a.
    const write = regions.a.increment(id, '/n', 1, { write: 3, timeout: 500 })
    await expect(write).rejects.toMatchObject({ code: 'QUORUM_UNMET', need: 3, regions: ['a', 'd'] })
    expect((await regions.c.get(id))!.data.n).toBe(2)
  })

  test('and what it held counts for nothing when it is a member again: its disk may be another', async () => {
    await using regions = await openRegions(['a', 'b'])
    const { id } = await regions.a.create({})
    await regions.a.touch(id, { write: 'all', timeout: '10s' })
    await regions.shut('b')
    regions.a.removePeer('b')
    regions.a.addPeer('b', null)
    await expect(regions.a.touch(id, { write: 'all', timeout: 50 })).rejects.toMatchObject({ regions: ['a'] })
  })

  test('a link that stands is closed', async () => {
    await using regions = await openRegions(['a', 'b'])
    regions.a.removePeer('b')
    await until(() => regions.b.status().links.a!.state === 'down', 'b to see the link go')
    const { id } = await regions.a.create({})
    // Alone, one is a majority.
    expect(await regions.a.touch(id, { write: 'majority' })).toBeDefined()
    expect(await regions.b.get(id)).toBeUndefined()
  })

  test('not where the default levels ask for more regions than would be left', async () => {
    await using regions = await openRegions(['a', 'b'], { consistency: { write: 2 } })
    expect(() => regions.a.removePeer('b')).toThrow(/consistency\.write is 2/)
    expect(Object.keys(regions.a.status().links)).toEqual(['b'])
  })
})
