import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Client, connect } from '@sojourn/client'
import { ByteWriter, SojournError } from '@sojourn/core'
import type { Bearer, TokenBook } from '@sojourn/server'
import {
  CLIENT_MAGIC,
  CLIENT_PROTOCOL,
  CLIENT_VERSION,
  type FromClient,
  type FromServer,
  type Join,
  readFromClient,
  readFromServer,
  writeFromClient,
  writeFromServer,
} from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { hex } from '../support/hostile-peer.js'
import { seeded } from '../support/seeded.js'
import { Gate, Opened, type Served } from '../support/serve.js'
import { until } from '../support/until.js'

const MAX_FRAME_BYTES = 64 * 1024 * 1024
const opened = new Opened()
afterEach(() => opened.close())

const frame = (...said: FromClient[]): Uint8Array => {
  const out = new ByteWriter()
  for (const message of said) writeFromClient(out, message)
  return out.finish()
}

/** The other end of a client's connection, in the hands of a test. */
class Stranger {
  readonly socket: WebSocket
  readonly heard: FromServer[] = []
  ended: string | undefined

  constructor(url: string, protocol = CLIENT_PROTOCOL) {
    this.socket = new WebSocket(url, protocol, { perMessageDeflate: false })
    this.socket.on('error', () => {})
    this.socket.on('message', (data: Buffer) => this.heard.push(...readFromServer(data, MAX_FRAME_BYTES)))
    this.socket.on('close', (_code, reason) => {
      this.ended = reason.toString()
    })
    opened.add({ close: async () => this.socket.terminate() })
  }

  async open(): Promise<this> {
    await until(() => this.socket.readyState === WebSocket.OPEN || this.ended !== undefined, 'the connection')
    return this
  }

  say(...said: FromClient[]): void {
    this.socket.send(frame(...said))
  }

  async hears<T extends FromServer['type']>(type: T): Promise<FromServer & { type: T }> {
    return (await until(
      () => this.heard.find((message) => message.type === type),
      () => `${type}; the connection ${this.ended === undefined ? 'stands' : `ended: ${this.ended}`}`,
    )) as FromServer & { type: T }
  }

  async isRefused(code: string): Promise<void> {
    await until(() => this.ended !== undefined, `the connection to be refused with ${code}`)
    expect(this.ended).toMatch(new RegExp(`^${code}`))
  }
}

const join = (more: Partial<Join> = {}): Join => ({
  type: 'join',
  magic: CLIENT_MAGIC,
  version: CLIENT_VERSION,
  client: hex(16),
  token: 'any',
  ...more,
})

const joined = async (url: string, more: Partial<Join> = {}): Promise<Stranger> => {
  const stranger = await new Stranger(url).open()
  stranger.say(join(more))
  await stranger.hears('welcome')
  return stranger
}

const direct = ({ listener }: Served): string => `ws://127.0.0.1:${listener.address.port}`

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => expect.unreachable(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SojournError)
      return error
    },
  )

