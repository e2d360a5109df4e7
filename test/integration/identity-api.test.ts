import { systemClock } from '@sojourn/core/internal'
import { type Replica, type SessionApi, type SubjectSession, sessionKey } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions } from '../support/region.js'
import { closeOpened, HOUR, listen, MINUTE, open, openStepped, refuses } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const subjectKey = 'a key for subjects, of the tests'
const IDLE = { idleTimeout: '20m', maxLifetime: '1h', touchGranularity: 0 } as const

const listed = async (sessions: Pick<SessionApi, 'sessionsOf'>, subject: string): Promise<SubjectSession[]> => {
  const all: SubjectSession[] = []
  for await (const each of sessions.sessionsOf(subject)) all.push(each)
  return all
}

const handlesOf = async (sessions: Replica, subject: string): Promise<string[]> =>
  (await listed(sessions, subject)).map(({ handle }) => handle)

describe('handles and ids', () => {
  it('[API-1] an id that the store makes is a locator and a secret; the handle is the hash of the locator, in all answers', async () => {
    const eu = await open()
    const made = await eu.create({ n: 1 })
    expect(made.id).toMatch(/^[\w-]{22}\.[\w-]{22}$/)
    expect(made.handle).toMatch(/^[0-9a-f]{32}$/)
    expect(made.handle).toBe(sessionKey(made.id))
    const [locator] = made.id.split('.')
    expect(sessionKey(`${locator}.${'x'.repeat(22)}`)).toBe(made.handle)
    const answers = [await eu.get(made.id), await eu.touch(made.id), await eu.update(made.id, { n: 2 })]
    for (const session of answers) expect(session).toMatchObject({ id: made.id, handle: made.handle })
    const chosen = await eu.create({}, { id: 'chosen by middleware' })
    expect(chosen.handle).toBe(sessionKey('chosen by middleware'))
  })

  it('[API-1] another secret at the same locator opens nothing, whatever is called', async () => {
    const eu = await open({ subjectKey })
    const { id, handle } = await eu.create({ n: 1 }, { subject: 'ada' })
    const wrong = `${id.slice(0, 22)}.${'A'.repeat(22)}`
    expect(sessionKey(wrong)).toBe(handle)
    expect(await eu.get(wrong)).toBeUndefined()
    expect(await eu.touch(wrong)).toBeUndefined()
    expect(await eu.end(wrong)).toBe(false)
    await refuses(eu.update(wrong, { n: 2 }), 'SESSION_NOT_FOUND')
    await refuses(eu.increment(wrong, '/n'), 'SESSION_NOT_FOUND')
    await refuses(eu.rotate(wrong), 'SESSION_NOT_FOUND')
    await refuses(eu.elevate(wrong, { subject: 'eve' }), 'SESSION_NOT_FOUND')
    await refuses(eu.endOthers(wrong), 'SESSION_NOT_FOUND')
    expect(await eu.get(id)).toMatchObject({ data: { n: 1 }, subject: 'ada' })
  })

  it('[API-1] a session says when it was used last, and nothing of a subject where there is none', async () => {
    const [eu, clock] = await openStepped({ session: IDLE })
    const made = await eu.create({})
    expect([made.subject, made.device, made.auth]).toEqual([undefined, undefined, undefined])
    expect(Math.abs(made.lastUsedAt - made.createdAt)).toBeLessThan(1_000)
    clock.advance(5 * MINUTE)
    const touched = (await eu.touch(made.id))!
    expect(touched.lastUsedAt).toBeGreaterThanOrEqual(made.lastUsedAt + 5 * MINUTE)
    expect((await eu.get(made.id))!.lastUsedAt).toBe(touched.lastUsedAt)
  })

  it('[API-1] isLive says of a handle whether its session lives here', async () => {
    const [eu, clock] = await openStepped({ session: IDLE })
    const [one, other] = [await eu.create({}), await eu.create({}, { idleTimeout: '1m' })]
    expect([await eu.isLive(one.handle), await eu.isLive(other.handle)]).toEqual([true, true])
    clock.advance(MINUTE)
    expect([await eu.isLive(one.handle), await eu.isLive(other.handle)]).toEqual([true, false])
    await eu.end(one.id)
    expect(await eu.isLive(one.handle)).toBe(false)
    expect(await eu.isLive('0'.repeat(32))).toBe(false)
    for (const handle of ['', 'x', 'F'.repeat(32), one.id] as string[])
      await refuses(eu.isLive(handle), 'INVALID_OPTION', { option: 'handle' })
  })
})

