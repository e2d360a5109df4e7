import { type Duration, openReplica, sessionKey } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions } from '../support/region.js'
import { all, closeOpened, EVERYTHING, HOUR, listen, MINUTE, open, openStepped, refuses } from '../support/replica.js'

afterEach(closeOpened)

describe('what is set', () => {
  it('[OPT-3] [API-1] an idle timeout longer than every session is refused; the default gives way; both can be asked for', async () => {
    const refused = openReplica({
      region: 'eu',
      location: ':memory:',
      session: { idleTimeout: '24h', maxLifetime: '1h' },
    })
    await expect(refused).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      option: 'session.idleTimeout',
      message: expect.stringMatching(/86400000 ms, longer than session\.maxLifetime, 3600000 ms/),
    })
    expect((await open()).lifetimes()).toEqual({ idleTimeoutMs: 30 * MINUTE, maxLifetimeMs: 30 * 24 * 60 * MINUTE })
    const short = await open({ session: { maxLifetime: '10m' } })
    expect(short.lifetimes()).toEqual({ idleTimeoutMs: 10 * MINUTE, maxLifetimeMs: 10 * MINUTE })
  })
})

describe('create', () => {
  it('[API-1] gives a session with an id of 256 random bits, its data, its times', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '10m', maxLifetime: '1h' } })
    const before = clock.now()
    const session = await eu.create({ user: 'ada' })
    expect(session.id).toMatch(/^[\w-]{22}\.[\w-]{22}$/)
    expect(session.data).toEqual({ user: 'ada' })
    expect(session.createdAt).toBeGreaterThanOrEqual(before)
    expect(session.createdAt).toBeLessThanOrEqual(clock.now())
    expect(session.expiresAt).toBe(session.createdAt + 10 * MINUTE)
    expect((await eu.create({})).id).not.toBe(session.id)
  })

  it('[API-1] takes an id, an idle timeout and a lifetime; no session lives past its lifetime', async () => {
    const eu = await open({ session: { idleTimeout: '10m', maxLifetime: '1h' } })
    const session = await eu.create({}, { id: 'chosen', idleTimeout: 1_000 })
    expect(session.id).toBe('chosen')
    expect(session.expiresAt).toBe(session.createdAt + 1_000)
    const short = await eu.create({}, { idleTimeout: '2h', maxLifetime: '30m' })
    expect(short.expiresAt).toBe(short.createdAt + 30 * MINUTE)
  })

  it('[API-1] refuses an id that is taken, and says by what', async () => {
    const [eu, clock] = await openStepped()
    await eu.create({}, { id: 'a' })
    await refuses(eu.create({}, { id: 'a' }), 'SESSION_EXISTS', { state: 'live' })
    await eu.end('a')
    await refuses(eu.create({}, { id: 'a' }), 'SESSION_EXISTS', { state: 'ended' })
    await eu.create({}, { id: 'b', idleTimeout: '1m' })
    clock.advance(MINUTE)
    await refuses(eu.create({}, { id: 'b' }), 'SESSION_EXISTS', { state: 'expired' })
    const { id } = await eu.create({})
    // The session lives on, under another secret.
    await eu.rotate(id)
    await refuses(eu.create({}, { id }), 'SESSION_EXISTS', { state: 'live' })
    await eu.create({}, { id: 'c' })
    await eu.rotate('c')
    await refuses(eu.create({}, { id: 'c' }), 'SESSION_EXISTS', { state: 'ended' })
  })

  it('[API-1] of two creations of one id in one turn one is refused', async () => {
    const eu = await open()
    const results = await Promise.allSettled([eu.create({ n: 1 }, { id: 'a' }), eu.create({ n: 2 }, { id: 'a' })])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect((await eu.get('a'))?.data).toEqual({ n: 1 })
  })

  it('[API-1] refuses options that are none, and names them', async () => {
    const eu = await open({ session: { maxLifetime: '1h' } })
    const refusedWith = (options: object, option: string) =>
      refuses(eu.create({}, options), 'INVALID_OPTION', { option }, JSON.stringify(options))
    for (const id of ['', 'x'.repeat(513), 7, {}]) await refusedWith({ id }, 'id')
    for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '', 'soon', '5', '5 years', '-5m', {}]) {
      await refusedWith({ idleTimeout: bad }, 'idleTimeout')
      await refusedWith({ maxLifetime: bad }, 'maxLifetime')
    }
    await refusedWith({ maxLifetime: '61m' }, 'maxLifetime')
    await refusedWith({ write: 'most' }, 'write')
    expect(await eu.count()).toBe(0)
    expect((await eu.create({}, { id: 'x'.repeat(512) })).id.length).toBe(512)
  })
})

