import { createServer } from 'node:https'
import { connect, type Dial, type LinkChange } from '@sojourn/client'
import { type openReplica, type SessionApi, SojournError } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { dialWebSocket } from '../../packages/client/src/websocket.js'
import { openAuthority } from '../support/certificates.js'
import { codeOf } from '../support/refusal.js'
import { openRegions } from '../support/region.js'
import { seeded } from '../support/seeded.js'
import { Gate, Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

describe('what a client is answered', () => {
  it('[NET-1] errors have the code and the details that the replica gave them, the session of an unmet quorum too', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'])
    await regions.cutOff('eu')
    const { url } = await opened.serve({ on: regions.eu })
    const client = await opened.connect({ url })
    const error = (await codeOf(client.create({ user: 'ada' }, { write: 'majority', timeout: 20 }))) as SojournError
    expect(error).toMatchObject({ code: 'QUORUM_UNMET', need: 2, got: 1, regions: ['eu'], mayHaveApplied: true })
    expect(error.message).toMatch(/^QUORUM_UNMET: 1 of the 2 regions/)
    // Where logs do not look for it.
    expect(Object.keys(error)).not.toContain('session')
    const session = error.session as { id: string; data: object }
    expect(session.data).toEqual({ user: 'ada' })
    expect(await client.get(session.id)).toMatchObject({ data: { user: 'ada' } })
    await regions.eu.create({}, { id: 'taken' })
    expect(await codeOf(client.create({}, { id: 'taken' }))).toMatchObject({ code: 'SESSION_EXISTS', state: 'live' })
    expect(await codeOf(client.increment(session.id, '/user'))).toMatchObject({ code: 'INVALID_DATA', path: '/user' })
    expect(await codeOf(client.update(session.id, {}, { write: 7 }))).toMatchObject({ option: 'write' })
  })

  it('[NET-1] calls of one turn are answered in one go, in frames that hold many', async () => {
    const { url, listener, proxy } = await opened.serve()
    const client = await opened.connect({ url })
    const before = proxy.bytes.there
    const made = await Promise.all(Array.from({ length: 1_000 }, (_, n) => client.create({ n })))
    expect(made.map(({ data }) => data.n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n))
    expect(listener.status().totals.requests).toBe(1_000)
    // A frame of its own for each would have 8 bytes of header.
    expect(proxy.bytes.there - before).toBeLessThan(1_000 * 18)
  })

  it('[NET-1] many calls of one turn go in several frames, so that the first are answered while others are on their way', async () => {
    const { url } = await opened.serve()
    const sent: number[] = []
    const heard: number[] = []
    const dial: Dial = (to, handler, options) => {
      const received = (frame: Uint8Array) => {
        heard.push(frame.length)
        handler.received(frame)
      }
      // Not spread: a handler may be an object of a class.
      const passed: typeof handler = {
        opened: () => handler.opened(),
        received,
        drained: () => handler.drained(),
        closed: (...why) => handler.closed(...why),
      }
      const connection = dialWebSocket(to, passed, options)
      return {
        send(frame) {
          sent.push(frame.length)
          connection.send(frame)
        },
        get bufferedBytes() {
          return connection.bufferedBytes
        },
        close: (why) => connection.close(why),
      }
    }
    const client = await opened.connect({ url, ports: { dial }, connection: { heartbeat: '1m', timeout: '2m' } })
    const { id } = await client.create({ user: 'ada', text: 'x'.repeat(200) })
    sent.length = 0
    heard.length = 0
    await Promise.all(Array.from({ length: 64 }, () => client.get(id)))
    // All but the last are full, and none holds a message more than it takes. Answers wait for no more requests to come.
    for (const bytes of sent.slice(0, -1)) expect(bytes).toBeGreaterThanOrEqual(1_024)
    for (const [frames, target] of [
      [sent, 1_024],
      [heard, 4_096],
    ] as const) {
      expect(frames.length).toBeGreaterThan(1)
      for (const bytes of frames) expect(bytes).toBeLessThan(target + 300)
    }
  })

  it('[NET-1] a session that is read again is as it is now, and what a reader does to a Date of it is its own', async () => {
    const { url, replica } = await opened.serve()
    const client = await opened.connect({ url })
    const { id } = await client.create({ n: 0, at: new Date(0) })
    for (let n = 0; n < 3; n++) {
      for (const _ of 'ab') expect((await client.get(id))?.data).toEqual({ n, at: new Date(0) })
      const session = await replica.get(id)
      session?.data.at.setTime(1)
      await client.update(id, { n: n + 1 })
    }
    await client.update(id, { at: null })
    for (const _ of 'ab') expect((await client.get(id))?.data).toEqual({ n: 3 })
    expect((await client.touch(id))?.data).toEqual({ n: 3 })
  })

  it('[NET-9] drafts that change different fields at the same time are all kept', async () => {
    const { url, replica } = await opened.serve()
    const [one, other] = await Promise.all([opened.connect({ url }), opened.connect({ url })])
    const { id } = await one.create({ cart: {}, views: 0, gone: 1, list: [1] })
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) =>
        (n % 2 ? one : other).update(id, (draft) => {
          draft.cart[`item${n}`] = n
        }),
      ),
      ...Array.from({ length: 20 }, (_, n) => (n % 2 ? one : other).increment(id, '/views')),
      one.update(id, (draft) => {
        delete draft.gone
      }),
      other.update(id, ({ list, ...rest }) => ({ ...rest, list: [...list, 2] })),
    ])
    const data = (await replica.get(id))!.data
    expect(Object.keys(data.cart)).toHaveLength(20)
    expect(data).toMatchObject({ views: 20, list: [1, 2] })
    expect('gone' in data).toBe(false)
  })

  it('[NET-9] only what differs from what was read is sent', async () => {
    const { url, proxy } = await opened.serve()
    const client = await opened.connect({ url })
    const { id, data } = await client.create({ large: 'x'.repeat(20_000), n: 1, deep: { a: 1, b: 'y'.repeat(20_000) } })
    const before = proxy.bytes.there
    await client.update(id, (draft) => {
      draft.deep.a = 2
    })
    await client.replace(id, { ...data, n: 2 }, { base: data })
    expect(proxy.bytes.there - before).toBeLessThan(1_000)
    expect(await client.get(id)).toMatchObject({ data: { n: 2, deep: { a: 2 } } })
  })

  it('[NET-1] over TLS, with the authority that the client was given', async () => {
    const authority = await openAuthority()
    const { cert, key } = await authority.sign('eu')
    const { listener } = await opened.serve({
      createServer: (options, handler) => createServer({ ...options, cert, key }, handler),
    })
    const url = `wss://127.0.0.1:${listener.address.port}`
    const client = await opened.connect({ url, tls: { ca: authority.cert } })
    expect((await client.create({ a: 1 })).data).toEqual({ a: 1 })
    expect(await codeOf(connect({ url, connectTimeout: 300 }))).toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('deadlines', () => {
  it('[NET-2] a call that is not answered in time fails with TIMEOUT, and says whether it may have written', async () => {
    const gate = new Gate()
    const { url, replica } = await opened.serve({ around: gate.around })
    const { id } = await replica.create({ n: 0 })
    const client = await opened.connect({ url, timeout: 80 })
    gate.shut()
    const [write, read] = await Promise.all([codeOf(client.increment(id, '/n')), codeOf(client.get(id))])
    expect(write).toMatchObject({ code: 'TIMEOUT', mayHaveApplied: true })
    expect(read).toMatchObject({ code: 'TIMEOUT' })
    expect((read as SojournError).mayHaveApplied).toBeUndefined()
    expect(await replica.get(id)).toMatchObject({ data: { n: 1 } })
    gate.open()
    expect(await client.get(id)).toMatchObject({ data: { n: 1 } })
    expect(client.status().inFlight).toBe(0)
  })

  it('[NET-2] calls with different deadlines fail each at its own', async () => {
    const gate = new Gate()
    const { url, replica } = await opened.serve({ around: gate.around })
    const { id } = await replica.create({ n: 0 })
    const client = await opened.connect({ url, timeout: 50 })
    gate.shut()
    const order: string[] = []
    const late = codeOf(client.get(id, { timeout: 150 })).then(() => order.push('late'))
    const soon = codeOf(client.get(id)).then(() => order.push('soon'))
    await Promise.all([late, soon])
    expect(order).toEqual(['soon', 'late'])
    gate.open()
  })

  it('[NET-2] where there is no server nothing is sent, and UNAVAILABLE says so', async () => {
    const { url, proxy, replica } = await opened.serve()
    const client = await opened.connect({ url, timeout: 100 })
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    const error = await codeOf(client.create({ a: 1 }))
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    expect((error as SojournError).mayHaveApplied).toBeUndefined()
    proxy.heal()
    await until(() => client.status().url, 'the connection')
    expect(await replica.count()).toBe(0)
    expect(await codeOf(connect({ url: 'ws://127.0.0.1:1', connectTimeout: 50 }))).toMatchObject({
      code: 'UNAVAILABLE',
    })
  })

  it("[NET-2] whenUnavailable 'wait': a call made while there is no server is answered when there is one again", async () => {
    const { url, proxy } = await opened.serve()
    const client = await opened.connect({ url, whenUnavailable: 'wait' })
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    const made = client.create({ a: 1 })
    proxy.heal()
    expect((await made).data).toEqual({ a: 1 })
  })

  it('[NET-2] closing the client answers every call that waits', async () => {
    const gate = new Gate()
    const { url, replica } = await opened.serve({ around: gate.around })
    const { id } = await replica.create({ n: 0 })
    const client = await opened.connect({ url })
    gate.shut()
    const calls = [client.increment(id, '/n'), client.get(id), client.touch(id), client.end(id)].map(codeOf)
    await until(() => gate.held === 4, 'the calls to be under way')
    await client.close()
    expect(await Promise.all(calls)).toMatchObject([
      { code: 'CONNECTION_LOST', mayHaveApplied: true },
      { code: 'CLIENT_CLOSED' },
      // These are asked again anywhere, and are writes all the same.
      { code: 'CONNECTION_LOST', mayHaveApplied: true },
      { code: 'CONNECTION_LOST', mayHaveApplied: true },
    ])
    expect(await codeOf(client.count())).toMatchObject({ code: 'CLIENT_CLOSED' })
    gate.open()
  })
})

describe('a connection that dies', () => {
  /** A client whose increment has been done, and whose answer has not gone out yet. */
  const underWay = async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around })
    const { id } = await served.replica.create({ n: 0 })
    const client = await opened.connect({ url: served.url })
    gate.shut()
    const call = client.increment(id, '/n')
    await until(() => gate.held === 1, 'the increment to be under way')
    return { ...served, served, gate, id, client, call }
  }

  it('[NET-3] a write that was under way is asked again, done once, and answered', async () => {
    const { served, proxy, gate, id, client, call, replica } = await underWay()
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    proxy.heal()
    await until(() => served.listener.status().totals.answeredFromMemory === 1, 'the increment to come again')
    gate.open()
    expect((await call).data).toEqual({ n: 1 })
    expect(await replica.get(id)).toMatchObject({ data: { n: 1 } })
    expect(client.status().totals).toEqual({ connections: 2, repeated: 1 })
  })

  it('[NET-2] an end that one server may have done, and the next one refuses, may have been done', async () => {
    const gate = new Gate()
    const first = await opened.serve({ around: gate.around })
    const next = await opened.serve({
      around: (replica) =>
        new Proxy(replica, {
          get: (target, name) => {
            const value: unknown = Reflect.get(target, name, target)
            if (name === 'end') return async () => Promise.reject(new SojournError('OVERLOADED', 'it has enough to do'))
            return typeof value === 'function' ? value.bind(target) : value
          },
        }),
    })
    const { id } = await first.replica.create({ n: 0 })
    const client = await opened.connect({ urls: [first.url, next.url] })
    gate.shut()
    const end = codeOf(client.end(id))
    await until(() => gate.held === 1, 'the end to be under way')
    first.proxy.cut()
    expect(await end).toMatchObject({ code: 'OVERLOADED', mayHaveApplied: true })
    gate.open()
    expect(await first.replica.get(id)).toBeUndefined()
    // Of what was asked nowhere else a refusal is one.
    expect(await codeOf(client.end(id))).not.toHaveProperty('mayHaveApplied')
  })

  it('[NET-3] one that was answered while the client was away, too', async () => {
    const { served, proxy, gate, id, client, call, replica } = await underWay()
    proxy.cut()
    gate.open()
    await until(() => served.listener.status().connections === 0, 'the server to see it')
    proxy.heal()
    expect((await call).data).toEqual({ n: 1 })
    expect(await replica.get(id)).toMatchObject({ data: { n: 1 } })
    expect(served.listener.status().totals.answeredFromMemory).toBe(1)
    // What the client has heard is not remembered.
    await client.increment(id, '/n')
    await until(() => served.listener.status().remembered === 0, 'the server to forget')
  })

  it('[NET-3] where the server has ended meanwhile nobody can know: CONNECTION_LOST, and it is not asked again', async () => {
    const { served, gate, id, call, replica, client } = await underWay()
    await served.restart()
    expect(await codeOf(call)).toMatchObject({ code: 'CONNECTION_LOST', mayHaveApplied: true })
    gate.open()
    expect(await client.get(id)).toMatchObject({ data: { n: 1 } })
    expect(await replica.get(id)).toMatchObject({ data: { n: 1 } })
  })

  it('[NET-3] the same where the server has forgotten the client', async () => {
    const gate = new Gate()
    const limits = { maxAwayMs: 1, maxSilenceMs: 200 }
    const served = await opened.serve({ around: gate.around, limits })
    const { id } = await served.replica.create({ n: 0 })
    const client = await opened.connect({ url: served.url })
    gate.shut()
    const call = codeOf(client.increment(id, '/n'))
    await until(() => gate.held === 1, 'the increment to be under way')
    served.proxy.cut()
    gate.open()
    await until(() => served.listener.status().connections === 0, 'the server to see it')
    await until(() => served.listener.status().remembered === 0, 'the server to forget it')
    served.proxy.heal()
    expect(await call).toMatchObject({ code: 'CONNECTION_LOST', mayHaveApplied: true })
    expect(await client.get(id)).toMatchObject({ data: { n: 1 } })
  })

  it('[NET-3] increments under connections that are cut again and again are each done once', async () => {
    const { url, proxy, replica } = await opened.serve()
    const { id } = await replica.create({ n: 0 })
    const client = await opened.connect({ url, timeout: '30s', whenUnavailable: 'wait' })
    const random = seeded(7)
    let left = 400
    let isOver = false
    const caller = async () => {
      while (left-- > 0) await client.increment(id, '/n')
    }
    const cutter = async () => {
      while (!isOver) {
        const turns = random.below(256)
        for (let turn = 0; turn < turns && !isOver; turn++) await new Promise((resolve) => setImmediate(resolve))
        proxy.cut()
        proxy.heal()
      }
    }
    const cutting = cutter()
    await Promise.all(Array.from({ length: 8 }, caller))
    isOver = true
    await cutting
    expect(await replica.get(id)).toMatchObject({ data: { n: 400 } })
    expect(client.status().totals.repeated).toBeGreaterThan(0)
  })

  it('[NET-3] a scan over all sessions ends with its connection', async () => {
    const { url, proxy, replica, listener } = await opened.serve()
    for (let n = 0; n < 600; n++) await replica.create({ n })
    const client = await opened.connect({ url, whenUnavailable: 'wait' })
    const scan = async () => {
      let seen = 0
      for await (const _ of client.sessions()) {
        if (++seen !== 256) continue
        proxy.cut()
        await until(() => client.status().url === undefined, 'the connection to be lost')
        proxy.heal()
      }
    }
    expect(await codeOf(scan())).toMatchObject({ code: 'CONNECTION_LOST' })
    await until(() => listener.status().connections === 1, 'the next connection')
    let count = 0
    for await (const _ of client.sessions()) count++
    expect(count).toBe(600)
  })
})