describe('create with a subject', () => {
  it('[API-1] is shown with device and authentication', async () => {
    const eu = await open({ subjectKey })
    const time = Date.now() - 5_000
    const auth = { time, acr: 'aal2', amr: ['pwd', 'otp'] }
    const { id } = await eu.create({ n: 1 }, { subject: 'ada@example.net', device: 'Firefox on Linux', auth })
    expect(await eu.get(id)).toMatchObject({ subject: 'ada@example.net', device: 'Firefox on Linux', auth })
  })

  it('[API-1] the time of the authentication is now where nobody says; it is never later', async () => {
    const [eu, clock] = await openStepped({ subjectKey })
    const before = clock.now()
    const { auth } = await eu.create({}, { subject: 'ada' })
    expect(auth!.time).toBeGreaterThanOrEqual(before)
    expect(Object.keys(auth!)).toEqual(['time'])
    await refuses(eu.create({}, { subject: 'ada', auth: { time: clock.now() + HOUR } }), 'INVALID_OPTION', {
      option: 'auth.time',
    })
    // Of a provider whose clock is a little ahead.
    const ahead = await eu.create({}, { subject: 'ada', auth: { time: clock.now() + 2_000 } })
    expect(ahead.auth!.time).toBeLessThanOrEqual(clock.now())
  })

  it('[API-1] what can be no subject, device or method is refused, and no message repeats a subject', async () => {
    const eu = await open({ subjectKey })
    const subject = 'x'.repeat(257)
    await refuses(eu.create({}, { subject: 'x\ud800' }), 'INVALID_OPTION', { option: 'subject' })
    await refuses(eu.elevate('nobody has it', undefined as never), 'INVALID_OPTION', { option: 'subject' })
    const refused = eu.create({}, { subject }).catch((error: unknown) => error)
    expect(await refused).toMatchObject({ code: 'INVALID_OPTION', option: 'subject' })
    expect(String(await refused)).not.toContain('xxx')
    for (const [options, option] of [
      [{ subject: '' }, 'subject'],
      [{ subject: 'ada', device: 'd'.repeat(257) }, 'device'],
      [{ subject: 'ada', auth: { acr: 'a'.repeat(257) } }, 'auth.acr'],
      [{ subject: 'ada', auth: { amr: Array(17).fill('pwd') as string[] } }, 'auth.amr'],
    ] as const)
      await refuses(eu.create({}, options), 'INVALID_OPTION', { option })
    await refuses(eu.endSubject(''), 'INVALID_OPTION', { option: 'subject' })
    await refuses(listed(eu, ''), 'INVALID_OPTION', { option: 'subject' })
    expect(await eu.count()).toBe(0)
  })

  it('[OPT-2] an id in the place of a handle or of a `written` is refused, and no message repeats it', async () => {
    const eu = await open({ subjectKey })
    const { id } = await eu.create({}, { subject: 'ada' })
    const calls = [
      () => eu.endHandle(id),
      () => eu.isLive(id),
      () => eu.endSubject('ada', { except: [id] }),
      () => eu.get(id, { after: id }),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => expect.unreachable('it was taken'),
        (reason: unknown) => reason as Error,
      )
      expect(error).toMatchObject({ code: 'INVALID_OPTION' })
      expect(error.message).not.toContain(id.slice(0, 8))
    }
  })

  it('[API-1] without a key for subjects there are none', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    await refuses(eu.create({}, { subject: 'ada' }), 'INVALID_OPTION', { option: 'subject' })
    await refuses(eu.elevate(id, { subject: 'ada' }), 'INVALID_OPTION', { option: 'subject' })
    await refuses(listed(eu, 'ada'), 'INVALID_OPTION', { option: 'subject' })
    await refuses(eu.endSubject('ada'), 'INVALID_OPTION', { option: 'subject' })
  })
})