describe('tokens', () => {
  const bookOf = (bearers: Record<string, Bearer>): TokenBook => ({ check: (presented) => bearers[presented] })

  it('[NET-6] who has none that the server knows is not let in', async () => {
    const served = await opened.serve({ tokens: bookOf({ good: { name: 'app', scope: 'write' } }) })
    for (const token of ['bad', '', undefined])
      expect(
        await codeOf(connect({ url: served.url, timeout: '5s', ...(token !== undefined && { token }) })),
      ).toMatchObject({ code: 'TOKEN_REFUSED' })
    await (await opened.connect({ url: served.url, token: 'good' })).create({})
    expect(served.listener.status().totals).toMatchObject({ accepted: 1, refused: { TOKEN_REFUSED: 3 } })
  })

  const CALLS: readonly (readonly [
    scope: Bearer['scope'],
    name: string,
    call: (client: Client) => Promise<unknown>,
  ])[] = [
    ['read', 'get', (client) => client.get('a')],
    ['read', 'count', (client) => client.count()],
    ['write', 'create', (client) => client.create({})],
    ['write', 'update', (client) => client.update('a', { n: 1 })],
    ['write', 'a draft', (client) => client.update('a', (draft) => ({ ...draft, n: 2 }))],
    ['write', 'replace', (client) => client.replace('a', { n: 3 })],
    ['write', 'increment', (client) => client.increment('a', '/n')],
    ['write', 'touch', (client) => client.touch('a')],
    ['write', 'rotate', (client) => client.rotate('b')],
    ['admin', 'sessions', async (client) => void (await client.sessions()[Symbol.asyncIterator]().next())],
    ['write', 'end', (client) => client.end('a')],
    ['admin', 'endAll', (client) => client.endAll()],
  ]

  it.each(['read', 'write', 'admin'] as const)('[NET-6] a token for %s allows that and no more', async (scope) => {
    const { url, replica } = await opened.serve({ tokens: bookOf({ good: { name: 'app', scope } }) })
    await replica.create({ n: 0 }, { id: 'a' })
    await replica.create({ n: 0 }, { id: 'b' })
    const client = await opened.connect({ url, token: 'good' })
    const scopes = ['read', 'write', 'admin']
    const { head } = replica.status()
    for (const [needed, name, call] of CALLS) {
      if (scopes.indexOf(needed) <= scopes.indexOf(scope)) await call(client)
      else expect(await codeOf(call(client)), name).toMatchObject({ code: 'SCOPE_REFUSED' })
    }
    if (scope === 'read') expect(replica.status().head).toBe(head)
    if (scope === 'write') expect(await replica.count()).toBe(2)
  })

  it('[NET-6] tokens can be taken back, and given another scope, while clients are connected', async () => {
    const bearers: Record<string, Bearer> = {
      one: { name: 'one', scope: 'write' },
      other: { name: 'other', scope: 'write' },
    }
    const { url, listener } = await opened.serve({ tokens: bookOf(bearers) })
    const one = await opened.connect({ url, token: 'one' })
    const other = await opened.connect({ url, token: 'other', timeout: 300 })
    bearers.one = { name: 'one', scope: 'read' }
    delete bearers.other
    listener.recheck()
    expect(await codeOf(one.create({}))).toMatchObject({ code: 'SCOPE_REFUSED' })
    await until(() => other.status().url === undefined, 'the other to be shown out')
    const error = (await codeOf(other.create({}))) as SojournError
    expect(['TOKEN_REFUSED', 'UNAVAILABLE']).toContain(error.code)
  })

  it('[NET-6] what one client was answered is not told to another that takes its name with another token', async () => {
    const gate = new Gate()
    const bearers = bookOf({ one: { name: 'one', scope: 'write' }, other: { name: 'other', scope: 'write' } })
    const served = await opened.serve({ tokens: bearers, around: gate.around })
    const client = hex(16)
    const mine = await joined(direct(served), { client, token: 'one' })
    mine.say({ type: 'create', number: 5, data: '{"mine":1}', choices: {} })
    await mine.hears('made')
    const thief = await joined(direct(served), { client, token: 'other' })
    expect((await thief.hears('welcome')).resumes).toBeUndefined()
    thief.say({ type: 'create', number: 5, data: '{"other":1}', choices: {} })
    expect((await thief.hears('made')).data).toBe('{"other":1}')
  })
})

