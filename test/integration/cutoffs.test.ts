/** Ends of all sessions of a subject, where something stands against it: many of them, wrong clocks, regions that lag. */
import { openReplica } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { THREE } from '../support/quorum.js'
import { openRegions, steppedClock } from '../support/region.js'
import { closeOpened, HOUR, open } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const subjectKey = 'a key for subjects, of the tests'

describe('cutoffs of one subject', () => {
  it('[CUT-1] can be as many as its logins, each of which ends all others', async () => {
    const eu = await open({ subjectKey })
    let last = await eu.create({}, { subject: 'ada' })
    for (let n = 0; n < 200; n++) {
      const next = await eu.create({ n }, { subject: 'ada' })
      expect(await eu.endOthers(next.id)).toMatchObject({ ended: 1 })
      expect(await eu.isLive(last.handle)).toBe(false)
      last = next
    }
    expect(await eu.endSubject('ada')).toMatchObject({ ended: 1 })
    expect(await eu.get(last.id)).toBeUndefined()
  })

  it('[CUT-1] that name sessions which nobody knew are bounded, and do not keep the subject from being ended', async () => {
    const eu = await open({ subjectKey })
    const { id } = await eu.create({}, { subject: 'ada' })
    const unknown = (n: number) => n.toString(16).padStart(32, '0')
    for (let n = 0; n < 64; n++) await eu.endSubject('ada', { except: [unknown(n)] })
    await expect(eu.endSubject('ada', { except: [unknown(64)] })).rejects.toMatchObject({
      code: 'OVERLOADED',
      limit: 64,
    })
    const later = await eu.create({}, { subject: 'ada' })
    expect(await eu.endSubject('ada')).toMatchObject({ ended: 1 })
    expect([await eu.get(id), await eu.get(later.id)]).toEqual([undefined, undefined])
  })
})

describe('a region whose clock was ahead when it started', () => {
  for (const hours of [20, 30])
    it(`[CUT-1] [SUBJ-2] by ${hours} hours stamps no later login ahead, once the clock is right`, async () => {
      const clock = steppedClock()
      let ahead = 0
      const wrong = { ...clock, now: () => clock.now() + ahead }
      const session = { maxPerSubject: 1, atLimit: 'endOldest' } as const
      await using regions = await openRegions(['eu', 'us'], { ports: { clock }, session })
      const { us } = regions
      await regions.cutAll()
      ahead = hours * HOUR
      const eu = await regions.reopen('eu', { ports: { clock: wrong } })
      const early = await eu.create({}, { subject: 'zoe' })
      ahead = 0
      regions.healAll()
      await until(() => eu.status().links.us!.state === 'live' && us.status().links.eu!.state === 'live', 'the links')

      const older = await eu.create({}, { subject: 'ada' })
      await until(() => us.isLive(older.handle), 'the login')
      clock.advance(1)
      const newer = await us.create({}, { subject: 'ada' })
      await until(
        async () => !(await us.isLive(older.handle)) && !(await eu.isLive(older.handle)),
        'the older login to go',
      )
      expect([await us.isLive(newer.handle), await eu.isLive(newer.handle)]).toEqual([true, true])

      await regions.cutAll()
      const made = await eu.create({}, { subject: 'bob' })
      clock.advance(1)
      await us.endSubject('bob')
      regions.healAll()
      await until(async () => !(await eu.isLive(made.handle)), 'the session of before to go')

      // What the wrong clock stamped is ended, too, and what comes after that lives.
      await eu.endSubject('zoe')
      expect(await eu.get(early.id)).toBeUndefined()
      const again = await eu.create({}, { subject: 'zoe' })
      await until(() => us.isLive(again.handle), 'a login after it')
    })
})

describe('a session that has not arrived', () => {
  it('[END-1] is ended for good, also where a login elsewhere prolongs it', async () => {
    const clock = steppedClock()
    const session = { idleTimeout: '10h', maxLifetime: '10h' } as const
    await using regions = await openRegions(['eu', 'us'], { ports: { clock }, disk: true, session, purgeGrace: '1s' })
    const { us } = regions
    await regions.cutAll()
    const { id } = await us.create({})
    await regions.eu.end(id)
    clock.advance(9 * HOUR)
    const prolonged = await us.elevate(id, { subject: 'ada' })
    clock.advance(1.5 * HOUR)
    // Whatever had come of the end by then, it is read from the disk.
    const eu = await regions.reopen('eu')
    regions.healAll()
    await regions.settled()
    expect([await us.get(prolonged.id), await eu.get(prolonged.id)]).toEqual([undefined, undefined])
  })
})

describe('a majority read', () => {
  it('[QUO-3] shows no session of a subject that a majority has ended, though the region that reads has that session alone', async () => {
    await using regions = await openRegions(THREE, { subjectKey, consistency: { timeout: '5s' } })
    const { eu, us, ap } = regions
    for (let round = 0; round < 3; round++) {
      await regions.cutOff('ap')
      const { id } = await ap.create({}, { subject: 'ada' })
      // Before the cutoff comes, all of this does.
      for (let n = 0; n < 100; n++) await us.create({ text: 'x'.repeat(50_000) })
      await eu.endSubject('ada', { write: 'majority' })
      regions.heal('us', 'ap')
      await until(() => ap.status().links.us!.state !== 'down', 'the link')
      const shown = await ap.get(id, { read: 'majority' }).catch((error: { code: string }) => error.code)
      expect([undefined, 'QUORUM_UNMET']).toContain(shown)
      regions.healAll()
      await regions.settled()
    }
  })
})

describe('a subject with as many sessions as it may have', () => {
  it('[SUBJ-2] gets one more of several logins that come at one time, where one has room', async () => {
    await using eu = await openReplica({
      region: 'eu',
      location: ':memory:',
      subjectKey,
      session: { maxPerSubject: 2, atLimit: 'refuse' },
    })
    await eu.create({}, { subject: 'ada' })
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => eu.create({ n }, { subject: 'ada' })))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    const { value } = outcomes[0] as PromiseFulfilledResult<{ id: string }>
    expect(await eu.get(value.id)).toBeDefined()
  })
})