describe('elevate', () => {
  it('[API-1] binds a subject, gives a new id and a new limit; the handle stays, and the old id is dead at once', async () => {
    const [eu, clock] = await openStepped({ subjectKey, session: IDLE })
    const made = await eu.create({ cart: { tea: 1 } })
    clock.advance(15 * MINUTE)
    const auth = { acr: 'aal1', amr: ['pwd'] }
    const login = await eu.elevate(made.id, { subject: 'ada', device: 'phone', auth, maxLifetime: '10m' })
    expect(login.id).not.toBe(made.id)
    expect(login).toMatchObject({
      handle: made.handle,
      data: { cart: { tea: 1 } },
      subject: 'ada',
      device: 'phone',
      auth,
    })
    expect(login.auth!.time).toBeGreaterThanOrEqual(made.createdAt + 15 * MINUTE)
    expect(login.createdAt).toBe(made.createdAt)
    expect(await eu.get(made.id)).toBeUndefined()
    await refuses(eu.elevate(made.id, { subject: 'ada' }), 'SESSION_NOT_FOUND')
    await eu.touch(login.id)
    clock.advance(10 * MINUTE)
    expect(await eu.get(login.id)).toBeUndefined()
  })

  it('[API-1] of an id that middleware chose goes on under another handle', async () => {
    const eu = await open({ subjectKey })
    const made = await eu.create({ n: 1 }, { id: 'chosen by middleware' })
    const login = await eu.elevate(made.id, { subject: 'ada' })
    expect(login).toMatchObject({ data: { n: 1 }, subject: 'ada' })
    expect(login.handle).not.toBe(made.handle)
    expect(await eu.get(made.id)).toBeUndefined()
    expect(await handlesOf(eu, 'ada')).toEqual([login.handle])
  })

  it('[API-1] logs in anew: as somebody else, with nothing left of who it was', async () => {
    const eu = await open({ subjectKey })
    const first = await eu.create({}, { subject: 'ada', device: 'phone' })
    const second = await eu.elevate(first.id, { subject: 'eve' })
    expect([second.subject, second.device]).toEqual(['eve', undefined])
    // Whoever holds the handle, in a token, say, holds none of what is somebody else's.
    expect(second.handle).not.toBe(first.handle)
    expect(await eu.isLive(first.handle)).toBe(false)
    expect([await handlesOf(eu, 'ada'), await handlesOf(eu, 'eve')]).toEqual([[], [second.handle]])
  })
})

describe('rotate', () => {
  it('[API-1] gives a new id of the same session, and the old one is dead at once where nobody says', async () => {
    const eu = await open()
    const old = await eu.create({ n: 1 })
    const emitted = listen(eu, 'reused')
    const rotated = await eu.rotate(old.id)
    expect(rotated).toMatchObject({ handle: old.handle, data: { n: 1 }, createdAt: old.createdAt })
    expect(rotated.id).not.toBe(old.id)
    expect(emitted).toEqual([])
    expect(await eu.get(old.id)).toBeUndefined()
    expect(emitted).toEqual([['reused', { key: old.handle, origin: 'local' }]])
    expect(await eu.get(rotated.id)).toMatchObject({ data: { n: 1 } })
    expect(await eu.count()).toBe(1)
  })

  it('[API-1] with a grace, both ids open the session until it is over; what the old one writes is kept', async () => {
    const [eu, clock] = await openStepped({ session: IDLE })
    const old = await eu.create({ n: 0 })
    const emitted = listen(eu, 'reused')
    const rotated = await eu.rotate(old.id, { grace: '10s' })
    await eu.increment(old.id, '/n')
    await eu.increment(rotated.id, '/n')
    expect([(await eu.get(old.id))!.data, (await eu.get(rotated.id))!.data]).toEqual([{ n: 2 }, { n: 2 }])
    clock.advance(10_000)
    expect(emitted).toEqual([])
    expect(await eu.get(old.id)).toBeUndefined()
    await refuses(eu.increment(old.id, '/n'), 'SESSION_NOT_FOUND')
    expect(emitted.length).toBeGreaterThan(0)
    expect(await eu.get(rotated.id)).toMatchObject({ data: { n: 2 } })
  })

  it('[API-1] a rotation under the old id cannot make its grace longer', async () => {
    const [eu, clock] = await openStepped({ session: IDLE })
    const { id } = await eu.create({})
    await eu.rotate(id, { grace: '10s' })
    clock.advance(5_000)
    const second = await eu.rotate(id, { grace: '1h' })
    clock.advance(5_000)
    expect(await eu.get(id)).toBeUndefined()
    expect(await eu.get(second.id)).toBeDefined()
  })

  it('[API-1] a superseded id that is shown after its grace ends the session, where the replica was told so', async () => {
    const eu = await open({ reuse: 'end' })
    const { id, handle } = await eu.create({})
    const ended = listen(eu, 'ended')
    const rotated = await eu.rotate(id)
    expect(await eu.get(rotated.id)).toBeDefined()
    expect(await eu.get(id)).toBeUndefined()
    await until(() => ended.length > 0, 'the end')
    expect(ended).toEqual([['ended', { key: handle, origin: 'local', reason: 'reused' }]])
    expect(await eu.get(rotated.id)).toBeUndefined()
  })
})