describe('get', () => {
  it('[API-1] gives undefined for what is unknown, ended or expired', async () => {
    const [eu, clock] = await openStepped()
    expect(await eu.get('unknown')).toBeUndefined()
    const { id } = await eu.create({ a: 1 }, { idleTimeout: '1m' })
    clock.advance(MINUTE - 1_000)
    expect(await eu.get(id)).toMatchObject({ id, data: { a: 1 } })
    clock.advance(1_000)
    expect(await eu.get(id)).toBeUndefined()
    const ended = await eu.create({})
    await eu.end(ended.id)
    expect(await eu.get(ended.id)).toBeUndefined()
  })

  it('[API-1] does not renew', async () => {
    const [eu, clock] = await openStepped()
    const { id, expiresAt } = await eu.create({})
    clock.advance(10 * MINUTE)
    expect((await eu.get(id))?.expiresAt).toBe(expiresAt)
  })

  it('[API-1] refuses what is no id', async () => {
    const eu = await open()
    for (const id of ['', 'x'.repeat(513), undefined, 7] as string[])
      await refuses(eu.get(id), 'INVALID_OPTION', { option: 'id' }, String(id).slice(0, 10))
  })
})

describe('touch', () => {
  it('[EXP-5] is written as session.touchGranularity says: 0 is exact', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', touchGranularity: 0 } })
    const { id } = await eu.create({})
    for (const step of [10, 1_000, MINUTE]) {
      clock.advance(step)
      const { head } = eu.status()
      const before = clock.now()
      const { expiresAt } = (await eu.touch(id))!
      expect(expiresAt).toBeGreaterThanOrEqual(before + 20 * MINUTE)
      expect(expiresAt).toBeLessThanOrEqual(clock.now() + 20 * MINUTE)
      expect(eu.status().head).toBe(head + 1)
    }
    clock.advance(20 * MINUTE)
    expect(await eu.get(id)).toBeUndefined()
  })

  it('[EXP-5] a longer one writes less, and the session lives that much longer', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', touchGranularity: '5m' } })
    const { id, createdAt, expiresAt } = await eu.create({})
    expect(expiresAt).toBe(createdAt + 20 * MINUTE)
    clock.advance(1_000)
    const before = clock.now()
    const until = (await eu.touch(id))!.expiresAt
    expect(until).toBeGreaterThanOrEqual(before + 25 * MINUTE)
    expect(until).toBeLessThanOrEqual(clock.now() + 25 * MINUTE)
    const { head } = eu.status()
    clock.advance(4 * MINUTE)
    expect((await eu.touch(id))!.expiresAt).toBe(until)
    expect((await eu.update(id, { n: 1 })).expiresAt).toBe(until)
    expect(eu.status().head).toBe(head + 1)
    clock.advance(MINUTE + 1_000)
    expect((await eu.touch(id))!.expiresAt).toBeGreaterThanOrEqual(until + 5 * MINUTE)
    // Not more than doubled, however short the session's own timeout is.
    const short = await eu.create({}, { idleTimeout: '1m' })
    clock.advance(10)
    expect((await eu.touch(short.id))!.expiresAt).toBeLessThanOrEqual(clock.now() + 2 * MINUTE)
  })

  it('[API-1] renews; a renewal is not written where it would move the deadline by too little', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m' } })
    const { id } = await eu.create({})
    clock.advance(10 * MINUTE)
    const first = (await eu.touch(id))!
    expect(first.expiresAt).toBeGreaterThanOrEqual(clock.now() + 20 * MINUTE - 1_000)
    const { head } = eu.status()
    // A twentieth of the idle timeout is a minute; the deadline stays, and is late enough.
    clock.advance(0.9 * MINUTE)
    const second = (await eu.touch(id))!
    expect(second.expiresAt).toBe(first.expiresAt)
    expect(second.expiresAt).toBeGreaterThanOrEqual(clock.now() + 20 * MINUTE)
    expect(eu.status().head).toBe(head)
    clock.advance(0.2 * MINUTE)
    expect((await eu.touch(id))!.expiresAt).toBeGreaterThan(first.expiresAt)
    expect(eu.status().head).toBe(head + 1)
  })

  it('[API-1] no session expires before its idle timeout since the last use has passed', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m' } })
    const { id } = await eu.create({})
    for (const minutes of [0.1, 0.5, 0.9, 1.1, 3, 19.9, 0.2]) {
      clock.advance(minutes * MINUTE)
      await eu.touch(id)
      clock.advance(19.9 * MINUTE)
      expect(await eu.get(id), `${minutes} minutes`).toBeDefined()
      await eu.touch(id)
    }
  })

  it('[API-1] can give another idle timeout, which stays', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '9h' } })
    const { id } = await eu.create({})
    const longer = (await eu.touch(id, { idleTimeout: '2h' }))!
    expect(longer.expiresAt).toBeGreaterThanOrEqual(clock.now() + 2 * HOUR - 1_000)
    clock.advance(1.5 * HOUR)
    expect((await eu.touch(id))!.expiresAt).toBeGreaterThanOrEqual(clock.now() + 2 * HOUR - 1_000)
    const shorter = (await eu.touch(id, { idleTimeout: '1m' }))!
    expect(shorter.expiresAt).toBeLessThan(clock.now() + 2 * MINUTE)
    await refuses(eu.touch(id, { idleTimeout: 'soon' as Duration }), 'INVALID_OPTION', { option: 'idleTimeout' })
  })

  it('[API-1] extends nothing past the absolute limit', async () => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '1h' } })
    const { id, createdAt } = await eu.create({})
    for (let minutes = 0; minutes < 55; minutes += 5) {
      clock.advance(5 * MINUTE)
      const { expiresAt } = (await eu.touch(id, { idleTimeout: '40m' }))!
      expect(expiresAt).toBeLessThanOrEqual(createdAt + HOUR)
    }
    clock.advance(5 * MINUTE)
    expect(await eu.touch(id)).toBeUndefined()
    await refuses(eu.update(id, { a: 1 }), 'SESSION_NOT_FOUND')
  })
})