describe('frames that are none', () => {
  const get: FromClient = { type: 'get', number: 1, id: 'a', watch: false, choices: {} }
  const create: FromClient = { type: 'create', number: 1, data: '{}', choices: {} }
  const whole = frame({ type: 'replace', number: 1, id: 'a', base: '{}', next: '{"n":1}', counters: [], choices: {} })

  const BEFORE: readonly (readonly [what: string, bytes: Uint8Array | string, code: string])[] = [
    ['a text', 'hello', 'FRAME_INVALID'],
    ['noise', Uint8Array.of(255, 1, 2), 'FRAME_INVALID'],
    ['a request', frame(get), 'FRAME_UNEXPECTED'],
    ['a ping', frame({ type: 'ping', number: 1 }), 'FRAME_UNEXPECTED'],
    ['somebody else’s magic', frame(join({ magic: 7 })), 'FRAME_INVALID'],
    ['another version', frame(join({ version: 2 })), 'LINK_VERSION'],
    ['a token that is too long', frame(join({ token: 'x'.repeat(1_025) })), 'FRAME_INVALID'],
    [
      'a greeting that is too long',
      frame(join(), { ...create, data: 'x'.repeat(3_000) } as FromClient),
      'FRAME_TOO_LARGE',
    ],
    ['half a greeting', frame(join()).subarray(0, 10), 'FRAME_INVALID'],
  ]
  const AFTER: typeof BEFORE = [
    ['a text', 'hello', 'FRAME_INVALID'],
    ['noise', Uint8Array.of(200, 1, 2), 'FRAME_INVALID'],
    ['a second greeting', frame(join()), 'FRAME_UNEXPECTED'],
    ['half a request', whole.subarray(0, whole.length - 3), 'FRAME_INVALID'],
    ['a request and a rest', Buffer.concat([whole, Uint8Array.of(0)]), 'FRAME_INVALID'],
    ['a mask of fields that are none', Uint8Array.of(...frame(get).subarray(0, -1), 127), 'FRAME_INVALID'],
    ['a list longer than the frame', Uint8Array.of(7, 1, 1, 97, 0, 2, 123, 125, 255, 255, 3), 'FRAME_INVALID'],
    ['an id longer than any', frame({ ...get, id: 'x'.repeat(3_000) } as FromClient), 'FRAME_INVALID'],
    ['a frame that is too large', new Uint8Array(100_001), 'FRAME_TOO_LARGE'],
  ]

  it.each(BEFORE)('[NET-7] %s from a stranger', async (_what, bytes, code) => {
    const served = await opened.serve({ limits: { maxFrameBytes: 100_000 } })
    const stranger = await new Stranger(direct(served)).open()
    stranger.socket.send(bytes)
    await stranger.isRefused(code)
    expect(stranger.heard).toEqual([])
    await until(() => served.listener.status().connections === 0, 'the connection to be gone')
    expect(served.listener.status().totals).toMatchObject({ accepted: 0, refused: { [code]: 1 } })
  })

  it.each(AFTER)(
    '[NET-7] %s from a client: it is shown out, nothing is written, and others do not notice',
    async (_what, bytes, code) => {
      const served = await opened.serve({ limits: { maxFrameBytes: 100_000 } })
      await served.replica.create({ n: 0 }, { id: 'a' })
      const other = await opened.connect({ url: served.url })
      const stranger = await joined(direct(served))
      stranger.socket.send(bytes)
      if (code === 'FRAME_TOO_LARGE') await until(() => stranger.ended !== undefined, 'the connection to be refused')
      else await stranger.isRefused(code)
      await until(() => served.listener.status().connections === 1, 'the connection to be gone')
      expect(served.listener.status().totals.refused).toEqual({ [code]: 1 })
      expect(other.status().totals.connections).toBe(1)
      expect(await other.get('a')).toBeDefined()
    },
  )

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: data that is escaped begins so
  it('[NET-7] data that is none is refused, and the connection stands', async () => {
    const served = await opened.serve()
    await served.replica.create({ n: 0 }, { id: 'a' })
    const { head } = served.replica.status()
    const stranger = await joined(direct(served))
    const bad = ['', '{', '7', '[]', 'null', '$', '${', '$[]', '{"__proto__":1}', '{"a":{"constructor":1}}', '"x"']
    const worse = [
      '${"$date":"x"}',
      '${"a":{"$x":1}}',
      '${"a":{"$":1,"b":2}}',
      `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    ]
    const deep = `$${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
    const all = [...bad, ...worse, deep]
    for (const [index, data] of all.entries()) {
      stranger.say({ type: 'create', number: 2 * index + 1, data, choices: {} })
      stranger.say({ type: 'patch', number: 2 * index + 2, id: 'a', patch: data, choices: {} })
    }
    await until(() => stranger.heard.length === 1 + 2 * all.length, 'the answers')
    for (const answer of stranger.heard.slice(1)) {
      expect(answer.type).toBe('failed')
      expect(['FRAME_INVALID', 'INVALID_DATA']).toContain((answer as { code: string }).code)
    }
    expect(served.replica.status().head).toBe(head)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: data that is escaped begins so

  it('[NET-7] options that are none are refused by the replica, and ids that can be none', async () => {
    const served = await opened.serve()
    const stranger = await joined(direct(served))
    const odd: FromClient[] = [
      { type: 'get', number: 1, id: '', watch: true, choices: {} },
      { type: 'get', number: 2, id: 'a', watch: false, choices: { read: 9 } },
      { type: 'create', number: 3, data: '{}', choices: { idleTimeoutMs: 0 } },
      { type: 'create', number: 4, data: '{}', choices: { maxLifetimeMs: Number.MAX_SAFE_INTEGER } },
      { type: 'end', number: 5, id: 'x'.repeat(600), choices: {} },
      { type: 'increment', number: 6, id: 'a', path: 'n', by: 1, choices: {} },
      { type: 'step', number: 7, walk: 1 },
      { type: 'touch', number: 8, id: 'a', choices: { timeoutMs: Number.MAX_SAFE_INTEGER, write: 0 } },
    ]
    stranger.say(...odd)
    await until(() => stranger.heard.length === 1 + odd.length || stranger.ended, 'the answers')
    expect(stranger.ended).toBeUndefined()
    for (const answer of stranger.heard.slice(1)) expect(['failed', 'none']).toContain(answer.type)
    expect(served.replica.status().head).toBe(0)
  })

  it('[NET-7] random bytes, and good frames with some of them changed, end in a code or an answer, never in a fault', async () => {
    const failures: unknown[] = []
    const served = await opened.serve({ failed: (error) => failures.push(error) })
    const random = seeded(11)
    const good = [whole, frame(get), frame(create), frame({ type: 'endAll', number: 9, choices: { write: 'all' } })]
    for (let round = 0; round < 150; round++) {
      const stranger = await joined(direct(served))
      for (let count = 0; count < 10; count++) {
        const bytes = round % 2 ? random.bytes(random.below(60)) : Uint8Array.from(good[random.below(good.length)]!)
        if (round % 2 === 0) bytes[random.below(bytes.length)] = random.below(256)
        stranger.socket.send(bytes)
      }
      stranger.say({ type: 'ping', number: 1 })
      await until(() => stranger.ended !== undefined || stranger.heard.some(({ type }) => type === 'pong'), 'an end')
      stranger.socket.terminate()
    }
    expect(failures).toEqual([])
    await until(() => served.listener.status().connections === 0, 'all to be gone')
    await (await opened.connect({ url: served.url })).create({})
  })

  it('[NET-7] a server that says what is none is left, and the call fails with a code', async () => {
    const said: Uint8Array[] = [
      Uint8Array.of(255),
      serverFrame(
        { type: 'none', number: 1 },
        { type: 'found', number: 1, watched: false, createdAt: 1, expiresAt: 2, data: '' },
      ),
      serverFrame({ type: 'pong', number: 99, clock: 1 }),
      serverFrame(WELCOME),
      serverFrame({ type: 'counted', number: 1, count: 7 }),
    ]
    for (const bytes of said) {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
      await once(server, 'listening')
      opened.add({ close: async () => server.close() })
      server.on('connection', (socket) => {
        socket.on('message', (data: Buffer) => {
          for (const { type } of readFromClient(data, MAX_FRAME_BYTES)) {
            if (type === 'join') socket.send(serverFrame(WELCOME))
            if (type === 'create') socket.send(bytes)
          }
        })
      })
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
      const client = await opened.connect({ url, timeout: 300 })
      const error = (await codeOf(client.create({}))) as SojournError
      expect(['CONNECTION_LOST', 'TIMEOUT', 'FRAME_UNEXPECTED']).toContain(error.code)
      await client.close()
      for (const socket of server.clients) socket.terminate()
    }
  })
})

const serverFrame = (...said: FromServer[]): Uint8Array => {
  const out = new ByteWriter()
  for (const message of said) writeFromServer(out, message)
  return out.finish()
}

const WELCOME: FromServer = {
  type: 'welcome',
  version: CLIENT_VERSION,
  server: '0'.repeat(32),
  region: 'eu',
  resumes: undefined,
  maxInFlight: 10,
  maxFrameBytes: 1_000_000,
}

describe('bounds', () => {
  it('[NET-8] calls in flight: one more is refused with OVERLOADED by the client, and by the server', async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around, limits: { maxInFlight: 5 } })
    const client = await opened.connect({ url: served.url, limits: { maxInFlight: 3 } })
    const other = await opened.connect({ url: served.url })
    gate.shut()
    for (const [asker, limit] of [
      [client, 3],
      [other, 5],
    ] as const) {
      const calls = Array.from({ length: limit }, () => asker.create({}))
      expect(await codeOf(asker.create({}))).toMatchObject({ code: 'OVERLOADED', limit })
      await until(() => gate.held === limit, 'the calls to be under way')
      gate.open()
      await Promise.all(calls)
      gate.shut()
    }
    const stranger = await joined(direct(served))
    stranger.say(
      ...Array.from({ length: 8 }, (_, n): FromClient => ({ type: 'create', number: n + 1, data: '{}', choices: {} })),
    )
    await until(() => stranger.heard.length === 4, 'three refusals')
    for (const answer of stranger.heard.slice(1)) expect(answer).toMatchObject({ type: 'failed', code: 'OVERLOADED' })
    gate.open()
    await until(() => stranger.heard.length === 9, 'the answers')
    expect(await served.replica.count()).toBe(13)
  })

  it('[NET-8] a request that fits into no frame is refused, and the connection stands', async () => {
    const { url } = await opened.serve({ limits: { maxFrameBytes: 200_000 } })
    const client = await opened.connect({ url })
    expect(await codeOf(client.create({ text: 'x'.repeat(200_000) }))).toMatchObject({ code: 'SESSION_TOO_LARGE' })
    expect(await codeOf(client.create({ text: 'é'.repeat(90_000) }))).toMatchObject({ code: 'SESSION_TOO_LARGE' })
    await client.create({ text: 'x'.repeat(50_000) })
    expect(client.status().totals.connections).toBe(1)
  })

  it('[NET-8] connections, and those of which nobody knows who it is', async () => {
    const served = await opened.serve({ limits: { maxConnections: 3, maxHandshakes: 2, maxSilenceMs: 100 } })
    const silent = await Promise.all([new Stranger(direct(served)).open(), new Stranger(direct(served)).open()])
    const third = await new Stranger(direct(served)).open()
    await third.isRefused('OVERLOADED')
    for (const stranger of silent) await stranger.isRefused('LINK_TIMEOUT')
    const known = [await joined(direct(served)), await joined(direct(served)), await joined(direct(served))]
    await (await new Stranger(direct(served)).open()).isRefused('OVERLOADED')
    // Nor is a client that was let in waited for for ever.
    for (const stranger of known) await stranger.isRefused('LINK_TIMEOUT')
  })

  it('[NET-8] answers that are remembered, by count and by bytes; a write that is forgotten is not done again', async () => {
    const served = await opened.serve({ limits: { maxRemembered: 10, maxRememberedBytes: 2_000 } })
    const client = hex(16)
    const stranger = await joined(direct(served), { client })
    const create = (number: number, text = ''): FromClient => ({
      type: 'create',
      number,
      data: JSON.stringify({ text }),
      choices: {},
    })
    for (let number = 1; number <= 50; number++) stranger.say(create(number))
    await until(() => stranger.heard.length === 51, 'the answers')
    expect(served.listener.status().remembered).toBe(10)
    stranger.say(create(51, 'x'.repeat(1_500)), create(52, 'x'.repeat(1_500)))
    await until(() => stranger.heard.length === 53, 'the answers')
    expect(served.listener.status().remembered).toBe(1)
    const again = await joined(direct(served), { client })
    expect(await again.hears('welcome')).toMatchObject({ resumes: 52 })
    again.say(create(52), create(7))
    await until(() => again.heard.length === 3, 'the answers')
    expect(again.heard[1]).toEqual(stranger.heard.at(-1))
    expect(again.heard[2]).toMatchObject({ type: 'failed', code: 'CONNECTION_LOST', details: { mayHaveApplied: true } })
    expect(await served.replica.count()).toBe(52)
  })

  it('[NET-8] clients that are away, of which answers are remembered', async () => {
    const served = await opened.serve({ limits: { maxAwayClients: 4 } })
    for (let n = 0; n < 12; n++) {
      const stranger = await joined(direct(served))
      stranger.say({ type: 'create', number: 1, data: '{}', choices: {} })
      await stranger.hears('made')
      stranger.socket.terminate()
      await until(() => served.listener.status().connections === 0, 'the end')
    }
    expect(served.listener.status().remembered).toBe(4)
  })

  it('[NET-8] walks over all sessions', async () => {
    const served = await opened.serve({ limits: { maxWalks: 2 } })
    for (let n = 0; n < 300; n++) await served.replica.create({ n })
    const client = await opened.connect({ url: served.url })
    const [one, two, three] = [client.sessions(), client.sessions(), client.sessions()].map((all) =>
      all[Symbol.asyncIterator](),
    )
    await one!.next()
    await two!.next()
    expect(await codeOf(three!.next())).toMatchObject({ code: 'OVERLOADED', limit: 2 })
    // Who leaves one makes room for another.
    await one!.return!()
    let count = 0
    for await (const _ of client.sessions()) count++
    expect(count).toBe(300)
  })

  it.each([
    ['all at once', 3_000],
    ['little by little', 50],
  ])(
    '[NET-8] answers that a client does not read, asked for %s: its requests wait, unread, and the memory of the server does not grow',
    async (_how, atOnce) => {
      const served = await opened.serve({ limits: { maxBufferedBytes: 100_000 } })
      await served.replica.create({ text: 'x'.repeat(50_000) }, { id: 'a' })
      const other = await opened.connect({ url: served.url })
      const stranger = await joined(direct(served))
      stranger.socket.pause()
      const wanted = 3_000
      for (let number = 1; number <= wanted; number++) {
        stranger.say({ type: 'get', number, id: 'a', watch: false, choices: {} })
        if (number % atOnce === 0) await other.get('unknown')
      }
      const sent = () => served.listener.status().totals.bytesOut
      let before = -1
      await until(async () => {
        // Others are served meanwhile.
        for (let n = 0; n < 50; n++) await other.get('unknown')
        const isStill = sent() - before < 10_000 && sent() > 100_000
        before = sent()
        return isStill
      }, 'the server to pause')
      // All answers would be 150 MB; the buffers of the system take some of them, by default up to 36 MB.
      expect(sent()).toBeLessThan(75_000_000)
      stranger.socket.resume()
      await until(() => stranger.heard.length === wanted + 1, 'the answers')
    },
  )
})
