/** The options of the calls of the session API, and the names of events: what is none is refused. */
import { type Duration, openReplica, type Replica, type WriteOptions, webSocketTransport } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { closeOpened, open, refuses } from '../support/replica.js'

afterEach(closeOpened)

const messageOf = async (call: () => unknown): Promise<string> => {
  try {
    await call()
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_OPTION' })
    return (error as Error).message
  }
  return expect.unreachable('it was taken')
}

/** Each call, with options that it does not have, or not so. */
const CALLS: { readonly [call: string]: (on: Replica, id: string, options: never) => Promise<unknown> } = {
  create: (on, _, options) => on.create({}, options),
  get: (on, id, options) => on.get(id, options),
  update: (on, id, options) => on.update(id, { n: 1 }, options),
  replace: (on, id, options) => on.replace(id, { n: 1 }, options),
  increment: (on, id, options) => on.increment(id, '/n', 1, options),
  touch: (on, id, options) => on.touch(id, options),
  end: (on, id, options) => on.end(id, options),
  rotate: (on, id, options) => on.rotate(id, options),
  endAll: (on, _, options) => on.endAll(options),
}

describe('options of calls', () => {
  it.each(Object.entries(CALLS))('[OPT-2] of %s that are none are refused, and nothing is done', async (name, call) => {
    const eu = await open()
    const { id } = await eu.create({ n: 0 })
    const { head } = eu.status()
    const refused = (options: unknown, option: string) =>
      refuses(call(eu, id, options as never), 'INVALID_OPTION', { option }, JSON.stringify(options))
    await refused({ nonsense: 1 }, 'nonsense')
    await refused({ timeout: 'soon' }, 'timeout')
    await refused({ timeout: null }, 'timeout')
    await refused({ constructor: 1 }, 'constructor')
    await refused('all', 'options')
    await refused(null, 'options')
    await refused(['all'], 'options')
    await refused(() => {}, 'options')
    const level = name === 'get' ? 'read' : 'write'
    for (const bad of ['most', 0, 1.5, null, {}]) await refused({ [level]: bad }, level)
    expect(eu.status().head).toBe(head)
    expect((await eu.get(id))!.data).toEqual({ n: 0 })
    // What was left out, and what says that it was.
    await call(eu, id, { timeout: undefined, [level]: undefined } as never)
  })

  it('[OPT-2] the error has the name, the value, what is allowed, and what was probably meant', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    expect(await messageOf(() => eu.update(id, {}, { wirte: 'all' } as WriteOptions))).toBe(
      'INVALID_OPTION: wirte is not an option of update. It is "all". Did you mean write? There are write, timeout, touch, idleTimeout, atomic',
    )
    expect(await messageOf(() => eu.update(id, {}, { write: 'majorty' as never }))).toBe(
      `INVALID_OPTION: write is "majorty" (did you mean "majority"?); give 'local', 'majority', 'all', or a number of regions, 1 or more`,
    )
    expect(await messageOf(() => eu.touch(id, { idletimeout: '5m' } as never))).toMatch(/Did you mean idleTimeout\?/)
    expect(await messageOf(() => eu.update(id, {}, { touch: 'no' as never }))).toMatch(
      /touch is "no"; give true or false/,
    )
    expect(await messageOf(() => eu.end(id, { reason: 'logut' as never }))).toBe(
      `INVALID_OPTION: reason is "logut" (did you mean "logout"?); give one of 'logout', 'revoked', 'rotated', 'displaced', 'reused'`,
    )
    expect(await messageOf(() => eu.replace(id, {}, { counters: '/views' as never }))).toMatch(
      /counters is "\/views"; give an array of JSON pointers/,
    )
    expect(await messageOf(() => eu.increment(id, '/n', { write: 'all' } as never))).toMatch(
      /by is an object; give an integer below 2\^53, and the options after it/,
    )
    expect(await messageOf(() => eu.get(id, (() => {}) as never))).toMatch(/the options of get are a function/)
  })

  it('[OPT-2] ids, secrets, and what could be one are not repeated', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    for (const call of [
      () => eu.create({}, { ID: id } as never),
      () => eu.create({}, { sid: id } as never),
      () => eu.create({}, { id: { id } } as never),
      () => eu.get(Promise.resolve(id) as never),
      () => eu.get(id, id as never),
      () => openReplica({ region: 'eu', location: ':memory:', sercet: 'hush' } as never),
      () => openReplica({ region: 'eu', location: ':memory:', secret: 'hush' }),
      () =>
        openReplica({ region: 'eu', location: ':memory:', peers: { us: 'http://me:hush@us' }, secret: 'x'.repeat(16) }),
    ]) {
      const message = await messageOf(call)
      expect(message).not.toContain(id)
      expect(message).not.toContain('hush')
    }
    expect(await messageOf(() => eu.get(Promise.resolve(id) as never))).toMatch(/id is a promise that was not awaited/)
  })
})