describe('several servers', () => {
  const two = async (around?: (replica: Awaited<ReturnType<typeof openReplica>>) => SessionApi) => {
    const regions = opened.add(await openRegions(['eu', 'us']))
    const eu = await opened.serve({ on: regions.eu, ...(around && { around }) })
    const us = await opened.serve({ on: regions.us })
    const changes: LinkChange[] = []
    const urls = [eu.url, us.url]
    const client = await opened.connect({ urls, linkChanged: (change) => changes.push(change) })
    return { regions, eu, us, client, changes, urls }
  }

  it('[NET-4] the nearest that can be reached is used; a nearer one is gone back to, and no call is lost by that', async () => {
    const { regions, eu, us, client, changes } = await two()
    expect(client.status().region).toBe('eu')
    const { id } = await client.create({ n: 0 })
    await regions.settled()
    eu.proxy.cut()
    expect(await client.get(id)).toMatchObject({ data: { n: 0 } })
    expect(client.status().region).toBe('us')
    eu.proxy.heal()
    // All the while something is asked.
    let count = 0
    while (client.status().region !== 'eu') {
      await client.increment(id, '/n')
      count++
    }
    await regions.settled()
    expect(await client.get(id)).toMatchObject({ data: { n: count } })
    await until(() => us.listener.status().connections === 0, 'the other connection to end')
    expect(changes.filter(({ state }) => state !== 'refused').map(({ state, region }) => `${state} ${region}`)).toEqual(
      ['up eu', 'down eu', 'up us', 'up eu', 'down us'],
    )
  })

  it('[NET-4] a client that starts while the nearest is away starts with the next', async () => {
    const { eu, urls } = await two()
    eu.proxy.cut()
    const client = await opened.connect({ urls })
    expect(client.status().region).toBe('us')
  })

  it('[NET-4] a server that takes connections and says nothing is passed over', async () => {
    const { eu, urls } = await two()
    eu.proxy.stall()
    const client = await opened.connect({ urls, connection: { timeout: 200 } })
    expect(client.status().region).toBe('us')
  })

  it('[NET-3] over a fail-over a write that may have been done is not done again; what changes nothing more is', async () => {
    const gate = new Gate()
    const { regions, eu, us, client } = await two(gate.around)
    const { id } = await client.create({ n: 0 })
    const ended = await client.create({})
    await regions.settled()
    gate.shut()
    const calls = {
      increment: codeOf(client.increment(id, '/n')),
      patch: codeOf(client.update(id, { a: 1 })),
      create: codeOf(client.create({})),
      get: client.get(id),
      touch: client.touch(id),
      end: client.end(ended.id),
    }
    await until(() => gate.held === 6, 'the calls to be under way')
    await regions.settled()
    eu.proxy.cut()
    for (const call of [calls.increment, calls.patch, calls.create])
      expect(await call).toMatchObject({ code: 'CONNECTION_LOST', mayHaveApplied: true })
    expect(await calls.get).toMatchObject({ data: { n: 1, a: 1 } })
    expect(await calls.touch).toMatchObject({ data: { n: 1, a: 1 } })
    // It was ended by the first try, which came here, too.
    expect(await calls.end).toBe(false)
    expect(client.status().region).toBe('us')
    expect(us.listener.status().totals.answeredFromMemory).toBe(0)
    gate.open()
    expect(await us.replica.get(id)).toMatchObject({ data: { n: 1, a: 1 } })
  })

  it('[NET-10] a server that ends asks its clients to leave, and answers what it was asked', async () => {
    const gate = new Gate()
    const { regions, eu, client } = await two(gate.around)
    const { id } = await client.create({ n: 0 })
    await regions.settled()
    gate.shut()
    const slow = client.increment(id, '/n')
    await until(() => gate.held === 1, 'the increment to be under way')
    const closing = eu.listener.close({ drainMs: 10_000 })
    await until(() => client.status().region === 'us', 'the client to go elsewhere')
    expect(await client.count()).toBe(1)
    gate.open()
    expect((await slow).data).toEqual({ n: 1 })
    await closing
    expect(client.status().totals.repeated).toBe(0)
  })

  it('[NET-10] a client that does not leave is not waited for longer than said', async () => {
    const gate = new Gate()
    const { eu, client } = await two(gate.around)
    gate.shut()
    const slow = codeOf(client.create({}))
    await until(() => gate.held === 1, 'the call to be under way')
    await eu.listener.close({ drainMs: 50 })
    expect(await slow).toMatchObject({ code: 'CONNECTION_LOST', mayHaveApplied: true })
    gate.open()
  })
})

