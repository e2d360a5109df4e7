import type { Replica } from '@sojourn/replica'
import { describe, expect, it } from 'vitest'
import { Cluster, REGIONS } from '../support/virtual-cluster.js'

describe('a session that idled out and comes back', () => {
  // Found by thinking it through: ap's claim on us's feed covers an edit that ap has purged, so us never sends it to eu.
  it('[EXP-2] has the edit of a region that still holds it, although another had purged it and told that it was held', async () => {
    // What ap has purged is not among its recent commits either.
    const ap = { purgeGrace: '1ms', limits: { maxRecentCommits: 1 } }
    const cluster = new Cluster(1, { session: { idleTimeout: '10s', maxLifetime: '5m' } }, { ap })
    for (const name of REGIONS) await cluster.open(name)
    await cluster.time.advance(500)
    const [inAp, eu, us] = REGIONS.map((name) => cluster.replicas.get(name)!) as [Replica, Replica, Replica]
    const { id } = await cluster.during(us.create({ from: 'us' }))
    await cluster.time.advance(500)

    cluster.network.cut('eu', 'us')
    cluster.network.cut('eu', 'ap')
    await cluster.during(us.update(id, { edited: true }, { touch: false }))
    await cluster.time.advance(8_000)
    await cluster.during(eu.touch(id))
    await cluster.time.advance(2_000)
    expect(await inAp.get(id)).toBeUndefined()
    expect(inAp.status()).toMatchObject({ sessions: 0, expired: 0 })
    expect(us.status()).toMatchObject({ sessions: 0, expired: 1 })

    await cluster.during(inAp.create({ another: 'session' }))
    cluster.network.cut('ap', 'us')
    cluster.network.heal('eu', 'ap')
    await cluster.time.advance(3_000)
    expect((await eu.get(id))?.data).toEqual({ from: 'us' })
    cluster.network.heal('eu', 'us')
    await cluster.time.advance(3_000)
    for (const replica of [inAp, eu, us]) expect((await replica.get(id))?.data).toEqual({ from: 'us', edited: true })
    await cluster.close()
  })
})
