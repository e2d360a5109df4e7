/** What a thief gets of whatever is stolen: the table of docs/security.md. */
import { generateKeyPairSync } from 'node:crypto'
import { cp } from 'node:fs/promises'
import { resolveId } from '@sojourn/core/internal'
import { checkCsrf, csrfToken, sessionCookie, sessionTokens } from '@sojourn/identity'
import { openReplica, type SessionApi } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions, steppedClock } from '../support/region.js'
import { all, closeOpened, listen, open, refuses, temporary } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const SUBJECT_KEY = 'a key for subjects, of the tests'

const opensNothing = async (sessions: SessionApi, id: string): Promise<void> => {
  expect(await sessions.get(id)).toBeUndefined()
  expect(await sessions.touch(id)).toBeUndefined()
  await refuses(sessions.update(id, { stolen: true }), 'SESSION_NOT_FOUND')
  await refuses(sessions.rotate(id), 'SESSION_NOT_FOUND')
  await refuses(sessions.elevate(id, { subject: 'eve' }), 'SESSION_NOT_FOUND')
}

describe('[STOLEN-1] a stolen disk', () => {
  it('shows, in the clear, the data of sessions; what it holds of ids opens nothing, and it names no subject', async () => {
    const [location, copy] = [await temporary(), await temporary()]
    const eu = await openReplica({ region: 'eu', location, subjectKey: SUBJECT_KEY })
    const made = await eu.create({ cart: { tea: 1 } }, { subject: 'ada' })
    await eu.close()
    await cp(location, copy, { recursive: true, filter: (path) => !/owner\.\d+$/.test(path) })

    const thief = await open({ region: 'eu', location: copy, subjectKey: 'a key that the thief made up' })
    expect(await all(thief)).toMatchObject([{ key: made.handle, data: { cart: { tea: 1 } } }])
    // The disk has the hash of the locator, which is the handle, and the hash of the secret.
    const { key, secret } = resolveId(made.id)
    const text = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
    for (const id of [key, `${key}.${secret}`, `${text(key)}.${text(secret!)}`]) await opensNothing(thief, id)
    for await (const found of thief.sessionsOf('ada')) expect.unreachable(found.handle)
  })
})

describe('[STOLEN-2] a stolen cookie', () => {
  const cookie = sessionCookie({ keys: ['a key of cookies, of the tests, long enough'] })
  const idIn = (header: string): string => cookie.read(header.split(';')[0])!.id

  it('of before a login opens nothing, in any region, also where the thief had rotated it meanwhile', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'])
    const { eu, us, ap } = regions
    const guest = await eu.create({ cart: {} })
    const stolen = cookie.serialize(guest)
    await regions.settled()
    await regions.cutOff('ap')
    const { id: rotated } = await ap.rotate(idIn(stolen))
    const login = await us.elevate(guest.id, { subject: 'ada' })
    await opensNothing(us, idIn(stolen))
    regions.healAll()
    await regions.settled()
    for (const region of regions.all) {
      for (const id of [idIn(stolen), rotated]) await opensNothing(region, id)
      expect((await region.get(login.id))?.subject).toBe('ada')
    }
  })

  it('that is superseded is good for its grace, and then it is reported, and ends the session where the app asked for that', async () => {
    const clock = steppedClock()
    const eu = await open({ reuse: 'end', ports: { clock } })
    const session = await eu.create({})
    const stolen = idIn(cookie.serialize(session))
    const rotated = await eu.rotate(session.id, { grace: '10s' })
    expect(await eu.get(stolen)).toBeDefined()
    clock.advance(10_000)
    const reused = listen(eu, 'reused')
    expect(await eu.get(stolen)).toBeUndefined()
    expect(reused).toEqual([['reused', { key: session.handle, origin: 'local' }]])
    await until(async () => (await eu.get(rotated.id)) === undefined, 'the session to end')
  })

  it('of now is the session, until its user ends it from another device', async () => {
    const eu = await open({ subjectKey: SUBJECT_KEY })
    const session = await eu.create({}, { subject: 'ada', device: 'phone' })
    const stolen = idIn(cookie.serialize(session))
    expect(await eu.get(stolen)).toBeDefined()
    const laptop = await eu.create({}, { subject: 'ada', device: 'laptop' })
    await eu.endOthers(laptop.id)
    await opensNothing(eu, stolen)
  })

  it('with a signature cannot be made into that of another session', async () => {
    const eu = await open()
    const [mine, hers] = [await eu.create({}), await eu.create({})]
    const [value] = cookie.serialize(mine).split(';')
    expect(cookie.read(value!.replace(mine.id, hers.id))).toBeUndefined()
  })
})

describe('[STOLEN-3] a stolen token', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const keys = { active: 'now', keys: [{ kid: 'now', privateKey }] }
  const issuer = 'https://shop.example'

  it('is good until its session ends, wherever that happens, and its handle opens nothing', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const { id, handle } = await eu.create({}, { subject: 'ada' })
    await regions.settled()
    const issued = await sessionTokens({ sessions: eu, issuer, audience: issuer, keys }).issue(id)
    const service = sessionTokens({ sessions: us, issuer, audience: issuer, keys })
    expect(await service.verify(issued)).toMatchObject({ sid: handle, sub: 'ada' })
    await opensNothing(us, handle)
    await eu.endHandle(handle, { reason: 'revoked' })
    await regions.settled()
    await refuses(service.verify(issued), 'TOKEN_INVALID', { reason: 'ended' })
  })

  it('of a form is good for no other session', async () => {
    const eu = await open()
    const [mine, hers] = [await eu.create({}), await eu.create({})]
    const secrets = { keys: ['a key of forms, of the tests, long enough'] }
    const stolen = csrfToken(mine, secrets)
    checkCsrf(stolen, mine, secrets)
    expect(() => checkCsrf(stolen, hers, secrets)).toThrow('CSRF_REFUSED')
  })
})
