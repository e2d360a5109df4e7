import type { Replica } from '@sojourn/replica'
import { describe, expect, test } from 'vitest'
import { linkAs } from '../support/hostile-peer.js'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

/** Each of `count` workers makes a session and goes on with it until asked to stop. Resolves with the ids and their counts. */
const load = (replica: Replica, workers: number) => {
  let stopped = false
  const work = async () => {
    const { id } = await replica.create({ n: 0, by: replica.region })
    let n = 0
    while (!stopped) {
      await replica.increment(id, '/n')
      n++
      // A store in memory answers without a turn of the event loop; a loop over it would let nothing else run.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { id, n }
  }
  const done = Promise.all(Array.from({ length: workers }, work))
  return {
    stop: () => {
      stopped = true
      return done
    },
  }
}

const expectEverywhere = async (replicas: readonly Replica[], sessions: readonly { id: string; n: number }[]) => {
  for (const replica of replicas)
    for (const { id, n } of sessions) expect((await replica.get(id))?.data.n, `in ${replica.region}`).toBe(n)
}

describe('a chain: a–b, b–c, no a–c', () => {
  const CHAIN = {
    pairs: [
      ['a', 'b'],
      ['b', 'c'],
    ],
  } as const

  test('[CONV-3] updates of one session at both ends', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], CHAIN)
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    await Promise.all(
      [regions.a, regions.c].flatMap((end) =>
        Array.from({ length: 200 }, (_, index) =>
          index % 2 === 0 ? end.increment(id, '/n') : end.update(id, { [end.region]: index }),
        ),
      ),
    )
    await regions.settled()
    for (const replica of regions.all) expect((await replica.get(id))!.data).toEqual({ n: 200, a: 199, c: 199 })
  })

  test('[CONV-3] load at all three, then an end, a rotation and a create at the ends', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], CHAIN)
    const loads = regions.all.map((replica) => load(replica, 8))
    await until(() => regions.all.every((replica) => replica.status().head > 2_000), 'some load')
    const sessions = (await Promise.all(loads.map((each) => each.stop()))).flat()
    await regions.settled()
    await expectEverywhere(regions.all, sessions)
    await regions.a.end(sessions[0]!.id)
    const { id } = await regions.c.rotate(sessions[1]!.id)
    await regions.settled()
    for (const replica of regions.all) {
      expect(await replica.get(sessions[0]!.id)).toBeUndefined()
      expect(await replica.get(sessions[1]!.id)).toBeUndefined()
      expect((await replica.get(id))!.data.n).toBe(sessions[1]!.n)
    }
  })

  test('[CONV-3] the middle restarts while both ends write', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { ...CHAIN, disk: true })
    const loads = [regions.a, regions.c].map((replica) => load(replica, 8))
    for (let round = 0; round < 3; round++) {
      const heads = [regions.a, regions.c].map((replica) => replica.status().head)
      await regions.shut('b')
      await until(
        () => [regions.a, regions.c].every((replica, index) => replica.status().head > heads[index]! + 300),
        'load while the middle is away',
      )
      await regions.reopen('b')
    }
    const sessions = (await Promise.all(loads.map((each) => each.stop()))).flat()
    await regions.settled()
    await expectEverywhere(regions.all, sessions)
  })

  test('[CONV-3] a quorum of the ends goes through the middle', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], CHAIN)
    const { id } = await regions.a.create({ n: 0 }, { write: 'all', timeout: '10s' })
    expect((await regions.c.get(id))!.data).toEqual({ n: 0 })
    await regions.c.increment(id, '/n', 1, { write: 'all', timeout: '10s' })
    expect((await regions.a.get(id))!.data).toEqual({ n: 1 })
  })

  test('[CONV-3] an end restarts, and is given by the middle what the other end wrote meanwhile', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { ...CHAIN, disk: true })
    const { id } = await regions.c.create({ n: 0 })
    await regions.settled()
    for (let round = 1; round <= 3; round++) {
      await regions.shut('a')
      for (let index = 0; index < 50; index++) await regions.c.increment(id, '/n')
      await regions.settled('b', 'c')
      await regions.reopen('a')
      await regions.settled()
      expect((await regions.a.get(id))!.data).toEqual({ n: 50 * round })
    }
  })
})

