import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openReplica, type Replica, type ReplicaOptions, sessionKey } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { isEmbedded } from '../support/door.js'
import { openRegions, SECRET } from '../support/region.js'
import { all, closeOpened, EVERYTHING, open, refuses, temporary } from '../support/replica.js'

afterEach(closeOpened)

describe('the disk', () => {
  it('[API-1] a directory that is opened again has its sessions and its ends', async () => {
    const location = await temporary()
    const first = await open({ location })
    const kept = await first.create(EVERYTHING)
    const counted = await first.create({ n: 1 })
    await first.increment(counted.id, '/n', 2)
    const gone = await first.create({})
    await first.end(gone.id, { reason: 'revoked' })
    const actor = first.status().replica
    await first.close()

    const second = await open({ location })
    expect(await second.get(kept.id)).toStrictEqual(kept)
    expect((await second.get(counted.id))?.data).toEqual({ n: 3 })
    expect(await second.get(gone.id)).toBeUndefined()
    await refuses(second.create({}, { id: gone.id }), 'SESSION_EXISTS', { state: 'ended' })
    expect(second.status()).toMatchObject({ sessions: 2, tombstones: 1, head: 5 })
    expect(second.status().replica, 'each incarnation is another actor').not.toBe(actor)
    await second.update(kept.id, { more: true })
    expect((await second.get(kept.id))?.data).toStrictEqual({ ...EVERYTHING, more: true })
  })

  it('[API-1] a directory can be open once', async () => {
    const location = await temporary()
    const first = await open({ location })
    await refuses(openReplica({ region: 'eu', location }), 'STORE_LOCKED')
    await first.close()
    await open({ location })
  })

  it('[API-1] ids never reach it, nor what they can be found from', async () => {
    await using regions = await openRegions(['eu', 'us'], { disk: true })
    const { eu, us } = regions
    const ids: string[] = []
    const made = async (replica: Replica) => {
      const { id } = await replica.create({ marker: 'data that is stored' })
      ids.push(id)
      return id
    }
    await eu.touch(await made(eu))
    await eu.update(await made(us), { a: 1 }).catch(() => {})
    ids.push((await us.rotate(await made(us))).id)
    await us.end(await made(us))
    await eu.create({}, { id: 'chosen-by-the-caller-and-secret' })
    ids.push('chosen-by-the-caller-and-secret')
    await eu.get('asked-for-and-not-there')
    await eu.end('ended-and-not-there')
    ids.push('asked-for-and-not-there', 'ended-and-not-there')
    await regions.settled()
    await Promise.all([regions.shut('eu'), regions.shut('us')])

    for (const name of regions.names) {
      const files = (await readdir(regions.location(name), { recursive: true, withFileTypes: true })).filter((file) =>
        file.isFile(),
      )
      const bytes = Buffer.concat(await Promise.all(files.map((f) => readFile(join(f.parentPath, f.name)))))
      // Were it not for these, the search would prove nothing.
      expect(bytes.includes(Buffer.from(sessionKey(ids[0]!), 'hex')), 'the key is there').toBe(true)
      expect(bytes.includes('data that is stored'), 'the data is there').toBe(true)
      for (const id of ids) {
        expect(bytes.includes(id), `${name} has an id on its disk`).toBe(false)
        expect(bytes.includes(Buffer.from(id, 'base64url')), `${name} has an id on its disk`).toBe(false)
        expect(bytes.includes(id.slice(0, 12)), `${name} has a part of an id on its disk`).toBe(false)
      }
    }
  })
})

describe.runIf(isEmbedded())('closing', () => {
  it('[API-1] every call on a closed replica is refused', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    await eu.close()
    await eu.close()
    const calls: readonly (() => Promise<unknown>)[] = [
      () => eu.create({}),
      () => eu.get(id),
      () => eu.update(id, {}),
      () => eu.replace(id, {}),
      () => eu.increment(id, '/n'),
      () => eu.touch(id),
      () => eu.end(id),
      () => eu.rotate(id),
      () => all(eu),
      () => eu.count(),
      () => eu.endAll(),
      () => eu.compareDigests(),
      async () => eu.isolate(),
      async () => eu.rejoin(),
    ]
    for (const call of calls) await refuses(call(), 'REPLICA_CLOSED', {}, String(call))
    // What it was last can still be asked.
    expect(eu.status()).toMatchObject({ region: 'eu', sessions: 1, head: 1 })
  })

  it('[API-1] writes that were made before it are on the disk', async () => {
    const location = await temporary()
    const eu = await open({ location })
    const made = Array.from({ length: 100 }, (_, n) => eu.create({ n }, { id: `id ${n}` }))
    while (eu.status().pending.commits < 100) await undefined
    await Promise.all([...made, eu.close()])
    expect(await (await open({ location })).count()).toBe(100)
  })

  it('[API-1] `await using` closes', async () => {
    let kept: Replica
    {
      await using eu = await openReplica({ region: 'eu', location: ':memory:' })
      kept = eu
      await eu.create({})
    }
    await refuses(kept.count(), 'REPLICA_CLOSED')
  })
})

