import { createHash, randomBytes } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import {
  type Change,
  type ChangeDelta,
  EMPTY_FOLD,
  encodeChange,
  encodeRecord,
  type LiveRecord,
  mutate,
  openLease,
  sessionKey,
} from '@sojourn/core'
import { type LinkChange, openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { encodeItem, encodeMessage, type Item, LINK_MAGIC, type Message, prove } from '@sojourn/wire'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import {
  attend,
  authenticate,
  connect,
  greeting,
  hex,
  linkAs,
  type Peer,
  type Stranger,
} from '../support/hostile-peer.js'
import { contents, SECRET } from '../support/region.js'
import { until } from '../support/until.js'

/** Region `a` is attacked by who pretends to be `b`, or nobody; `c` is honest and linked. */
const MAX_FRAME_BYTES = 256 * 1024
const ID = 'a session that is there all the time'

let a: Replica
let c: Replica
let changes: LinkChange[]

const open = (region: string, more: Partial<ReplicaOptions> = {}) =>
  openReplica({
    location: ':memory:',
    secret: SECRET,
    links: { heartbeat: 50, timeout: '10s', maxReconnectDelay: 100, digestInterval: '1h' },
    peers: {},
    ...more,
    region,
  })

const openBoth = async (more: Partial<ReplicaOptions> = {}) => {
  a = await open('a', {
    listen: { port: 0 },
    peers: { b: null, c: null },
    limits: { maxFrameBytes: MAX_FRAME_BYTES, maxRecordBytes: 64 * 1024 },
    ...more,
  })
  c = await open('c', { peers: { a: `ws://127.0.0.1:${a.address!.port}`, b: null } })
  changes = []
  a.on('link', (change) => changes.push(change))
  await a.create({ user: 'u1', cart: { x: 1 }, n: 1 }, { id: ID })
  await until(() => a.status().links.c?.state === 'live' && c.get(ID), 'the honest link')
}

beforeEach(() => openBoth())
afterEach(async () => {
  await Promise.all([a.close(), c.close()])
})

const snapshot = async () => {
  const { head, vector, tombstones, recentBytes } = a.status()
  return { ...(await contents(a)), head, vector, tombstones, recentBytes }
}

/** The replica says no with a code, nothing is changed by it, and everybody else is served. */
const expectRefusal = async (
  stranger: Stranger,
  codes: string | readonly string[],
  act: () => unknown,
  before?: unknown,
) => {
  const wanted = [codes].flat()
  const held = before ?? (await snapshot())
  const seen = changes.length
  const refused = { ...a.status().totals.refused }
  await act()
  const change = await until(
    () => changes.slice(seen).find(({ region, state }) => region !== 'c' && (state === 'refused' || state === 'down')),
    () => `${wanted} from the replica; the connection ${stranger.ended ? `ended: ${stranger.ended.reason}` : 'stands'}`,
  )
  expect(wanted, `${change.why}`).toContain(change.code)
  expect(a.status().totals.refused[change.code!]).toBe((refused[change.code!] ?? 0) + 1)
  await until(() => stranger.ended, 'the end of the connection')
  expect(await snapshot()).toEqual(held)
  await expectService()
}

const expectService = async () => {
  expect(a.status().links.c!.state).toBe('live')
  const { data } = await a.increment(ID, '/n')
  await until(async () => (await c.get(ID))?.data.n === data.n, 'the honest peer to hear of a write')
}

const helloOf = (feed: string): Message => ({
  type: 'hello',
  feed,
  lineage: [],
  clock: Date.now(),
  vector: [],
  linked: [],
})

/** One of each kind. */
const MESSAGES: readonly Message[] = [
  greeting('b'),
  { type: 'prove', region: 'b', nonce: hex(32), proof: hex(32) },
  { type: 'accept', proof: hex(32) },
  helloOf(hex(16)),
  { type: 'stretch', from: 0, through: 1, mode: 'live', needs: [], holds: [], items: [] },
  { type: 'acks', holdings: [] },
  { type: 'heartbeat', sentAt: 1, echo: 0, echoAge: 0, clock: 0, head: 0, vector: [], linked: [] },
  { type: 'resume', from: 0, linked: [] },
  { type: 'ask', request: 1, key: sessionKey(ID), version: undefined },
  { type: 'tell', request: 1, what: 'none', record: undefined },
  { type: 'want', keys: [sessionKey(ID)] },
  { type: 'records', records: [], absent: [] },
  { type: 'digest', slice: 0, asOf: 0, digest: hex(32) },
  { type: 'versions', slice: 0, asOf: 0, after: '00'.repeat(16), upTo: 'ff'.repeat(16), versions: [] },
]

describe('strangers', () => {
  const say = (what: string, codes: string | readonly string[], frames: () => (Uint8Array | string)[]) =>
    test(`[HOST-1] ${what}`, async () => {
      const stranger = await connect(a)
      await expectRefusal(stranger, codes, () => {
        for (const frame of frames()) stranger.sendBytes(frame)
      })
      // Who is not known is told nothing.
      expect(stranger.received).toEqual([])
    })

  say('random bytes', 'LINK_VERSION', () => [randomBytes(200)])
  say('an empty frame', 'LINK_VERSION', () => [new Uint8Array(0)])
  say('a text frame', 'FRAME_INVALID', () => ['hello'])
  say('many text frames', 'FRAME_INVALID', () => Array.from({ length: 100 }, () => 'hello'))
  say('a truncated greeting', 'LINK_VERSION', () => [encodeMessage(greeting('b')).subarray(0, 30)])
  say('a greeting with bytes behind it', 'LINK_VERSION', () => [
    Buffer.concat([encodeMessage(greeting('b')), Buffer.of(0)]),
  ])
  say('a frame longer than a greeting', 'FRAME_TOO_LARGE', () => [randomBytes(2_000)])
  say('a frame beyond maxFrameBytes', 'FRAME_TOO_LARGE', () => [randomBytes(MAX_FRAME_BYTES + 1)])
  say('another version', 'LINK_VERSION', () => [encodeMessage({ ...greeting('b'), version: 2 })])
  say('another protocol', 'LINK_VERSION', () => [encodeMessage({ ...greeting('b'), magic: LINK_MAGIC + 1 })])
  say('the region itself', 'LINK_REGION', () => [encodeMessage(greeting('a'))])
  say('no member', 'LINK_REGION', () => [encodeMessage(greeting('x'))])
  for (const message of MESSAGES.filter(({ type }) => type !== 'greet'))
    say(`a ${message.type} frame first`, 'FRAME_UNEXPECTED', () => [encodeMessage(message)])

  test('[HOST-1] 300 random first frames', async () => {
    for (let round = 0; round < 300; round += 50) {
      const strangers = await Promise.all(Array.from({ length: 50 }, () => connect(a)))
      for (const stranger of strangers) stranger.sendBytes(randomBytes(1 + Math.floor(Math.random() * 300)))
      await until(() => strangers.every(({ ended }) => ended), 'all to be refused')
      for (const { ended } of strangers) expect(ended!.reason).toMatch(/^(LINK|FRAME)_[A-Z]+: /)
    }
    await expectService()
  })

  test('[HOST-2] a wrong secret', async () => {
    const before = await snapshot()
    const stranger = await connect(a)
    const greet = greeting('b')
    await expectRefusal(
      stranger,
      'LINK_SECRET',
      async () => {
        stranger.send(greet)
        const { nonce } = await stranger.next('prove')
        const transcript = { dialler: { region: 'b', nonce: greet.nonce }, listener: { region: 'a', nonce } }
        stranger.send({ type: 'accept', proof: prove('not the secret of the tests', 'dialler', transcript) })
        stranger.send(helloOf(hex(16)))
      },
      before,
    )
    expect(stranger.received.map(({ type }) => type)).toEqual(['prove'])
  })

  test('[HOST-2] the own proof, reflected', async () => {
    const stranger = await connect(a)
    await expectRefusal(stranger, 'LINK_SECRET', async () => {
      stranger.send(greeting('b'))
      const { proof } = await stranger.next('prove')
      stranger.send({ type: 'accept', proof })
    })
  })

  test('[HOST-2] a handshake that was overheard, replayed', async () => {
    const greet = greeting('b')
    const honest = await connect(a)
    honest.send(greet)
    const { nonce } = await honest.next('prove')
    const transcript = { dialler: { region: 'b', nonce: greet.nonce }, listener: { region: 'a', nonce } }
    const accept: Message = { type: 'accept', proof: prove(SECRET, 'dialler', transcript) }
    honest.send(accept)
    await honest.next('hello')
    honest.socket.terminate()

    const stranger = await connect(a)
    await expectRefusal(stranger, 'LINK_SECRET', async () => {
      stranger.send(greet)
      await stranger.next('prove')
      stranger.send(accept)
    })
  })

  test.each(MESSAGES.filter(({ type }) => type !== 'accept').map((message) => [message.type, message] as const))(
    '[HOST-1] a %s frame in place of the proof',
    async (_type, message) => {
      const stranger = await connect(a)
      await expectRefusal(stranger, 'FRAME_UNEXPECTED', async () => {
        stranger.send(greeting('b'))
        await stranger.next('prove')
        stranger.send(message)
      })
    },
  )

  test.each(MESSAGES.filter(({ type }) => type !== 'hello').map((message) => [message.type, message] as const))(
    '[HOST-1] a %s frame in place of the hello',
    async (_type, message) => {
      const stranger = await authenticate(a, 'b')
      await expectRefusal(stranger, 'FRAME_UNEXPECTED', () => stranger.send(message))
    },
  )

  test('[HOST-1] a malformed hello', async () => {
    for (const bytes of [
      encodeMessage(helloOf(hex(16))).subarray(0, 20),
      Buffer.concat([encodeMessage(helloOf(hex(16))), Buffer.of(1)]),
    ]) {
      const stranger = await authenticate(a, 'b')
      await expectRefusal(stranger, 'FRAME_INVALID', () => stranger.sendBytes(bytes))
    }
  })

  test('[HOST-1] a clock that is off', async () => {
    for (const clock of [0, Date.now() + 60_000, Number.MAX_SAFE_INTEGER]) {
      const stranger = await authenticate(a, 'b')
      await expectRefusal(stranger, 'LINK_SKEW', () => stranger.send({ ...helloOf(hex(16)), clock } as Message))
    }
  })

  test('[HOST-3] codes that a stranger makes up are not counted', async () => {
    const before = a.status().totals.refused
    const strangers: Stranger[] = []
    for (let index = 0; index < 50; index++) {
      const stranger = await connect(a)
      stranger.socket.close(4_000, `MADE_UP_${'ABCDEFGHIJ'[index % 10]}${'ABCDE'[Math.floor(index / 10)]}: hello`)
      strangers.push(stranger)
    }
    await until(() => strangers.every(({ ended }) => ended), 'the connections to end')
    await expectService()
    expect(a.status().totals.refused).toEqual(before)
    expect(changes).toEqual([])
  })

  test('[HOST-3] what is no WebSocket frame', async () => {
    const stranger = await connect(a)
    const socket = (stranger.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket
    // Reserved bits, a reserved opcode, and no mask.
    await expectRefusal(stranger, 'FRAME_INVALID', () => socket.write(Buffer.from('ff05aabbccddee', 'hex')))
  })
})

describe('strangers who take their time', () => {
  beforeEach(async () => {
    await Promise.all([a.close(), c.close()])
    await openBoth({
      links: { heartbeat: 50, timeout: 400, maxReconnectDelay: 100, digestInterval: '1h' },
      limits: { maxHandshakes: 4 },
    })
  })

  test('[HOST-4] silence', async () => {
    const stranger = await connect(a)
    await expectRefusal(stranger, 'LINK_TIMEOUT', () => {})
  })

  test('[HOST-4] silence after the greeting', async () => {
    const stranger = await connect(a)
    await expectRefusal(stranger, 'LINK_TIMEOUT', () => stranger.send(greeting('b')))
  })

  test('[HOST-4] silence after the proof', async () => {
    const stranger = await authenticate(a, 'b')
    await expectRefusal(stranger, 'LINK_TIMEOUT', () => {})
  })

  test('[HOST-4] silence on a link that stands', async () => {
    const peer = await linkAs(a, 'b')
    await until(() => a.status().links.b?.state === 'live', 'the link')
    await expectRefusal(peer, 'LINK_TIMEOUT', () => {})
  })

  test('[HOST-4] a connection without a WebSocket', async () => {
    const started = performance.now()
    const sockets = ['', 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow'].map((text) => {
      const socket = connectTcp(a.address!)
      socket.on('error', () => {})
      if (text) socket.write(text)
      socket.resume()
      return socket
    })
    await until(() => sockets.every(({ destroyed }) => destroyed), 'the connections to be closed')
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test('[HOST-5] more handshakes than limits.maxHandshakes', async () => {
    const strangers = await Promise.all(Array.from({ length: 12 }, () => connect(a)))
    const turnedAway = () => strangers.filter(({ ended }) => ended?.reason.startsWith('OVERLOADED'))
    await until(() => turnedAway().length >= 8, 'those beyond the limit to be turned away')
    await until(() => (a.status().totals.refused.OVERLOADED ?? 0) >= 8, 'them to be counted')
    await until(() => strangers.every(({ ended }) => ended), 'the silent ones to be given up')
    const peer = await linkAs(a, 'b')
    await until(() => a.status().links.b?.state === 'live', 'room for a peer')
    peer.socket.terminate()
    await expectService()
  })
})

describe('who answers when a region dials', () => {
  const answers: [string, string, (stranger: Stranger, greet: Message & { type: 'greet' }) => void][] = [
    ['random bytes', 'FRAME_INVALID', (stranger) => stranger.sendBytes(randomBytes(40))],
    ['text', 'FRAME_INVALID', (stranger) => stranger.sendBytes('hello')],
    ['its own greeting', 'FRAME_UNEXPECTED', (stranger, greet) => stranger.send(greet)],
    ['a hello', 'FRAME_UNEXPECTED', (stranger) => stranger.send(helloOf(hex(16)))],
    [
      'a made-up proof',
      'LINK_SECRET',
      (stranger) => stranger.send({ type: 'prove', region: 'b', nonce: hex(32), proof: hex(32) }),
    ],
    [
      'the name of a third region',
      'LINK_REGION',
      (stranger, greet) => {
        const nonce = hex(32)
        const transcript = {
          dialler: { region: greet.region, nonce: greet.nonce },
          listener: { region: 'c', nonce },
        }
        stranger.send({ type: 'prove', region: 'c', nonce, proof: prove(SECRET, 'listener', transcript) })
      },
    ],
    [
      "a dialler's proof",
      'LINK_SECRET',
      (stranger, greet) => {
        const nonce = hex(32)
        const transcript = {
          dialler: { region: greet.region, nonce: greet.nonce },
          listener: { region: 'b', nonce },
        }
        stranger.send({ type: 'prove', region: 'b', nonce, proof: prove(SECRET, 'dialler', transcript) })
      },
    ],
  ]
  test.each(answers)('[HOST-6] %s', async (_what, code, answer) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await until(() => server.address(), 'the hostile listener')
    let dialled = 0
    server.on('connection', (socket) => {
      dialled++
      const stranger = attend(socket)
      void stranger.next('greet').then(
        (greet) => answer(stranger, greet),
        () => {},
      )
    })
    const { port } = server.address() as { port: number }
    const replica = await open('d', { peers: { b: `ws://127.0.0.1:${port}`, c: null } })
    const seen: LinkChange[] = []
    replica.on('link', (change) => seen.push(change))
    await until(() => seen.length >= 2 && dialled >= 3, 'the region to refuse, and to try again')
    expect(new Set(seen.map(({ state, code: told }) => `${state} ${told}`))).toEqual(new Set([`refused ${code}`]))
    await replica.create({ still: 'serving' })
    await replica.close()
    for (const socket of server.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('a peer that knows the secret', () => {
  const KEY = sessionKey('what the hostile peer makes')
  const ACTOR = hex(16)
  let peer: Peer

  beforeEach(async () => {
    peer = await linkAs(a, 'b')
    await until(() => a.status().links.b?.state === 'live', 'the link')
  })
  afterEach(() => peer.socket.terminate())

  const stretch = (items: readonly Uint8Array[], more: Partial<Message & { type: 'stretch' }> = {}) =>
    peer.send({ type: 'stretch', from: 0, through: 1, mode: 'live', needs: [], holds: [], items, ...more })
  const items = (...list: Item[]) => stretch(list.map(encodeItem))

  const liveRecord = (more: Partial<LiveRecord> = {}, now = Date.now()): LiveRecord => ({
    kind: 'live',
    document: mutate(EMPTY_FOLD, ACTOR, [{ kind: 'set', path: '/by', value: 'b' }])!.fold,
    lease: openLease(60_000, now, ACTOR),
    limit: { createdAt: now, deadline: now + 120_000, horizon: now + 120_000 },
    ...more,
  })
  const record = (more: Partial<LiveRecord> = {}, key = KEY): Item => ({
    type: 'record',
    key,
    record: encodeRecord(liveRecord(more)),
  })
  const change = (more: Partial<Change> = {}, bytes?: (encoded: Uint8Array) => Uint8Array): ChangeDelta => {
    const encoded = encodeChange({
      actor: ACTOR,
      seq: 1,
      startOp: 1,
      deps: [],
      ops: [{ action: 'set', key: '/by', value: 'b', pred: [] }],
      ...more,
    }).bytes
    return { bytes: bytes ? bytes(encoded) : encoded, context: [] }
  }
  const changesOf = (...list: ChangeDelta[]): Item => ({
    type: 'changes',
    key: sessionKey(ID),
    changes: list,
    lease: undefined,
  })
  const refused = (codes: string | readonly string[], act: () => unknown) => expectRefusal(peer, codes, act)

  test.each(
    MESSAGES.filter(({ type }) => ['greet', 'prove', 'accept', 'hello'].includes(type)).map(
      (message) => [message.type, message] as const,
    ),
  )('[HOST-7] a second %s', (_type, message) => refused('FRAME_UNEXPECTED', () => peer.send(message)))

  test.each(MESSAGES.map((message) => [message.type, message] as const))(
    '[HOST-7] every truncation of a %s frame',
    async (_type, message) => {
      const whole = encodeMessage(message)
      // One connection can show one; the codec's property tests show all. Here: the first, the last and one between.
      for (const length of new Set([0, 1, whole.length >> 1, whole.length - 1])) {
        await refused('FRAME_INVALID', () => peer.sendBytes(whole.subarray(0, length)))
        peer = await linkAs(a, 'b')
      }
    },
  )

  test('[HOST-7] bytes behind a frame', () =>
    refused('FRAME_INVALID', () => peer.sendBytes(Buffer.concat([encodeMessage(MESSAGES[5]!), Buffer.of(0)]))))
  test('[HOST-7] an unknown type', () => refused('FRAME_INVALID', () => peer.sendBytes(Buffer.of(99, 0))))
  test('[HOST-7] a text frame', () => refused('FRAME_INVALID', () => peer.sendBytes('hello')))
  test('[HOST-7] a frame beyond maxFrameBytes', () =>
    refused('FRAME_TOO_LARGE', () => peer.sendBytes(randomBytes(MAX_FRAME_BYTES + 1))))
  test('[HOST-7] a list that announces more than the frame holds', () =>
    refused('FRAME_INVALID', () => peer.sendBytes(Buffer.from('0bffffffffffff0f', 'hex'))))
  test('[HOST-7] a clock that jumps', () => refused('LINK_SKEW', () => peer.beat({ clock: Date.now() + 3_600_000 })))
  test('[HOST-7] a stretch that ends before it begins', () =>
    refused('FRAME_INVALID', () => stretch([], { from: 9, through: 3 })))

  test('[HOST-8] an item of random bytes', () => refused('FRAME_INVALID', () => stretch([randomBytes(60)])))
  test('[HOST-8] a truncated item', () =>
    refused('FRAME_INVALID', () => stretch([encodeItem(record()).subarray(0, 20)])))
  test('[HOST-8] a truncated record', () =>
    refused('RECORD_INVALID', () =>
      items({ type: 'record', key: KEY, record: encodeRecord(liveRecord()).subarray(0, -3) }),
    ))
  test('[HOST-8] a record beyond maxRecordBytes', () =>
    refused('RECORD_INVALID', () =>
      items(
        record({
          document: mutate(EMPTY_FOLD, ACTOR, [{ kind: 'set', path: '/by', value: 'x'.repeat(65 * 1024) }])!.fold,
        }),
      ),
    ))
  test('[HOST-8] a good item before a bad one', () =>
    refused(['FRAME_INVALID', 'RECORD_INVALID', 'CHANGE_INVALID'], () =>
      items(record(), changesOf(change({}, (bytes) => bytes.with(20, bytes[20]! ^ 1)))),
    ))
  test('[HOST-8] the key __proto__ in a record', () =>
    refused('RECORD_INVALID', () => {
      const encoded = Buffer.from(encodeRecord(liveRecord({ document: documentAt('/__xroto__') })))
      encoded.write('/__proto__', encoded.indexOf('/__xroto__'))
      items({ type: 'record', key: KEY, record: encoded })
    }))
  const documentAt = (path: string) => mutate(EMPTY_FOLD, ACTOR, [{ kind: 'set', path, value: 1 }])!.fold

  test.each(['/__proto__', '/cart/__proto__', '/constructor', '/a/prototype/b', 'no pointer', '/~2', ''])(
    '[HOST-8] a change of the field %j',
    (key) =>
      refused('CHANGE_INVALID', () => items(changesOf(change({ ops: [{ action: 'set', key, value: 1, pred: [] }] })))),
  )
  test('[HOST-8] a change with a flipped bit', async () => {
    const { length } = change().bytes
    for (const at of [0, 4, 9, 12, length >> 1, length - 1]) {
      await refused('CHANGE_INVALID', () => items(changesOf(change({}, (bytes) => bytes.with(at, bytes[at]! ^ 0x40)))))
      peer = await linkAs(a, 'b')
    }
  })
  test('[HOST-8] a change without operations', () =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ ops: [] })))))
  test('[HOST-8] a change that leaves out a million operation numbers', () =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ startOp: 1_000_000 })))))
  test('[HOST-8] a change that overwrites what nobody wrote', () =>
    refused('CHANGE_INVALID', () =>
      items(
        changesOf(change({ ops: [{ action: 'set', key: '/by', value: 1, pred: [{ counter: 1, actor: hex(16) }] }] })),
      ),
    ))
  test('[HOST-9] a run of a million operations in 64 bytes', async () => {
    // Operations stand in columns of runs: [count, value]. The one key "/by" is repeated a million times over.
    const encoded = Buffer.from(change().bytes)
    const key = encoded.indexOf('/by')
    expect(encoded[key - 1]).toBe(3)
    const started = performance.now()
    await refused('CHANGE_INVALID', () => items(changesOf({ bytes: rleBomb(), context: [] })))
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  /** A change whose columns each say "a million times the same". */
  const rleBomb = (): Uint8Array => {
    const million = [0xc0, 0x84, 0x3d]
    const columns: [number, number[]][] = [
      [0x15, [...million, 3, ...Buffer.from('/by')]],
      [0x34, million],
      [0x42, [...million, 1]],
      [0x56, [...million, 0]],
      [0x70, [...million, 0]],
    ]
    const body = Buffer.concat([
      Buffer.of(0, 16),
      Buffer.from(ACTOR, 'hex'),
      Buffer.of(1, 1, 0, 0, 0, columns.length),
      Buffer.from(columns.flatMap(([specification, bytes]) => [specification, bytes.length])),
      Buffer.from(columns.flatMap(([, bytes]) => bytes)),
    ])
    return withChecksum(Buffer.concat([Buffer.of(1, body.length), body]))
  }
  const withChecksum = (hashed: Uint8Array): Uint8Array =>
    Buffer.concat([Buffer.from('856f4a83', 'hex'), createHash('sha256').update(hashed).digest().subarray(0, 4), hashed])

  test('[HOST-9] a compressed change', () =>
    refused('CHANGE_INVALID', () =>
      items(changesOf({ bytes: withChecksum(Buffer.concat([Buffer.of(2, 100), randomBytes(100)])), context: [] })),
    ))

  test('[HOST-10] a lease from the far future', async () => {
    const lease = openLease(60_000, Date.now() + 30 * 86_400_000, ACTOR)
    await refused('FRAME_INVALID', () => items({ type: 'lease', key: sessionKey(ID), lease }))
    peer = await linkAs(a, 'b')
    await refused('FRAME_INVALID', () => items(record({ lease })))
  })
})