describe('other shapes', () => {
  test('[CONV-3] a ring of four, which then loses one link', async () => {
    await using regions = await openRegions(['a', 'b', 'c', 'd'], {
      pairs: [
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'd'],
        ['d', 'a'],
      ],
    })
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    const write = (count: number) =>
      Promise.all(regions.all.flatMap((replica) => Array.from({ length: count }, () => replica.increment(id, '/n'))))
    await write(50)
    await regions.settled()
    const writing = write(100)
    await regions.cut('a', 'b')
    await writing
    await regions.heal('a', 'b')
    await write(50)
    await regions.settled()
    for (const replica of regions.all) expect((await replica.get(id))!.data).toEqual({ n: 800 })
  })

  test('[CONV-4] one link of a mesh is lost under load, and comes back', async () => {
    await using regions = await openRegions(['a', 'b', 'c'])
    const loads = regions.all.map((replica) => load(replica, 8))
    const more = async (what: string) => {
      const heads = regions.all.map((replica) => replica.status().head)
      await until(() => regions.all.every((replica, i) => replica.status().head > heads[i]! + 300), what)
    }
    await more('load before')
    await regions.cut('a', 'c')
    // While they are cut, what one end writes must reach the other through b.
    const { id } = await regions.a.create({ from: 'a' })
    await until(() => regions.c.get(id), 'what a wrote to come to c through b')
    await more('load while cut')
    await regions.heal('a', 'c')
    await more('load after')
    const sessions = (await Promise.all(loads.map((each) => each.stop()))).flat()
    await regions.settled()
    await expectEverywhere(regions.all, sessions)
  })

  test('[CONV-4] one link of a mesh is lost for good', async () => {
    await using regions = await openRegions(['a', 'b', 'c'])
    const loads = regions.all.map((replica) => load(replica, 4))
    await until(() => regions.all.every((replica) => replica.status().head > 500), 'load before')
    await regions.cut('a', 'c')
    const heads = regions.all.map((replica) => replica.status().head)
    await until(() => regions.all.every((replica, i) => replica.status().head > heads[i]! + 300), 'load while cut')
    const sessions = (await Promise.all(loads.map((each) => each.stop()))).flat()
    await until(
      () =>
        regions.all.every((one) =>
          regions.all.every(
            (other) => one === other || (one.status().vector[other.status().replica] ?? 0) >= other.status().head,
          ),
        ),
      'all to hold all through the links that are left',
    )
    await expectEverywhere(regions.all, sessions)
  })

  test('[CONV-4] what was under way when a link was lost cannot hold up what is sent again', async () => {
    await using regions = await openRegions(['a', 'c'], { each: { a: { peers: { b: null, c: null } } } })
    const b = await linkAs(regions.a, 'b')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    const segment = { type: 'segment', from: 0, through: 5, mode: 'live', holds: [], items: [] } as const
    // Left out, because a gets it from c; but c is gone before it was sent.
    const needs = [{ at: 1, feed: regions.c.status().replica, through: 1_000 }]
    b.send({ ...segment, epoch: 0, needs })
    await regions.cut('a', 'c')
    const { epoch, from } = await b.next('resume')
    expect(from).toBe(0)
    // This one had been sent before the resume came, and joins on all the same.
    b.send({ ...segment, epoch: 0, needs })
    b.send({ ...segment, epoch, needs: [] })
    await until(() => regions.a.status().vector[b.feed] === 5, 'what was sent again to be held')
    b.socket.terminate()
  })

  test('[CONV-4] two peers that each leave out what the other sends do not wait for each other', async () => {
    await using regions = await openRegions(['a'], { each: { a: { peers: { b: null, c: null } } } })
    const [b, c] = [await linkAs(regions.a, 'b'), await linkAs(regions.a, 'c')]
    const held = (peer: typeof b) => regions.a.status().vector[peer.feed]
    const segment = { type: 'segment', epoch: 0, from: 0, through: 9, mode: 'live', holds: [], items: [] } as const
    b.send({ ...segment, needs: [{ at: 1, feed: c.feed, through: 5 }] })
    // Nothing of c is here, so nothing of b can be claimed: it is on the disk, that is all.
    expect(await b.next('received')).toMatchObject({ through: 9, epoch: 0 })
    expect(held(b)).toBeUndefined()
    c.send({ ...segment, needs: [{ at: 3, feed: b.feed, through: 7 }] })
    await until(() => held(b) === 9 && held(c) === 9, 'both to be held')
    // Where the other has less than is needed, neither is held further than before that place.
    b.send({ ...segment, from: 9, through: 20, needs: [{ at: 15, feed: c.feed, through: 19 }] })
    c.send({ ...segment, from: 9, through: 18, needs: [{ at: 17, feed: b.feed, through: 20 }] })
    expect(await c.next('received')).toMatchObject({ through: 18 })
    expect([held(b), held(c)]).toEqual([14, 16])
    for (const peer of [b, c]) peer.socket.terminate()
  })

  test('[QUO-5] what a scan over a feed has passed is not acknowledged before the scan is through', async () => {
    await using regions = await openRegions(['a'], { each: { a: { peers: { b: null } } } })
    let b = await linkAs(regions.a, 'b')
    const segment = { type: 'segment', epoch: 0, from: 0, through: 9, needs: [], holds: [], items: [] } as const
    // What stood at 5, and was written with a quorum, may have moved to 12 since.
    b.send({ ...segment, mode: 'catchup' })
    expect(await b.next('received')).toMatchObject({ through: 9, epoch: 0 })
    expect(regions.a.status().vector[b.feed]).toBeUndefined()
    // Broken off: the scan goes on from there, and is still not through.
    b.socket.terminate()
    await until(() => regions.a.status().links.b!.state === 'down', 'the link to go')
    b = await linkAs(regions.a, 'b', { feed: b.feed })
    expect(b.hello).toMatchObject({ vector: [], scanned: [{ feed: b.feed, through: 9 }] })
    b.send({ ...segment, from: 9, through: 12, mode: 'catchup' })
    await b.next('received')
    expect(regions.a.status().vector[b.feed]).toBeUndefined()
    b.send({ ...segment, from: 12, through: 14, mode: 'caughtup' })
    await until(() => regions.a.status().vector[b.feed] === 14, 'all of it to be held')
    b.socket.terminate()
  })

  test('[CONV-4] links are cut and healed at random under load', async () => {
    await using regions = await openRegions(['a', 'b', 'c'])
    const loads = regions.all.map((replica) => load(replica, 4))
    const pairs = [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c'],
    ] as const
    for (let round = 0; round < 12; round++) {
      const [one, other] = pairs[round % 3]!
      await regions.cut(one, other)
      const { head } = regions.a.status()
      await until(() => regions.a.status().head > head + 50, 'load')
      await regions.heal(one, other)
    }
    const sessions = (await Promise.all(loads.map((each) => each.stop()))).flat()
    await regions.settled()
    await expectEverywhere(regions.all, sessions)
    expect(regions.faults).toEqual([])
  })
})