describe('end', () => {
  it('[API-1] says whether the session was alive; the first end counts', async () => {
    const [eu, clock] = await openStepped()
    const emitted = listen(eu, 'ended')
    const { id } = await eu.create({ a: 1 })
    expect(await eu.end(id, { reason: 'revoked' })).toBe(true)
    expect(await eu.end(id)).toBe(false)
    const expired = await eu.create({}, { idleTimeout: '1m' })
    clock.advance(MINUTE)
    expect(await eu.end(expired.id)).toBe(false)
    expect(emitted[0]).toEqual(['ended', { key: sessionKey(id), origin: 'local', reason: 'revoked' }])
  })

  it('[API-1] of an id that nobody has, where everybody can say so, leaves nothing', async () => {
    await using regions = await openRegions(['eu', 'us'])
    expect(await regions.eu.end('unknown')).toBe(false)
    expect(regions.eu.status()).toMatchObject({ tombstones: 0, head: 0 })
    await regions.eu.create({}, { id: 'unknown' })
  })

  it('[API-1] of an id that somebody else may have leaves a tombstone, and ends it there', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    await regions.cut('eu', 'us')
    await us.create({}, { id: 'elsewhere' })
    expect(await eu.end('elsewhere')).toBe(false)
    await refuses(eu.create({}, { id: 'elsewhere' }), 'SESSION_EXISTS', { state: 'ended' })
    expect(await us.get('elsewhere')).toBeDefined()
    regions.heal('eu', 'us')
    await regions.settled()
    expect(await us.get('elsewhere')).toBeUndefined()
    expect(await us.end('elsewhere')).toBe(false)
  })

  it('[API-1] refuses reasons that are none', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    for (const reason of ['bored', '', 1, null] as never[]) {
      await refuses(eu.end(id, { reason }), 'INVALID_OPTION', { option: 'reason' })
      await refuses(eu.endAll({ reason }), 'INVALID_OPTION', { option: 'reason' })
    }
    expect(await eu.get(id)).toBeDefined()
  })
})