describe('connect', () => {
  it.each([
    ['url', {}],
    ['url', { url: 'ws://a', urls: ['ws://b'] }],
    ['url', { url: 'http://a' }],
    ['url', { url: 'ws://a#b' }],
    ['urls', { urls: [] }],
    ['urls.1', { urls: ['ws://a', 'b'] }],
    ['timeout', { url: 'ws://a', timeout: 'soon' }],
    ['tokn', { url: 'ws://a', tokn: 'x' }],
    ['token', { url: 'ws://a', token: 'x'.repeat(1_025) }],
    ['limits.maxInflight', { url: 'ws://a', limits: { maxInflight: 1 } }],
    ['limits.maxInFlight', { url: 'ws://a', limits: { maxInFlight: 0 } }],
    ['connection.timeout', { url: 'ws://a', connection: { heartbeat: '1s', timeout: '1s' } }],
    ['nearCache.maxStale', { url: 'ws://a', nearCache: { maxStale: '1s' } }],
    ['options', undefined],
    ['nearCache', { url: 'ws://a', nearCache: 'yes' }],
    ['nearCache.maxEntrys', { url: 'ws://a', nearCache: { maxEntrys: 5 } }],
    ['connection.heartbeet', { url: 'ws://a', connection: { heartbeet: '1s' } }],
    ['tls.rejectUnauthorized', { url: 'wss://a', tls: { rejectUnauthorized: false } }],
    ['tls.ca', { url: 'wss://a', tls: { ca: [5] } }],
    ['linkChanged', { url: 'ws://a', linkChanged: true }],
    ['ports.clock', { url: 'ws://a', ports: { clock: {} } }],
  ])('[NET-2] refuses a bad %s: %j', async (option, options) => {
    expect(await codeOf(connect(options as never))).toMatchObject({ code: 'INVALID_OPTION', option })
  })

  it('[OPT-2] says what was given, what is allowed, and what was probably meant', async () => {
    const messageOf = async (options: object) => ((await codeOf(connect(options as never))) as Error).message
    expect(await messageOf({ url: 'ws://a', tokn: 'hush' })).toMatch(
      /^INVALID_OPTION: tokn is not an option of connect. It is a string of 4 characters\. Did you mean token\? There are url, urls, /,
    )
    expect(await messageOf({ url: 'http://me:hush@a' })).toBe(
      `INVALID_OPTION: url is "http://…@a"; give an address such as 'wss://sessions.eu.example.net:7401'`,
    )
    expect(await messageOf({ url: 'ws://a', heartbeat: '1s' })).toMatch(/Did you mean connection\.heartbeat\?/)
    expect(await messageOf({ url: 'ws://a', timeout: '5 minutes' })).toMatch(
      /timeout is "5 minutes"; give milliseconds/,
    )
  })
})
