import { afterEach, describe, expect, it } from 'vitest'
import { openRegions, SECRET } from '../support/region.js'
import { all, closeOpened, open } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

describe('status', () => {
  it('[API-1] reports what the replica is, holds and hears', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const { id } = await eu.create({ a: 1 })
    await eu.create({})
    await eu.end(id)
    await regions.settled()
    await until(() => eu.status().links.us!.rtt !== undefined, 'a round trip')
    const status = eu.status()
    expect(status).toEqual({
      region: 'eu',
      replica: expect.stringMatching(/^[0-9a-f]{32}$/),
      isolated: false,
      takenAt: [],
      sessions: 1,
      expired: 0,
      tombstones: 1,
      cutoffs: 0,
      certificateExpiresAt: undefined,
      encryption: undefined,
      head: 3,
      // Each replica counts what it takes in from others, too.
      vector: { [us.status().replica]: us.status().head },
      links: {
        us: {
          state: 'live',
          unacked: expect.any(Number),
          lag: expect.any(Number),
          rtt: expect.any(Number),
          skew: expect.any(Number),
          bufferedBytes: expect.any(Number),
          toReceive: 0,
          held: 3,
          bytes: { sent: expect.any(Number), received: expect.any(Number) },
          // Who was opened first dials in vain until the other one is there.
          lastError: status.links.us!.lastError,
          nextTryAt: undefined,
          failures: expect.any(Object),
          version: 2,
          capabilities: ['digest'],
        },
      },
      clock: { isTrusted: true, offBy: 0 },
      cache: { entries: 2, bytes: expect.any(Number), hits: expect.any(Number), misses: 0 },
      unauthenticated: { connections: 0, evicted: 0 },
      recentBytes: expect.any(Number),
      store: {
        indexBytes: expect.any(Number),
        journalBytes: expect.any(Number),
        uncheckpointed: { records: 2, bytes: expect.any(Number) },
        checkpoints: { checkpoints: 0, rows: 0, failed: 0 },
      },
      pending: { commits: 0, writes: 0, reads: 0 },
      totals: {
        commits: 3,
        refused: {},
        repaired: { read: 0, digest: 0, corrupt: 0 },
        reused: 0,
        refusedItems: 0,
        catchUps: expect.any(Number),
        fullCatchUps: 0,
        corrupt: 0,
      },
    })
    expect(us.status()).toMatchObject({ sessions: 1, tombstones: 1, vector: { [status.replica]: 3 } })
    await until(() => eu.status().links.us!.unacked === 0, 'the acks')
  })

  it('[API-1] reports a peer that is away, and how far it lags', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu } = regions
    await regions.cut('eu', 'us')
    for (let n = 0; n < 7; n++) await eu.create({ n })
    expect(eu.status().links.us).toMatchObject({ state: 'down', unacked: 7, rtt: undefined })
    regions.healAll()
    await regions.settled()
    await until(() => eu.status().links.us!.unacked === 0, 'the acks')
  })

  it('[API-1] counts bytes, hits and misses, and whether a catch-up read the whole feed', async () => {
    await using regions = await openRegions(['eu', 'us'], { limits: { maxRecentCommits: 2, maxCacheEntries: 1 } })
    const { eu } = regions
    const ids: string[] = []
    for (let n = 0; n < 10; n++) ids.push((await eu.create({ n, text: 'x'.repeat(100) })).id)
    await regions.settled()
    const before = eu.status()
    const heard = regions.us.status().links.eu!.bytes.received
    await eu.get(ids[9]!)
    await eu.get(ids[0]!)
    expect(eu.status().cache).toMatchObject({ hits: before.cache.hits + 1, misses: before.cache.misses + 1 })

    await regions.cut('eu', 'us')
    for (let n = 0; n < 10; n++) await eu.create({ n, text: 'x'.repeat(100) })
    regions.healAll()
    await regions.settled()
    const partial = eu.status()
    expect(partial.totals.catchUps).toBeGreaterThan(before.totals.catchUps)
    expect(partial.totals.fullCatchUps).toBe(before.totals.fullCatchUps)
    expect(partial.links.us!.bytes.sent).toBeGreaterThan(before.links.us!.bytes.sent + 1_000)
    expect(regions.us.status().links.eu!.bytes.received).toBeGreaterThan(heard + 1_000)

    // Its store was in memory.
    await regions.reopen('us')
    expect(await regions.us.get(ids[0]!)).toBeUndefined()
    await regions.settled()
    await until(() => regions.us.status().links.eu!.toReceive === 0, 'us to have it all')
    expect(eu.status().totals.fullCatchUps).toBe(before.totals.fullCatchUps + 1)
  })

  it('[API-1] a region can be isolated and rejoin', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    eu.isolate()
    expect(eu.status().isolated).toBe(true)
    await until(() => us.status().links.eu!.state === 'down', 'the link to go')
    const { id } = await us.create({})
    expect(await eu.get(id)).toBeUndefined()
    eu.rejoin()
    await regions.settled()
    expect(eu.status().isolated).toBe(false)
    expect(await eu.get(id)).toBeDefined()
  })

  it('[API-1] names its region and where it listens', async () => {
    const eu = await open({ listen: { port: 0 }, secret: SECRET })
    expect(eu.region).toBe('eu')
    expect(eu.address).toEqual({ host: '127.0.0.1', port: expect.any(Number) })
    expect(eu.address!.port).toBeGreaterThan(0)
    expect((await open({ region: 'us' })).address).toBeUndefined()
  })
})

describe('bounds', () => {
  it('[API-1] commits that wait for the disk are bounded: one more is refused, and nothing of it is written', async () => {
    const eu = await open({ limits: { maxPendingCommits: 3 } })
    const { id } = await eu.create({ n: 0 })
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => eu.increment(id, '/n')))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(refused.length).toBe(7)
    for (const error of refused) expect(error).toMatchObject({ code: 'OVERLOADED', limit: 3 })
    expect((await eu.get(id))?.data.n).toBe(3)
    expect(eu.status().pending.commits).toBe(0)
    await eu.increment(id, '/n')
  })

  it('[API-1] so are their bytes, and those of sessions whose writes wait for regions', async () => {
    const text = 'x'.repeat(2_000)
    const eu = await open({ limits: { maxPendingBytes: 5_000 } })
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => eu.create({ text })))
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    // The third passes the bound; then nothing more is let in.
    expect(refused.length).toBe(7)
    for (const error of refused) expect(error).toMatchObject({ code: 'OVERLOADED', limit: 5_000 })
    expect(await eu.count()).toBe(3)
    await eu.create({ text })

    const peers = { us: null }
    const secret = 'a secret of the tests'
    const lonely = await open({ peers, secret, limits: { maxPendingQuorumBytes: 5_000 } })
    const waiting = Array.from({ length: 10 }, () => lonely.create({ text }, { write: 'all', timeout: 100 }))
    const codes = (await Promise.allSettled(waiting)).map(
      (each) => (each as { reason?: { code: string } }).reason?.code,
    )
    expect(codes.filter((code) => code === 'QUORUM_UNMET')).toHaveLength(3)
    expect(codes.filter((code) => code === 'OVERLOADED')).toHaveLength(7)
    expect(await lonely.count()).toBe(3)
  })

  it('[API-1] reads and refused calls need no room', async () => {
    const eu = await open({ limits: { maxPendingCommits: 1 } })
    const { id } = await eu.create({ n: 0 })
    const write = eu.increment(id, '/n')
    await Promise.all([eu.get(id), eu.count(), all(eu)])
    await write
  })
})