describe('a peer that stops reading', () => {
  const UPDATES = 50_000
  const MAX_BUFFERED = 256 * 1024
  const LIMITS = { maxBufferedBytes: MAX_BUFFERED, maxUnackedBytes: 1024 * 1024, maxRecentBytes: 1024 * 1024 }
  /** A frame, and what else is sent beside the feed, may come on top of the limit. */
  const SLACK = 512 * 1024

  const flood = async (replica: Replica, onRound: () => unknown) => {
    const ids = await Promise.all(
      Array.from({ length: 500 }, async () => (await replica.create({ n: 0, pad: 'x'.repeat(200) })).id),
    )
    for (let done = 0; done < UPDATES; done += ids.length) {
      await Promise.all(ids.map((id, index) => replica.update(id, { n: done, text: `${done} ${index}`.repeat(10) })))
      await onRound()
      // See `load`.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return ids
  }

  test('[BOUND-1] a link that stalls: the sender stays small, others are in step, and it catches up', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], {
      limits: LIMITS,
      links: { heartbeat: 50, timeout: '30s', maxReconnectDelay: 100, digestInterval: '1h' },
    })
    global.gc?.()
    const heap = process.memoryUsage().heapUsed
    regions.stall('a', 'b')
    regions.stall('b', 'c')
    let buffered = 0
    let recent = 0
    const heldByC = () => regions.c.status().vector[regions.a.status().replica] ?? 0
    await flood(regions.a, async () => {
      const { links, recentBytes, head } = regions.a.status()
      buffered = Math.max(buffered, links.b!.bufferedBytes)
      recent = Math.max(recent, recentBytes)
      await until(() => heldByC() > head - 2_000, 'the link that does not stall to stay in step')
    })
    expect(buffered).toBeLessThan(MAX_BUFFERED + SLACK)
    expect(recent).toBeLessThanOrEqual(LIMITS.maxRecentBytes)
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(200 * 1024 * 1024)
    expect(regions.a.status().links.b!.unacked).toBeGreaterThan(UPDATES / 2)
    await regions.settled('a', 'c')
    regions.flow('a', 'b')
    regions.flow('b', 'c')
    await regions.settled()
  })

  test('[BOUND-1] a link that stalls and times out is given up, and dialed again', async () => {
    await using regions = await openRegions(['a', 'b'], { limits: LIMITS })
    const { id } = await regions.a.create({ n: 0 })
    await regions.settled()
    regions.stall('a', 'b')
    await until(() => regions.a.status().links.b!.state === 'down', 'the stalled link to be given up')
    expect(regions.a.status().totals.refused.LINK_TIMEOUT).toBeGreaterThan(0)
    await regions.a.increment(id, '/n')
    regions.flow('a', 'b')
    await regions.settled()
    expect((await regions.b.get(id))!.data.n).toBe(1)
  })

  test('[BOUND-1] a peer that beats but never reads', async () => {
    await using regions = await openRegions(['a', 'c'], {
      limits: LIMITS,
      each: { a: { peers: { b: null, c: null } } },
    })
    const peer = await linkAs(regions.a, 'b')
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    const socket = (peer.socket as unknown as { _socket: { pause(): void } })._socket
    socket.pause()
    let buffered = 0
    await flood(regions.a, () => {
      peer.beat()
      buffered = Math.max(buffered, regions.a.status().links.b!.bufferedBytes)
    })
    expect(regions.a.status().links.b!.unacked).toBeGreaterThan(UPDATES / 2)
    expect(buffered).toBeLessThan(MAX_BUFFERED + SLACK)
    await until(
      () => regions.c.status().vector[regions.a.status().replica] === regions.a.status().head,
      'the honest peer to have all',
    )
    peer.socket.terminate()
  })

  test('[BOUND-1] a peer that reads but never acknowledges', async () => {
    await using regions = await openRegions(['a', 'c'], {
      limits: LIMITS,
      each: { a: { peers: { b: null, c: null } } },
    })
    const peer = await linkAs(regions.a, 'b')
    let bytes = 0
    peer.socket.on('message', (data: Buffer) => {
      bytes += data.length
    })
    await until(() => regions.a.status().links.b!.state === 'live', 'the link')
    await flood(regions.a, () => peer.beat())
    expect(bytes).toBeLessThan(LIMITS.maxUnackedBytes + SLACK)
    expect(regions.a.status().links.b!.unacked).toBeGreaterThan(UPDATES / 2)
    peer.socket.terminate()
  })
})
