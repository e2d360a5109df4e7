/** Whether the profiles of NIST's assurance levels end sessions when they say. */

import { connect } from '@sojourn/client'
import { type Duration, parseDuration } from '@sojourn/core/internal'
import { loadConfig } from '@sojourn/server'
import { PROFILES } from 'sojourn'
import { afterEach, describe, expect, it } from 'vitest'
import { closeOpened, HOUR, MINUTE, openStepped } from '../support/replica.js'
import { openServers, TOKENS } from '../support/servers.js'

afterEach(closeOpened)

const DAY = 24 * HOUR
const subjectKey = 'a key for subjects, of the tests'

/** What SP 800-63B-4 says in its sections 2.1.3, 2.2.3 and 2.3.3. */
const NIST = [
  { name: 'aal1', idle: 30 * DAY, overall: 30 * DAY },
  { name: 'aal2', idle: HOUR, overall: DAY },
  { name: 'aal3', idle: 15 * MINUTE, overall: 12 * HOUR },
] as const

describe.each(NIST)('[PROF-1] $name', ({ name, idle, overall }) => {
  const session = { ...PROFILES[name], touchGranularity: 0 }

  it('ends a session that nobody uses', async () => {
    const [eu, clock] = await openStepped({ session })
    const { id } = await eu.create({})
    clock.advance(idle - MINUTE)
    expect(await eu.get(id)).toBeDefined()
    clock.advance(MINUTE)
    expect(await eu.get(id)).toBeUndefined()
  })

  it('ends one that is used all the time, unless its user logs in anew', async () => {
    const [eu, clock] = await openStepped({ session, subjectKey })
    const used = await eu.create({}, { subject: 'ada' })
    let other = await eu.create({}, { subject: 'ada' })
    const start = clock.now()
    const pass = async (until: number) => {
      for (; clock.now() < start + until; clock.advance(Math.min(idle / 2, start + until - clock.now())))
        for (const { id } of [used, other]) await eu.touch(id)
    }
    await pass(overall / 2)
    other = await eu.elevate(other.id, { subject: 'ada' })
    await pass(overall - MINUTE)
    expect(await eu.get(used.id)).toBeDefined()
    clock.advance(MINUTE + 1)
    expect([await eu.get(used.id), (await eu.get(other.id))?.subject]).toEqual([undefined, 'ada'])
  })

  it('fits a login, too, where the store allows longer ones', async () => {
    const [eu, clock] = await openStepped({ session: { touchGranularity: 0 }, subjectKey })
    const { id } = await eu.create({})
    const login = await eu.elevate(id, { subject: 'ada', ...PROFILES[name] })
    clock.advance(idle - MINUTE)
    expect(await eu.get(login.id)).toBeDefined()
    clock.advance(MINUTE + 1)
    expect(await eu.get(login.id)).toBeUndefined()
  })
})

describe('[PROF-1] session.profile of a server', () => {
  const load = (session: Record<string, string>) => {
    const env = { SOJOURN_REGION: 'eu', SOJOURN_CLIENTS_PORT: '0', SOJOURN_TOKENS: 'shop:write:a-token-of-the-tests' }
    const flags = new Map(Object.entries(session).map(([name, value]) => [`session.${name}`, value]))
    return loadConfig({ file: undefined, env, flags }).settings.session
  }

  it.each(NIST)('$name sets both timeouts', ({ name, idle, overall }) => {
    expect(load({ profile: name })).toMatchObject({ idleTimeout: idle, maxLifetime: overall })
  })

  it('holds for its clients', async () => {
    await using servers = await openServers(['eu'], { options: { flags: { 'session.profile': 'aal3' } } })
    const client = await connect({ url: servers.get('eu').url('clients'), token: TOKENS.write })
    expect(client.lifetimes()).toMatchObject({ idleTimeoutMs: 15 * MINUTE, maxLifetimeMs: 12 * HOUR })
    await client.close()
  })

  it('says of both timeouts where they come from', () => {
    const env = {
      SOJOURN_REGION: 'eu',
      SOJOURN_SESSION_PROFILE: 'aal2',
      SOJOURN_TOKENS: 'shop:write:a-token-of-the-tests',
    }
    const { from } = loadConfig({ file: undefined, env, flags: new Map([['session.idleTimeout', '5m']]) })
    expect([from.get('session.idleTimeout'), from.get('session.maxLifetime')]).toEqual([
      '--session-idle-timeout',
      'SOJOURN_SESSION_PROFILE',
    ])
  })

  it('and leaves alone what is shorter', () => {
    expect(load({ profile: 'aal2', idleTimeout: '20m' })).toMatchObject({ idleTimeout: 20 * MINUTE, maxLifetime: DAY })
    expect(load({ profile: 'aal2', maxLifetime: '2h' })).toMatchObject({ idleTimeout: HOUR, maxLifetime: 2 * HOUR })
  })

  it('an idle timeout of a profile gives way to a shorter lifetime', () => {
    expect(load({ profile: 'aal2', maxLifetime: '30m' })).toMatchObject({
      idleTimeout: 30 * MINUTE,
      maxLifetime: 30 * MINUTE,
    })
  })

  it.each([
    ['idleTimeout', '61m', 'session.idleTimeout (--session-idle-timeout) is 3660000 ms; give at most 1h'],
    ['maxLifetime', '25h', 'session.maxLifetime (--session-max-lifetime) is 90000000 ms; give at most 24h'],
  ])('and refuses a longer %s', (name, value, message) => {
    expect(() => load({ profile: 'aal2', [name]: value })).toThrow(message)
  })

  it('and is one of three', () => {
    expect(() => load({ profile: 'aal4' })).toThrow('one of aal1, aal2, aal3')
  })
})

it('[PROF-1] each is a pair of durations', () => {
  expect(Object.keys(PROFILES)).toEqual(NIST.map(({ name }) => name))
  for (const { name, idle, overall } of NIST) {
    const { idleTimeout, maxLifetime }: { idleTimeout: Duration; maxLifetime: Duration } = PROFILES[name]
    expect([parseDuration(idleTimeout, 'idleTimeout'), parseDuration(maxLifetime, 'maxLifetime')]).toEqual([
      idle,
      overall,
    ])
  }
})