describe('the sessions of a subject', () => {
  it('[API-1] are listed with what its other devices may know: no id, and no data', async () => {
    const eu = await open({ subjectKey })
    const auth = { time: 1_000, acr: 'aal2', amr: ['pwd'] }
    const one = await eu.create({ secret: 1 }, { subject: 'ada', device: 'phone', auth })
    const other = await eu.create({}, { subject: 'ada' })
    await eu.create({}, { subject: 'eve' })
    await eu.create({})
    const all = await listed(eu, 'ada')
    const { createdAt, lastUsedAt, expiresAt } = one
    expect(all).toEqual([
      { handle: one.handle, device: 'phone', createdAt, lastUsedAt, expiresAt, auth, region: 'eu' },
      expect.objectContaining({ handle: other.handle, region: 'eu' }),
    ])
    expect(JSON.stringify(all)).not.toContain(one.id.slice(0, 22))
    expect(await listed(eu, 'nobody')).toEqual([])
  })

  it('[SUBJ-1] are listed in the order of their logins, wherever between two of them a millisecond begins', async () => {
    for (const callsAMillisecond of [1, 2, 3, 4, 5, 6, 7, 40]) {
      let calls = 0
      const start = systemClock.now()
      const clock = { ...systemClock, now: () => start + Math.floor(calls++ / callsAMillisecond) }
      const eu = await open({ subjectKey, ports: { clock } })
      const handles = []
      for (let n = 0; n < 20; n++) {
        const { id, handle } = await eu.create({ n }, n % 2 === 0 ? { subject: 'ada' } : {})
        handles.push(handle)
        if (n % 2 === 1) await eu.elevate(id, { subject: 'ada' })
      }
      expect(await handlesOf(eu, 'ada'), `${callsAMillisecond} calls a millisecond`).toEqual(handles)
    }
  })

  it('[API-1] are many, and listed all, also by who does not read to the end', async () => {
    const eu = await open({ subjectKey })
    for (let n = 0; n < 600; n++) await eu.create({}, { subject: 'ada' })
    expect(new Set(await handlesOf(eu, 'ada')).size).toBe(600)
    let seen = 0
    for await (const _ of eu.sessionsOf('ada')) if (++seen === 3) break
    expect(seen).toBe(3)
  })

  it('[API-1] endHandle ends one of them, for the reason given', async () => {
    const eu = await open({ subjectKey })
    const ended = listen(eu, 'ended')
    const [one, other] = [await eu.create({}, { subject: 'ada' }), await eu.create({}, { subject: 'ada' })]
    expect(await eu.endHandle(one.handle, { reason: 'revoked' })).toEqual({ ended: 1, regions: { eu: 'held' } })
    expect(ended).toEqual([['ended', { key: one.handle, origin: 'local', reason: 'revoked' }]])
    expect([await eu.get(one.id), (await eu.get(other.id))?.id]).toEqual([undefined, other.id])
    expect(await eu.endHandle(one.handle)).toMatchObject({ ended: 0 })
    expect(await eu.endHandle('0'.repeat(32))).toMatchObject({ ended: 0 })
    await refuses(eu.endHandle('no handle'), 'INVALID_OPTION', { option: 'handle' })
  })

  it('[API-1] endOthers ends all but the one whose id was given', async () => {
    const eu = await open({ subjectKey })
    const sessions = []
    for (let n = 0; n < 4; n++) sessions.push(await eu.create({ n }, { subject: 'ada' }))
    const eve = await eu.create({}, { subject: 'eve' })
    expect(await eu.endOthers(sessions[2]!.id, { reason: 'revoked' })).toEqual({ ended: 3, regions: { eu: 'held' } })
    const shown = await Promise.all([...sessions, eve].map(async ({ id }) => (await eu.get(id)) !== undefined))
    expect(shown).toEqual([false, false, true, false, true])
    expect(await handlesOf(eu, 'ada')).toEqual([sessions[2]!.handle])
    const { id } = await eu.create({})
    await refuses(eu.endOthers(id), 'INVALID_OPTION', { option: 'id' })
    await refuses(eu.endOthers('nobody has it'), 'SESSION_NOT_FOUND')
  })

  it('[API-1] endSubject ends all but those that it names, and no login that comes after it', async () => {
    const eu = await open({ subjectKey })
    const [one, other] = [await eu.create({}, { subject: 'ada' }), await eu.create({}, { subject: 'ada' })]
    expect(await eu.endSubject('ada', { except: [other.handle] })).toEqual({ ended: 1, regions: { eu: 'held' } })
    expect([await eu.isLive(one.handle), await eu.isLive(other.handle)]).toEqual([false, true])
    expect(await eu.endSubject('ada')).toMatchObject({ ended: 1 })
    expect(await eu.isLive(other.handle)).toBe(false)
    const later = await eu.create({}, { subject: 'ada' })
    expect(await eu.get(later.id)).toBeDefined()
    expect(await handlesOf(eu, 'ada')).toEqual([later.handle])
    await refuses(eu.endSubject('ada', { except: Array(257).fill(one.handle).map(handle) }), 'INVALID_OPTION', {
      option: 'except',
    })
    await refuses(eu.endSubject('ada', { except: ['no handle'] }), 'INVALID_OPTION', { option: 'except.0' })
  })
})

