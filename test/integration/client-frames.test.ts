import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { ByteWriter, type SojournError } from '@sojourn/core/internal'
import {
  CLIENT_DIALECT,
  CLIENT_MAGIC,
  encodeData,
  type FromClient,
  type FromServer,
  readFromClient,
  writeFromServer,
} from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { Caller, direct, frame, join, joined, MAX_FRAME_BYTES, NOTHING } from '../support/hostile-client.js'
import { array, bin, HOSTILE_DATA, HOSTILE_VALUES } from '../support/hostile-values.js'
import { codeOf } from '../support/refusal.js'
import { seeded } from '../support/seeded.js'
import { Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const serverFrame = (...said: FromServer[]): Uint8Array => {
  const out = new ByteWriter()
  for (const message of said) writeFromServer(out, message)
  return out.finish()
}

const WELCOME: FromServer = {
  type: 'welcome',
  version: CLIENT_DIALECT.newest,
  capabilities: [],
  server: '0'.repeat(32),
  region: 'eu',
  resumes: undefined,
  maxInFlight: 10,
  maxFrameBytes: 1_000_000,
  idleTimeoutMs: 1_800_000,
  maxLifetimeMs: 2_592_000_000,
  atomic: [],
}

describe('frames that are none', () => {
  const get: FromClient = { type: 'get', number: 1, id: 'a', watch: false, choices: {} }
  const create: FromClient = { type: 'create', number: 1, data: NOTHING, choices: {} }
  const whole = frame({
    type: 'replace',
    number: 1,
    id: 'a',
    base: NOTHING,
    next: encodeData({ n: 1 }),
    counters: [],
    choices: {},
  })

  const elevation = (choices: object): Uint8Array =>
    frame({ type: 'elevate', number: 1, id: 'a', subject: 'ada', choices } as FromClient)

  const BEFORE: readonly (readonly [what: string, bytes: Uint8Array | string, code: string])[] = [
    ['a text', 'hello', 'FRAME_INVALID'],
    ['noise', Uint8Array.of(255, 1, 2), 'FRAME_INVALID'],
    ['a request', frame(get), 'FRAME_UNEXPECTED'],
    ['a ping', frame({ type: 'ping', number: 1 }), 'FRAME_UNEXPECTED'],
    ['somebody else’s magic', frame(join({ magic: 7 })), 'FRAME_INVALID'],
    ['a later version', frame(join({ min: 7, max: 9 })), 'LINK_VERSION'],
    ['versions that are none', frame(join({ min: 9, max: 7 })), 'LINK_VERSION'],
    ['many capabilities', frame(join({ capabilities: Array(17).fill('x') })), 'FRAME_INVALID'],
    ['a token that is too long', frame(join({ token: 'x'.repeat(1_025) })), 'FRAME_INVALID'],
    [
      'a greeting that is too long',
      frame(join(), { ...create, data: Buffer.alloc(3_000) } as FromClient),
      'FRAME_TOO_LARGE',
    ],
    ['half a greeting', frame(join()).subarray(0, 10), 'FRAME_INVALID'],
    ...HOSTILE_VALUES.filter(({ bytes }) => bytes.length < 2_000).map(({ what, bytes }): (typeof BEFORE)[number] => [
      `${what} for a version`,
      array(1, CLIENT_MAGIC, 1, bytes, array(), 0, bin(...Buffer.alloc(16))),
      'FRAME_INVALID',
    ]),
  ]
  const AFTER: typeof BEFORE = [
    ['a text', 'hello', 'FRAME_INVALID'],
    ['noise', Uint8Array.of(200, 1, 2), 'FRAME_INVALID'],
    ['no message', Uint8Array.of(0xc0), 'FRAME_INVALID'],
    ['a second greeting', frame(join()), 'FRAME_UNEXPECTED'],
    ['half a request', whole.subarray(0, whole.length - 3), 'FRAME_INVALID'],
    ['a request and a rest', Buffer.concat([whole, Uint8Array.of(0)]), 'FRAME_INVALID'],
    ['a message with a field more', array(4, 1, 1, false, array(), 0, bin(97)), 'FRAME_INVALID'],
    ['a message with a field less', array(4, 1, 1, false, bin(97)), 'FRAME_INVALID'],
    ['a choice that is none', array(4, 1, 1, false, array(0, 5, 1), bin(97)), 'FRAME_INVALID'],
    ['a choice that is left out and mentioned', array(4, 1, 1, false, array(0, null), bin(97)), 'FRAME_INVALID'],
    ['a type that is none', array(99), 'FRAME_INVALID'],
    ['bytes that no field has', array(2, 1, bin(97)), 'FRAME_INVALID'],
    ['bytes that are empty', array(2, 1, bin()), 'FRAME_INVALID'],
    ['fewer bytes than a field has', array(4, 1, 2, false, array(), bin(97)), 'FRAME_INVALID'],
    ['more bytes than a field has', array(4, 1, 1, false, array(), bin(97, 97)), 'FRAME_INVALID'],
    ['a text that is no UTF-8', array(4, 1, 2, false, array(), bin(0xc3, 0x28)), 'FRAME_INVALID'],
    ['a text with half a surrogate pair', array(4, 1, 3, false, array(), bin(0xed, 0xa0, 0x80)), 'FRAME_INVALID'],
    [
      'a list that is longer than the frame',
      array(7, 1, 1, null, 1, Buffer.of(0xdd, 255, 255, 255, 3)),
      'FRAME_INVALID',
    ],
    [
      'more atomic subtrees than are allowed',
      frame({ ...create, choices: { atomic: Array(65).fill('/a') } } as FromClient),
      'FRAME_INVALID',
    ],
    [
      'more assigned objects than are allowed',
      frame({
        type: 'replace',
        number: 1,
        id: 'a',
        base: undefined,
        next: NOTHING,
        counters: [],
        choices: { assigned: Array(1_025).fill('/a') },
      }),
      'FRAME_INVALID',
    ],
    ['a handle that is cut off', array(18, 1, bin(...Buffer.alloc(15))), 'FRAME_INVALID'],
    ['a handle with a byte more', array(18, 1, bin(...Buffer.alloc(17))), 'FRAME_INVALID'],
    ['a login without a subject', array(17, 1, 1, array(), bin(97)), 'FRAME_INVALID'],
    [
      'a subject longer than any',
      frame({ type: 'sessionsOf', number: 1, subject: 'x'.repeat(1_025) }),
      'FRAME_INVALID',
    ],
    ['a device longer than any', elevation({ device: 'x'.repeat(257) }), 'FRAME_INVALID'],
    ['an authentication class longer than any', elevation({ auth: { acr: 'x'.repeat(257) } }), 'FRAME_INVALID'],
    ['a method longer than any', elevation({ auth: { amr: ['x'.repeat(65)] } }), 'FRAME_INVALID'],
    ['more methods than there are', elevation({ auth: { amr: Array(17).fill('pwd') as string[] } }), 'FRAME_INVALID'],
    ['a time that is none', array(17, 1, 1, 1, array(0, null, null, array(-1)), bin(97, 98)), 'FRAME_INVALID'],
    ['a write that is too long', frame({ ...get, choices: { after: 'x'.repeat(65) } } as FromClient), 'FRAME_INVALID'],
    [
      'more handles than may live on',
      frame({ type: 'endSubject', number: 1, subject: 'ada', choices: { except: Array(257).fill('0'.repeat(32)) } }),
      'FRAME_INVALID',
    ],
    ['a reason that is none', array(19, 1, array(null, null, 9), bin(...Buffer.alloc(16))), 'FRAME_INVALID'],
    ...HOSTILE_VALUES.map(({ what, bytes }): (typeof BEFORE)[number] => [
      `${what} for a grace`,
      array(11, 1, 1, array(null, null, bytes), bin(97)),
      'FRAME_INVALID',
    ]),
    ...HOSTILE_VALUES.map(({ what, bytes }): (typeof BEFORE)[number] => [
      `${what} for a subject`,
      array(22, 1, bytes, bin(97)),
      'FRAME_INVALID',
    ]),
    ...HOSTILE_VALUES.map(({ what, bytes }): (typeof BEFORE)[number] => [
      `${what} for a number`,
      array(2, bytes),
      'FRAME_INVALID',
    ]),
    ...HOSTILE_VALUES.map(({ what, bytes }): (typeof BEFORE)[number] => [
      `${what} for an id`,
      array(4, 1, bytes, false, array(), bin(97)),
      'FRAME_INVALID',
    ]),
    ['an id longer than any', frame({ ...get, id: 'x'.repeat(3_000) } as FromClient), 'FRAME_INVALID'],
    ['a frame that is too large', new Uint8Array(100_001), 'FRAME_TOO_LARGE'],
  ]

  it.each(BEFORE)('[NET-7] %s from an unauthenticated caller', async (_what, bytes, code) => {
    const served = await opened.serve({ limits: { maxFrameBytes: 100_000 } })
    const caller = await new Caller(direct(served)).open()
    caller.socket.send(bytes)
    await caller.isRefused(code)
    expect(caller.heard).toEqual([])
    await until(() => served.listener.status().connections === 0, 'the connection to be gone')
    expect(served.listener.status().totals).toMatchObject({ accepted: 0, refused: { [code]: 1 } })
  })

  it.each(AFTER)(
    '[NET-7] %s from a client: it is shown out, nothing is written, and others do not notice',
    async (_what, bytes, code) => {
      const served = await opened.serve({ limits: { maxFrameBytes: 100_000 } })
      await served.replica.create({ n: 0 }, { id: 'a' })
      const other = await opened.connect({ url: served.url })
      const caller = await joined(direct(served))
      caller.socket.send(bytes)
      if (code === 'FRAME_TOO_LARGE') await until(() => caller.ended !== undefined, 'the connection to be refused')
      else await caller.isRefused(code)
      await until(() => served.listener.status().connections === 1, 'the connection to be gone')
      expect(served.listener.status().totals.refused).toEqual({ [code]: 1 })
      expect(other.status().totals.connections).toBe(1)
      expect(await other.get('a')).toBeDefined()
    },
  )

  it('[NET-7] data that is none is refused, and the connection stands', async () => {
    const served = await opened.serve()
    await served.replica.create({ n: 0 }, { id: 'a' })
    const { head } = served.replica.status()
    const caller = await joined(direct(served))
    const all = HOSTILE_DATA.map(({ bytes }) => bytes)
    for (const [index, data] of all.entries()) {
      caller.say({ type: 'create', number: 2 * index + 1, data, choices: {} })
      caller.say({ type: 'patch', number: 2 * index + 2, id: 'a', patch: data, choices: {} })
    }
    await until(() => caller.heard.length === 1 + 2 * all.length, 'the answers')
    for (const answer of caller.heard.slice(1)) {
      expect(answer.type).toBe('failed')
      expect(['FRAME_INVALID', 'INVALID_DATA']).toContain((answer as { code: string }).code)
    }
    expect(served.replica.status().head).toBe(head)
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  it('[NET-7] options that are none are refused by the replica, and ids that can be none', async () => {
    const served = await opened.serve()
    const caller = await joined(direct(served))
    const odd: FromClient[] = [
      { type: 'get', number: 1, id: '', watch: true, choices: {} },
      { type: 'get', number: 2, id: 'a', watch: false, choices: { read: 9 } },
      { type: 'create', number: 3, data: NOTHING, choices: { idleTimeoutMs: 0 } },
      { type: 'create', number: 4, data: NOTHING, choices: { maxLifetimeMs: Number.MAX_SAFE_INTEGER } },
      { type: 'end', number: 5, id: 'x'.repeat(600), choices: {} },
      { type: 'increment', number: 6, id: 'a', path: 'n', by: 1, choices: {} },
      { type: 'step', number: 7, scan: 1 },
      { type: 'touch', number: 8, id: 'a', choices: { timeoutMs: Number.MAX_SAFE_INTEGER, write: 0 } },
      { type: 'elevate', number: 9, id: 'a', subject: '', choices: {} },
      { type: 'elevate', number: 10, id: '', subject: 'ada', choices: {} },
      { type: 'endSubject', number: 11, subject: 'x'.repeat(300), choices: {} },
      { type: 'sessionsOf', number: 12, subject: '' },
      { type: 'stepOf', number: 13, scan: 12 },
      { type: 'endOthers', number: 14, id: 'x'.repeat(600), choices: {} },
      { type: 'create', number: 15, data: NOTHING, choices: { subject: '', device: '', auth: { acr: '' } } },
      { type: 'create', number: 16, data: NOTHING, choices: { auth: { time: Number.MAX_SAFE_INTEGER } } },
      { type: 'rotate', number: 17, id: 'a', choices: { graceMs: Number.MAX_SAFE_INTEGER } },
      { type: 'get', number: 18, id: 'a', watch: true, choices: { after: 'no token' } },
      { type: 'get', number: 19, id: 'a', watch: true, choices: { after: `${'0'.repeat(32)}.zzzzzzzzzzz` } },
    ]
    caller.say(...odd)
    await until(() => caller.heard.length === 1 + odd.length || caller.ended, 'the answers')
    expect(caller.ended).toBeUndefined()
    for (const answer of caller.heard.slice(1)) expect(['failed', 'none']).toContain(answer.type)
    expect(served.replica.status().head).toBe(0)
  })

  it('[NET-7] random bytes, and good frames with some of them changed, end in a code or an answer, never in a fault', async () => {
    const failures: unknown[] = []
    const served = await opened.serve({ failed: (error) => failures.push(error) })
    const random = seeded(11)
    const good = [
      whole,
      frame(get),
      frame(create),
      frame({ type: 'endAll', number: 9, choices: { write: 'all' } }),
      elevation({ device: 'phone', auth: { time: 5, amr: ['pwd'] } }),
      frame({ type: 'endSubject', number: 9, subject: 'ada', choices: { except: ['0'.repeat(32)] } }),
      frame({ type: 'sessionsOf', number: 9, subject: 'ada' }),
    ]
    for (let round = 0; round < 150; round++) {
      const caller = await joined(direct(served))
      for (let count = 0; count < 10; count++) {
        const bytes = round % 2 ? random.bytes(random.below(60)) : Uint8Array.from(good[random.below(good.length)]!)
        if (round % 2 === 0) bytes[random.below(bytes.length)] = random.below(256)
        caller.socket.send(bytes)
      }
      caller.say({ type: 'ping', number: 1 })
      await until(() => caller.ended !== undefined || caller.heard.some(({ type }) => type === 'pong'), 'an end')
      caller.socket.terminate()
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
        { type: 'found', number: 1, watched: false, createdAt: 1, expiresAt: 2, data: new Uint8Array(0), objects: [] },
      ),
      serverFrame({ type: 'pong', number: 99, clock: 1 }),
      serverFrame(WELCOME),
      serverFrame({ type: 'counted', number: 1, count: 7 }),
      serverFrame({ type: 'receipt', number: 1, ended: 1, regions: [] }),
      serverFrame({ type: 'pageOf', number: 1, sessions: [], isLast: true }),
      serverFrame({ type: 'receipt', number: 1, ended: 1, regions: Array(1_025).fill({ region: 'eu', isHeld: true }) }),
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

  it('[NET-7] a call that ends connection after connection by a refused frame is given up, long before its time is over', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    opened.add({ close: async () => server.close() })
    let connections = 0
    server.on('connection', (socket) => {
      connections++
      socket.on('message', (data: Buffer) => {
        for (const { type } of readFromClient(data, MAX_FRAME_BYTES)) {
          // It remembers what it answered, so the client asks again.
          if (type === 'join') socket.send(serverFrame({ ...WELCOME, resumes: 0 } as FromServer))
          if (type === 'get') socket.send(Uint8Array.of(255))
        }
      })
    })
    const client = await opened.connect({
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeout: '1m',
      connection: { maxReconnectDelay: 10 },
    })
    expect(((await codeOf(client.get('a'))) as SojournError).code).toBe('CONNECTION_LOST')
    expect(connections).toBe(3)
    await client.close()
    for (const socket of server.clients) socket.terminate()
  })

  it('[NET-7] a client says what is wrong with a frame that is none of the protocol', async () => {
    for (const [bytes, why] of [
      ['hello', 'FRAME_INVALID: a text frame'],
      [new Uint8Array(100_001), 'FRAME_TOO_LARGE: Max payload size exceeded'],
    ] as const) {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
      await once(server, 'listening')
      opened.add({ close: async () => server.close() })
      server.on('connection', (socket) => {
        socket.on('error', () => {})
        socket.on('message', (data: Buffer) => {
          const said = [...readFromClient(data, MAX_FRAME_BYTES)].map(({ type }) => type)
          if (said.includes('join')) socket.send(serverFrame(WELCOME))
          if (said.includes('ping')) socket.send(bytes)
        })
      })
      const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
      const ends: (string | undefined)[] = []
      const client = await opened.connect({
        url,
        limits: { maxFrameBytes: 100_000 },
        linkChanged: ({ state, why: ended }) => {
          if (state === 'down') ends.push(ended)
        },
      })
      await until(() => ends.length > 0, 'the connection to end')
      expect(ends[0]).toBe(why)
      await client.close()
      for (const socket of server.clients) socket.terminate()
    }
  })
})
