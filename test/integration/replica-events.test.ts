import type { Row, Storage, StorageEngine } from '@sojourn/core/internal'
import { sessionKey } from '@sojourn/replica'
import { levelEngine } from '@sojourn/store'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions, steppedClock } from '../support/region.js'
import { closeOpened, listen, MINUTE, open, refuses, temporary } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

describe('events', () => {
  it('[API-1] come in every region, with where they came from, and without ids', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const [atEu, atUs] = [eu, us].map((replica) => listen(replica, 'created', 'updated', 'ended'))
    const { id } = await eu.create({ n: 0 })
    const key = sessionKey(id)
    await regions.settled()
    await us.update(id, { n: 1 })
    await regions.settled()
    await eu.increment(id, '/n')
    await eu.replace(id, { n: 2 })
    await eu.touch(id, { idleTimeout: '1h' })
    await regions.settled()
    await us.end(id, { reason: 'revoked' })
    await regions.settled()
    const emitted = (eu: string, us: string) => [
      ['created', { key, origin: eu }],
      ['updated', { key, origin: us }],
      ['updated', { key, origin: eu }],
      ['ended', { key, origin: us, reason: 'revoked' }],
    ]
    expect(atEu).toEqual(emitted('local', 'us'))
    expect(atUs).toEqual(emitted('eu', 'local'))
    expect(JSON.stringify([atEu, atUs])).not.toContain(id)
  })

  it('[API-1] an expiry is emitted, and counted, in every region soon after it', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const [atEu, atUs] = [eu, us].map((replica) => listen(replica, 'expired'))
    const idle = await eu.create({}, { idleTimeout: 300 })
    const absolute = await eu.create({}, { maxLifetime: 300 })
    await regions.settled()
    expect([await eu.count(), await us.count()]).toEqual([2, 2])
    const expected = [
      ['expired', { key: sessionKey(idle.id), origin: 'local', cause: 'idle' }],
      ['expired', { key: sessionKey(absolute.id), origin: 'local', cause: 'absolute' }],
    ]
    await until(() => atEu!.length === 2, 'the expiries in eu')
    expect(atEu).toEqual(expect.arrayContaining(expected))
    expect(await eu.count()).toBe(0)
    expect(eu.status()).toMatchObject({ sessions: 0, expired: 2 })
    await until(() => atUs!.length === 2, 'the expiries in us')
    expect(atUs).toEqual(expect.arrayContaining(expected))
    expect(await us.count()).toBe(0)
  })

  it('[API-1] an expiry is emitted soon, at whatever moment of a collection the session was made', async () => {
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    await Promise.all(
      Array.from({ length: 25 }, async (_, index) => {
        const eu = await open({})
        const emitted = listen(eu, 'expired')
        await eu.create({}, { idleTimeout: 30 })
        await until(() => emitted.length === 1, 'the first expiry')
        for (let n = 0; n < index * 4; n++) await turn()
        await eu.create({}, { idleTimeout: 30 })
        await until(() => emitted.length === 2, `the expiry of a session made ${index * 4} turns later`)
      }),
    )
  })

  it('[EXP-4] what expired, and what is left of an end, is purged by itself with every row, a grace after it is due', async () => {
    let storage: Storage | undefined
    const kept: StorageEngine = {
      async open(location) {
        storage = await levelEngine.open(location)
        return storage
      },
    }
    const rows = async () => {
      const out: Row[] = []
      // Nothing is written at the moment: the engine's rule is kept.
      for await (const chunk of storage!.rows.scan()) out.push(...chunk)
      return out.filter(([key]) => key[0] === 'r'.charCodeAt(0))
    }
    const options = {
      location: await temporary(),
      ports: { storage: kept },
      purgeGrace: 50,
      session: { maxLifetime: 2_000 },
    }
    let eu = await open(options)
    const { id } = await eu.create({ a: 1 }, { id: 'again', idleTimeout: 50 })
    const ended = await eu.create({ a: 'x'.repeat(1_000) })
    await eu.end(ended.id)
    // A clean close brings the rows up to date.
    await eu.close()
    eu = await open(options)
    const key = Buffer.from(sessionKey(ended.id), 'hex')
    const left = (await rows()).filter((row) => row.some((part) => Buffer.from(part).includes(key)))
    expect(left.length, 'the record, and nothing else').toBe(1)
    // The tombstone itself, and what the index has of it.
    for (const [, value] of left) expect(value.length).toBeLessThanOrEqual(48 + 40)
    await until(() => eu.status().expired === 1 || eu.status().sessions === 0, 'the expiry')
    await until(() => eu.status().expired === 0, 'the purge')
    expect(eu.status()).toMatchObject({ sessions: 0, tombstones: 1 })
    // Nothing is remembered of what expired, so its id is free.
    await eu.create({}, { id, idleTimeout: 50 })
    await until(() => eu.status().expired === 0 && eu.status().sessions === 0, 'the second purge')
    await until(() => eu.status().tombstones === 0, 'the purge of the tombstone')
    await eu.close()
    eu = await open(options)
    expect(await rows()).toEqual([])
    expect(eu.status().store.journalBytes).toBeLessThan(4_096)
  })

  it('[API-1] changes of links are emitted, and a listener can be taken off', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu } = regions
    const emitted = listen(eu, 'link')
    const taken: unknown[] = []
    const listener = (event: unknown) => taken.push(event)
    eu.on('created', listener)
    await eu.create({})
    eu.off('created', listener)
    await eu.create({})
    expect(taken.length).toBe(1)
    await regions.cut('eu', 'us')
    expect(emitted).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'down' })])
    emitted.length = 0
    regions.healAll()
    await regions.settled()
    expect(emitted).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'up' })])
    expect(emitted).toContainEqual(['link', expect.objectContaining({ region: 'us', state: 'live' })])
  })
})