describe.runIf(isEmbedded())('openReplica', () => {
  const base = { region: 'eu', location: ':memory:' }
  const linked = { ...base, secret: SECRET }
  const BAD_OPTIONS: readonly (readonly [option: string, options: object])[] = [
    ['region', { location: ':memory:' }],
    ['region', { ...base, region: '' }],
    ['region', { ...base, region: 'x'.repeat(65) }],
    ['region', { ...base, region: 'é'.repeat(33) }],
    ['region', { ...base, region: 7 }],
    ['location', { region: 'eu' }],
    ['location', { ...base, location: '' }],
    ['loction', { ...base, loction: '/x' }],
    ['listen', { ...linked, listen: 7101 }],
    ['listen.port', { ...linked, listen: {} }],
    ['listen.port', { ...linked, listen: { port: -1 } }],
    ['listen.port', { ...linked, listen: { port: 65_536 } }],
    ['listen.port', { ...linked, listen: { port: '7101' } }],
    ['listen.host', { ...linked, listen: { port: 0, host: '' } }],
    ['listen.prot', { ...linked, listen: { port: 0, prot: 1 } }],
    ['listen', { ...linked, listen: { port: 0, host: '203.0.113.1' } }],
    ['secret', { ...base, listen: { port: 0 } }],
    ['secret', { ...base, peers: { us: null } }],
    ['secret', { ...base, secret: 'short' }],
    ['peers.us', { ...linked, peers: { us: 'http://127.0.0.1:1' } }],
    ['peers.us', { ...linked, peers: { us: '127.0.0.1:7102' } }],
    ['peers.us', { ...linked, peers: { us: 7102 } }],
    ['peers.eu', { ...linked, peers: { eu: 'ws://127.0.0.1:1' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: 'soon' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: 0 } }],
    ['session.maxLifetime', { ...base, session: { maxLifetime: true } }],
    ['session.maxLifetime', { ...base, session: { maxLifetime: '101 years' } }],
    ['session.touchGranularity', { ...base, session: { touchGranularity: -1 } }],
    ['session.touchGranularity', { ...base, session: { touchGranularity: '0s' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: '24h', maxLifetime: '1h' } }],
    ['session.idleTimeout', { ...base, session: { idleTimeout: '31d' } }],
    ['session.idle', { ...base, session: { idle: '5m' } }],
    ['consistency.read', { ...base, consistency: { read: 'most' } }],
    ['consistency.read', { ...base, consistency: { read: 2 } }],
    ['consistency.write', { ...base, consistency: { write: 0 } }],
    ['consistency.write', { ...linked, peers: { us: null }, consistency: { write: 3 } }],
    ['consistency.timeout', { ...base, consistency: { timeout: -5 } }],
    ['fsync', { ...base, fsync: 'sometimes' }],
    ['maxClockSkew', { ...base, maxClockSkew: 'x' }],
    ['purgeGrace', { ...base, purgeGrace: 'x' }],
    ['links.heartbeat', { ...base, links: { heartbeat: 'x' } }],
    ['links.timeout', { ...base, links: { timeout: 'x' } }],
    ['links.timeout', { ...base, links: { heartbeat: '5s', timeout: '5s' } }],
    ['links.maxReconnectDelay', { ...base, links: { maxReconnectDelay: 'x' } }],
    ['links.digestInterval', { ...base, links: { digestInterval: 'x' } }],
    ['limits.maxDepth', { ...base, limits: { maxDepth: 0 } }],
    ['limits.maxSessionBytes', { ...base, limits: { maxSessionBytes: 1.5 } }],
    ['limits.maxSessionBites', { ...base, limits: { maxSessionBites: 5 } }],
  ]

  for (const [option, options] of BAD_OPTIONS)
    it(`[API-1] refuses a bad ${option}: ${JSON.stringify(options).slice(0, 70)}`, async () => {
      await refuses(openReplica(options as ReplicaOptions), 'INVALID_OPTION', { option })
    })

  it('[API-1] a port that is taken is refused, and the directory is left unlocked', async () => {
    const location = await temporary()
    const first = await open({ ...linked, listen: { port: 0 } })
    const { port } = first.address!
    await refuses(openReplica({ ...linked, location, listen: { port } }), 'INVALID_OPTION', { option: 'listen' })
    await open({ location })
  })

  it('[API-1] a peer that is down is no reason not to serve', async () => {
    const eu = await open({ ...linked, peers: { us: 'ws://127.0.0.1:1' }, links: { maxReconnectDelay: 20 } })
    const { id } = await eu.create({ a: 1 })
    expect((await eu.get(id))?.data).toEqual({ a: 1 })
    expect(eu.status().links.us!.state).toBe('down')
  })

  it('[API-1] a location that is no directory is refused with a code', async () => {
    const location = await temporary()
    await writeFile(join(location, 'file'), 'x')
    await refuses(openReplica({ ...base, location: join(location, 'file') }), 'STORE_FAILED')
  })
})