describe('rotate', () => {
  it.each([
    ['that the store made goes on under its handle', undefined],
    ['that middleware chose goes on under another one', 'chosen'],
  ])('[API-1] of an id %s, with data, creation time and limit; the old id is dead', async (_what, chosen) => {
    const [eu, clock] = await openStepped({ session: { idleTimeout: '20m', maxLifetime: '1h' } })
    const emitted = listen(eu, 'created', 'rotated', 'ended')
    const old = await eu.create({ ...EVERYTHING }, chosen === undefined ? {} : { id: chosen })
    clock.advance(10 * MINUTE)
    const rotated = await eu.rotate(old.id)
    expect(rotated.id).toMatch(/^[\w-]{22}\.[\w-]{22}$/)
    expect(rotated.id).not.toBe(old.id)
    expect(rotated.data).toStrictEqual(EVERYTHING)
    expect(rotated.createdAt).toBe(old.createdAt)
    expect(await eu.get(old.id)).toBeUndefined()
    await refuses(eu.update(old.id, {}), 'SESSION_NOT_FOUND')
    expect(await eu.count()).toBe(1)
    const [key, next] = [sessionKey(old.id), sessionKey(rotated.id)]
    expect(key === next).toBe(chosen === undefined)
    expect(emitted).toEqual([
      ['created', { key, origin: 'local' }],
      ...(chosen === undefined
        ? [['rotated', { key, origin: 'local' }]]
        : [
            ['created', { key: next, origin: 'local' }],
            ['ended', { key, origin: 'local', reason: 'rotated' }],
          ]),
    ])
    await eu.touch(rotated.id)
    for (let minutes = 10; minutes < 55; minutes += 15) {
      clock.advance(15 * MINUTE)
      expect((await eu.touch(rotated.id))!.expiresAt).toBeLessThanOrEqual(old.createdAt + HOUR)
    }
    clock.advance(5 * MINUTE)
    expect(await eu.get(rotated.id)).toBeUndefined()
  })

  it('[API-1] keeps the session’s own idle timeout', async () => {
    const [eu, clock] = await openStepped()
    const { id } = await eu.create({}, { idleTimeout: '5m' })
    const rotated = await eu.rotate(id)
    // A rotation is a use: it renews as any does, and reaches a twentieth further.
    clock.advance(5.25 * MINUTE)
    expect(await eu.get(rotated.id)).toBeUndefined()
  })

  it('[API-1] of two rotations of one id in one turn one is refused', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    const results = await Promise.allSettled([eu.rotate(id), eu.rotate(id)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await eu.count()).toBe(1)
  })
})

describe('all sessions', () => {
  it('[API-1] are listed in the order of their keys, without ids, and counted', async () => {
    const [eu, clock] = await openStepped()
    const made = await Promise.all(Array.from({ length: 300 }, (_, n) => eu.create({ n })))
    await eu.end(made[0]!.id)
    await eu.create({}, { idleTimeout: '1m' })
    clock.advance(MINUTE)
    const listed = await all(eu)
    expect(listed.map(({ key }) => key)).toEqual(
      made
        .slice(1)
        .map(({ id }) => sessionKey(id))
        .sort(),
    )
    for (const session of listed) {
      expect(Object.keys(session).sort()).toEqual(['createdAt', 'data', 'expiresAt', 'key'])
      const original = made[session.data.n as number]!
      expect(session).toEqual({
        key: sessionKey(original.id),
        data: original.data,
        createdAt: original.createdAt,
        expiresAt: original.expiresAt,
      })
    }
  })

  it('[API-1] a scan can be left, and stands writes meanwhile', async () => {
    const eu = await open()
    for (let n = 0; n < 300; n++) await eu.create({ n })
    for await (const _ of eu.sessions()) break
    let seen = 0
    for await (const _ of eu.sessions()) {
      seen++
      if (seen <= 5) await eu.create({})
    }
    expect(seen).toBeGreaterThanOrEqual(300)
    expect(await eu.count()).toBe(305)
  })

  it('[API-1] can be ended at once', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const emitted = listen(us, 'ended')
    const ids = []
    for (let n = 0; n < 20; n++) ids.push((await (n % 2 ? eu : us).create({ n })).id)
    await regions.settled()
    await eu.end(ids[0]!)
    expect(await eu.endAll({ reason: 'revoked' })).toBe(19)
    expect(await eu.endAll()).toBe(0)
    await regions.settled()
    expect([await eu.count(), await us.count()]).toEqual([0, 0])
    for (const id of ids) expect(await us.get(id)).toBeUndefined()
    expect(emitted.filter(([, body]) => 'reason' in body && body.reason === 'revoked').length).toBe(19)
  })
})