describe('two regions', () => {
  it('[API-1] every write is seen in the other region', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const both = async (id: string) => {
      await regions.settled()
      const [here, there] = await Promise.all([eu.get(id), us.get(id)])
      expect(there).toEqual(here)
      return there
    }
    const { id } = await eu.create({ n: 0 }, { idleTimeout: '20m', maxLifetime: '2h' })
    expect((await both(id))?.data).toEqual({ n: 0 })
    await us.update(id, { a: { b: 1 } })
    expect((await both(id))?.data).toEqual({ n: 0, a: { b: 1 } })
    await eu.replace(id, { n: 0, a: { c: 2 } })
    expect((await both(id))?.data).toEqual({ n: 0, a: { c: 2 } })
    await us.increment(id, '/n', 3)
    expect((await both(id))?.data).toEqual({ n: 3, a: { c: 2 } })
    const touched = await eu.touch(id, { idleTimeout: '1h' })
    expect((await both(id))?.expiresAt).toBe(touched!.expiresAt)
    const rotated = await us.rotate(id)
    expect(await both(id)).toBeUndefined()
    expect(await both(rotated.id)).toEqual(rotated)
    expect(await eu.end(rotated.id)).toBe(true)
    expect(await both(rotated.id)).toBeUndefined()
    await refuses(us.create({}, { id: rotated.id }), 'SESSION_EXISTS', { state: 'ended' })
    expect(regions.faults).toEqual([])
  })

  it('[API-1] a renewal finds a session again that the other region has purged', async () => {
    const clock = steppedClock()
    await using regions = await openRegions(['eu', 'us'], { disk: true, maxClockSkew: '1d', ports: { clock } })
    const { id } = await regions.eu.create({ n: 1 }, { idleTimeout: '30m' })
    await regions.settled()
    await regions.cut('eu', 'us')
    clock.advance(20 * MINUTE)
    await regions.eu.touch(id)
    clock.advance(20 * MINUTE)
    // A replica that hears no peer collects by its own clock a minute after it was opened.
    await regions.reopen('us')
    clock.advance(MINUTE)
    await until(() => {
      const { sessions, expired } = regions.us.status()
      return sessions + expired === 0
    }, 'the purge')
    regions.heal('eu', 'us')
    await regions.settled()
    expect((await regions.us.get(id))?.data).toEqual({ n: 1 })
    await regions.us.increment(id, '/n')
    await regions.settled()
    expect((await regions.eu.get(id))?.data).toEqual({ n: 2 })
  })
})