const handle = (_: string, n: number) => n.toString(16).padStart(32, '0')

describe('more sessions than a subject may have', () => {
  it('[API-1] the oldest login goes', async () => {
    const [eu, clock] = await openStepped({ subjectKey, session: { maxPerSubject: 2, atLimit: 'endOldest' } })
    const ended = listen(eu, 'ended')
    const sessions = []
    for (let n = 0; n < 3; n++) {
      sessions.push(await eu.create({ n }, { subject: 'ada' }))
      clock.advance(1)
    }
    await until(() => ended.length > 0, 'the oldest to be ended')
    expect(ended).toEqual([['ended', { key: sessions[0]!.handle, origin: 'local', reason: 'displaced' }]])
    expect(await handlesOf(eu, 'ada')).toEqual([sessions[1]!.handle, sessions[2]!.handle])
    expect(await eu.get(sessions[0]!.id)).toBeUndefined()
  })

  it('[API-1] or one more is refused, by SUBJECT_LIMIT; a session that is one of them may log in again', async () => {
    const eu = await open({ subjectKey, session: { maxPerSubject: 2, atLimit: 'refuse' } })
    const one = await eu.create({}, { subject: 'ada' })
    await eu.create({}, { subject: 'ada' })
    const guest = await eu.create({})
    await refuses(eu.create({}, { subject: 'ada' }), 'SUBJECT_LIMIT', { limit: 2 })
    await refuses(eu.elevate(guest.id, { subject: 'ada' }), 'SUBJECT_LIMIT', { limit: 2 })
    expect(await eu.get(guest.id)).toBeDefined()
    const again = await eu.elevate(one.id, { subject: 'ada' })
    await eu.endHandle(again.handle)
    expect(await eu.elevate(guest.id, { subject: 'ada' })).toMatchObject({ subject: 'ada' })
  })
})

describe('over regions', () => {
  it('[API-1] a receipt says which regions hold an end; what is cut off gets it when it is back', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'])
    const { eu, us, ap } = regions
    const [one, other] = [await eu.create({}, { subject: 'ada' }), await us.create({}, { subject: 'ada' })]
    await regions.settled()
    await regions.cutOff('ap')
    const late = await ap.create({}, { subject: 'ada' })
    // Of one millisecond, the order is that of the regions' incarnations.
    await until(() => Date.now() > late.createdAt, 'the next millisecond')
    const { ended, regions: held } = await eu.endOthers(one.id, { reason: 'revoked' })
    expect([ended, held]).toEqual([1, { eu: 'held', us: 'held', ap: 'pending' }])
    expect(await us.get(other.id)).toBeUndefined()
    expect(await ap.get(late.id)).toBeDefined()
    regions.healAll()
    await regions.settled()
    await until(async () => (await ap.get(late.id)) === undefined, 'the cutoff in ap')
    for (const region of regions.all) expect(await handlesOf(region, 'ada')).toEqual([one.handle])
  })

  it('[API-1] a level above what can be had refuses the end, which is made all the same', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'])
    const { eu } = regions
    const { handle, id } = await eu.create({}, { subject: 'ada' })
    await regions.cutOff('eu')
    await refuses(eu.endHandle(handle, { write: 'majority', timeout: 50 }), 'QUORUM_UNMET', { mayHaveApplied: true })
    expect(await eu.get(id)).toBeUndefined()
  })

  it('[API-1] get with `after` shows what was written in another region', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { eu, us } = regions
    const made = await eu.create({ n: 0 })
    expect(made.written).toMatch(/^[0-9a-f]{32}\.[0-9a-z]{1,11}$/)
    for (let n = 1; n <= 20; n++) {
      const { written } = await eu.update(made.id, { n })
      expect(await us.get(made.id, { after: written! })).toMatchObject({ data: { n } })
    }
    await regions.cut('eu', 'us')
    const { written } = await eu.update(made.id, { n: 21 })
    await refuses(us.get(made.id, { after: written!, timeout: 50 }), 'QUORUM_UNMET')
    expect(await us.get(made.id)).toMatchObject({ data: { n: 20 } })
    await refuses(us.get(made.id, { after: 'no token' }), 'INVALID_OPTION', { option: 'after' })
  })
})