describe('what a replica is opened with', () => {
  const base = { region: 'eu', location: ':memory:' }
  it.each<[object, string]>([
    [
      { ...base, locaton: 'x' },
      'locaton is not an option of openReplica. It is "x". Did you mean location? There are region,',
    ],
    [{ ...base, idleTimeout: '5m' }, 'Did you mean session.idleTimeout?'],
    [
      { ...base, session: { idleTimout: '5m' } },
      'session.idleTimout is not an option of openReplica. It is "5m". Did you mean session.idleTimeout? In session there are idleTimeout, maxLifetime, touchGranularity',
    ],
    [{ ...base, session: '5m' }, 'session is "5m"; give an object with any of idleTimeout'],
    [{ location: ':memory:' }, 'region is not set; give a name of 1 to 64 bytes, such as eu'],
    [{ ...base, consistency: { read: 'quorum' } }, `consistency.read is "quorum"; give 'local'`],
    [{ ...base, fsync: 'evrysec' }, `fsync is "evrysec" (did you mean "everysec"?); give one of 'always', 'everysec'`],
    [{ ...base, limits: { maxCacheBytes: 0 } }, 'limits.maxCacheBytes is 0; give a whole number, 1 or more'],
    [{ ...base, limits: { maxDepth: 0 } }, 'limits.maxDepth is 0; give a whole number from 1 to 256'],
    [{ ...base, listen: { prot: 1 } }, 'Did you mean listen.port?'],
    [{ ...base, listen: {} }, 'listen.port is not set; give a whole number from 0 to 65535'],
    [{ ...base, peers: ['us'] }, 'peers is an array; give an object of region names and addresses'],
    [{ ...base, peers: { us: 'us:7400' } }, `peers.us is "us:7400"; give an address such as 'ws://`],
    [{ ...base, ports: { clok: {} } }, 'Did you mean ports.clock?'],
    [{ ...base, ports: { clock: Date } }, 'ports.clock is a function; give an object with now, monotonic'],
  ])('[OPT-2] %j', async (options, says) => {
    expect(await messageOf(() => openReplica(options as never))).toContain(says)
  })

  it('[OPT-2] no options at all, and those of a transport', async () => {
    expect(await messageOf(() => openReplica(undefined as never))).toMatch(/the options of openReplica are undefined/)
    const clock = {
      now: () => 0,
      monotonic: () => 0,
      after: () => ({ cancel() {}, hold() {}, release() {} }),
      soon() {},
      endOfTurn() {},
    }
    expect(await messageOf(() => webSocketTransport({} as never))).toMatch(
      /clock is an object; give an object with now/,
    )
    expect(await messageOf(() => webSocketTransport(clock, { creatServer: () => {} } as never))).toMatch(
      /Did you mean createServer\?/,
    )
    expect(await messageOf(() => webSocketTransport(clock, { dialOptions: {} as never }))).toMatch(
      /dialOptions is an object; give a function/,
    )
  })
})

describe('events', () => {
  it('[OPT-2] a name that none has is refused, and what is no listener', async () => {
    const eu = await open()
    for (const method of ['on', 'off'] as const) {
      expect(await messageOf(() => eu[method]('endedd' as never, () => {}))).toBe(
        `INVALID_OPTION: event is "endedd" (did you mean "ended"?); give one of 'created', 'elevated', 'rotated', 'reused', 'updated', 'ended', 'expired', 'committed', 'refused', 'link', 'fault'`,
      )
      expect(await messageOf(() => eu[method]('ended', undefined as never))).toMatch(/listener is undefined/)
      expect(await messageOf(() => eu[method]('toString' as never, () => {}))).toMatch(/event is "toString"/)
    }
  })
})

describe('durations', () => {
  it('[OPT-1] what is none does not compile either', async () => {
    const eu = await open()
    const { id } = await eu.create({})
    // @ts-expect-error a unit is one of ms, s, m, h, d
    const minutes: Duration = '5 minutes'
    // @ts-expect-error a unit is needed
    const bare: Duration = '5'
    // @ts-expect-error not before the number
    const swapped: Duration = 'm5'
    for (const bad of [minutes, bare, swapped])
      await refuses(eu.touch(id, { idleTimeout: bad }), 'INVALID_OPTION', { option: 'idleTimeout' })
    // @ts-expect-error also where it stands in a call
    await refuses(eu.touch(id, { idleTimeout: 'soon' }), 'INVALID_OPTION', { option: 'idleTimeout' })
    const good: Duration[] = [5_000, '500ms', '1.5h', '12 h', '7d']
    for (const idleTimeout of good) expect(await eu.touch(id, { idleTimeout })).toBeDefined()
  })
})
