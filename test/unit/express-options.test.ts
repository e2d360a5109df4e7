/** What a SojournStore refuses to be made of. */
import { SojournStore } from '@sojourn/express'
import { openReplica } from '@sojourn/replica'
import { expect, it } from 'vitest'

const refusal = (...options: unknown[]): unknown => {
  try {
    Reflect.construct(SojournStore, options)
    return undefined
  } catch (error) {
    return error
  }
}

it('[EXPR-10] options that a store cannot use are refused: which, and what to do', async () => {
  await using sessions = await openReplica({ region: 'eu', location: ':memory:' })
  const cases: readonly (readonly [options: unknown[], option: string, message: RegExp])[] = [
    [[], 'sessions', /needs the option sessions: new SojournStore\(\{ sessions: await openReplica/],
    [[null], 'sessions', /needs the option sessions/],
    [[{}], 'sessions', /sessions is not set; give an open replica, or a client/],
    [
      [{ sessions: openReplica({ region: 'us', location: ':memory:' }) }],
      'sessions',
      /sessions is a promise that was not awaited; give an open replica/,
    ],
    [[Promise.resolve(sessions)], 'sessions', /got a promise\. Await/],
    [[sessions], 'sessions', /got the replica itself\. Give it as sessions/],
    [[{ sessions: {} }], 'sessions', /sessions is an object; give an open replica, or a client/],
    [[{ sessions: { get: () => 1 } }], 'sessions', /sessions is an object; give an open replica, or a client/],
    [
      [{ sessions, ttl: 60 }],
      'ttl',
      /ttl is not an option of SojournStore. It is 60\. .*cookie\.maxAge.*There are sessions, counters, atomic, timeout, clock/,
    ],
    [
      [{ sessions, conters: ['/a'] }],
      'conters',
      /conters is not an option of SojournStore. .*Did you mean counters\? There are sessions, counters/,
    ],
    [[{ sessions, counters: '/views' }], 'counters', /an array of JSON pointers/],
    [[{ sessions, timeout: 'soon' }], 'timeout', /timeout is "soon"/],
    [[{ sessions, clock: Date }], 'clock', /a Clock/],
  ]
  for (const [options, option, message] of cases) {
    const error = refusal(...options)
    expect(error, String(message)).toMatchObject({ code: 'INVALID_OPTION', option })
    expect(String(error)).toMatch(message)
  }
  expect(refusal({ sessions, counters: ['views'] })).toMatchObject({ code: 'INVALID_DATA' })
  expect(refusal({ sessions, counters: ['/views'], timeout: '2s' })).toBeUndefined()
})
