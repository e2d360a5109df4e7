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
import { seeded } from '../support/seeded.js'
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
  // How far the honest peer's feed is held moves by itself.
  const others = Object.entries(vector).filter(([feed]) => feed !== c.status().replica)
  return { ...(await contents(a)), head, vector: others, tombstones, recentBytes }
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
  walked: [],
  linked: [],
})

/** One of each kind. */
const MESSAGES: readonly Message[] = [
  greeting('b'),
  { type: 'prove', region: 'b', nonce: hex(32), proof: hex(32) },
  { type: 'accept', proof: hex(32) },
  helloOf(hex(16)),
  { type: 'stretch', epoch: 0, from: 0, through: 1, mode: 'live', needs: [], holds: [], items: [] },
  { type: 'acks', holdings: [] },
  { type: 'heartbeat', sentAt: 1, echo: 0, echoAge: 0, clock: 0, head: 0, vector: [], linked: [] },
  { type: 'resume', epoch: 1, from: 0, linked: [] },
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
    const random = seeded(1)
    for (let round = 0; round < 300; round += 50) {
      const strangers = await Promise.all(Array.from({ length: 50 }, () => connect(a)))
      for (const stranger of strangers) stranger.sendBytes(random.bytes(1 + random.below(300)))
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
    expect(changes.filter(({ region }) => region !== 'c')).toEqual([])
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
    peer.send({ type: 'stretch', epoch: 0, from: 0, through: 1, mode: 'live', needs: [], holds: [], items, ...more })
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

  // A number at the end of its range must not get in: the next one, made here, could be neither stored nor sent.
  const goOn = async (id: string, by: string) => {
    await a.update(id, { by })
    await a.touch(id, { idleTimeout: '2h' })
    await until(async () => (await c.get(id))?.data.by === by, 'the honest peer to get what was built on it')
  }
  const refusedOrHarmless = async (item: Item, id: string) => {
    items(item)
    await until(() => peer.ended || a.status().vector[peer.feed] === 1, 'the item to be refused, or to be taken in')
    if (peer.ended) expect(peer.ended.reason).toMatch(/^(FRAME|RECORD|CHANGE)_INVALID/)
    if (await a.get(id)) await goOn(id, 'a')
    await expectService()
  }
  const MAX = Number.MAX_SAFE_INTEGER

  test('[HOST-10] a lease whose stamp cannot be followed', () => {
    const stamp = { time: Date.now() + 3_600_000, count: MAX, actor: ACTOR }
    const lease = { stamp, idleTimeoutMs: 60_000, deadline: Date.now() + 60_000, horizon: Date.now() + 60_000 }
    return refusedOrHarmless({ type: 'lease', key: sessionKey(ID), lease }, ID)
  })
  test('[HOST-10] a lease with an idle timeout that cannot be added to the time', () => {
    const stamp = { time: Date.now(), count: 1, actor: ACTOR }
    const lease = { stamp, idleTimeoutMs: MAX, deadline: Date.now() + 60_000, horizon: Date.now() + 60_000 }
    return refusedOrHarmless({ type: 'lease', key: sessionKey(ID), lease }, ID)
  })
  test.each([
    [MAX, 1],
    [1, MAX],
    [MAX, MAX],
    [2 ** 32, 2 ** 32],
  ])('[HOST-10] a record whose writer is at change %d, operation %d', (seq, maxOp) => {
    const id = 'what the hostile peer makes'
    const { document } = liveRecord()
    return refusedOrHarmless(record({ document: { ...document, seen: new Map([[ACTOR, { seq, maxOp }]]) } }), id)
  })
  test('[HOST-10] a session that outlives every limit', async () => {
    const limit = { createdAt: Date.now(), deadline: MAX, horizon: MAX }
    const lease = {
      stamp: { time: Date.now(), count: 0, actor: ACTOR },
      idleTimeoutMs: 60_000,
      deadline: MAX,
      horizon: MAX,
    }
    await refusedOrHarmless(record({ limit, lease }), 'what the hostile peer makes')
  })
  test('[HOST-10] a tombstone for ever', async () => {
    const end = { reason: 'logout' as const, stamp: { time: MAX, count: MAX, actor: ACTOR }, horizon: MAX }
    await refusedOrHarmless({ type: 'end', key: KEY, end }, 'what the hostile peer makes')
  })

  describe('acknowledges what it does not hold', () => {
    const lie = (how: string, act: (through: number) => Promise<Stranger>) =>
      test(`[HOST-11] ${how}`, async () => {
        const { ended } = await act(a.status().head + 1_000)
        expect(ended!.reason).toMatch(/^FRAME_INVALID/)
        // With c and the liar gone, nobody can acknowledge.
        await c.close()
        await until(() => a.status().links.c!.state === 'down', 'the honest peer to be gone')
        await expect(a.increment(ID, '/n', 1, { write: 'majority', timeout: 200 })).rejects.toMatchObject({
          code: 'QUORUM_UNMET',
          got: 1,
        })
      })
    const holding = (through: number, region = 'b') => ({
      region,
      holder: peer.feed,
      feed: a.status().replica,
      through,
    })
    const say = async (message: Message) => {
      peer.send(message)
      await until(() => peer.ended, 'the lie to be refused')
      return peer
    }
    lie('in its acks', (through) => say({ type: 'acks', holdings: [holding(through)] }))
    lie('in a heartbeat', async (through) => {
      peer.beat({ vector: [{ feed: a.status().replica, through }] })
      await until(() => peer.ended, 'the lie to be refused')
      return peer
    })
    lie('in the name of another region', (through) =>
      say({ type: 'acks', holdings: [{ ...holding(through, 'c'), holder: c.status().replica }] }),
    )
    lie('in its hello', async (through) => {
      peer.socket.terminate()
      await until(() => a.status().links.b!.state === 'down', 'the first link to be gone')
      const stranger = await authenticate(a, 'b')
      const vector = [{ feed: a.status().replica, through }]
      stranger.send({ type: 'hello', feed: hex(16), lineage: [], clock: Date.now(), vector, walked: [], linked: [] })
      await until(() => stranger.ended, 'the hello to be refused')
      return stranger
    })

    test('[HOST-11] in the name of regions that are no members, or of the replica itself', async () => {
      await c.close()
      await until(() => a.status().links.c!.state === 'down', 'the honest peer to be gone')
      const write = a.increment(ID, '/n', 1, { write: 'majority', timeout: 500 })
      write.catch(() => {})
      await until(() => a.status().pending.commits === 0, 'the commit')
      for (const region of ['x', 'y', 'a'])
        peer.send({ type: 'acks', holdings: [{ ...holding(a.status().head, region), holder: hex(16) }] })
      await expect(write).rejects.toMatchObject({ code: 'QUORUM_UNMET', got: 1 })
    })

    test('[HOST-11] of feeds that do not exist', async () => {
      const before = await snapshot()
      const holdings = Array.from({ length: 4_000 }, () => ({
        region: 'b',
        holder: hex(16),
        feed: hex(16),
        through: MAX,
      }))
      for (let round = 0; round < 10; round++) peer.send({ type: 'acks', holdings })
      peer.send({ type: 'ask', request: 1, key: sessionKey(ID), version: undefined })
      await peer.next('tell')
      expect(await snapshot()).toEqual(before)
      await expectService()
    })

    test("[HOST-11] claims an honest region's feed for its own", async () => {
      peer.socket.terminate()
      await until(() => a.status().links.b!.state === 'down', 'the first link to be gone')
      const feed = c.status().replica
      const stranger = await authenticate(a, 'b')
      stranger.send({ type: 'hello', feed, lineage: [], clock: Date.now(), vector: [], walked: [], linked: [] })
      await until(() => stranger.ended || a.status().links.b!.state === 'live', 'an answer to the hello')
      if (!stranger.ended)
        stranger.send({
          type: 'stretch',
          epoch: 0,
          from: 0,
          through: 1_000_000,
          mode: 'live',
          needs: [],
          holds: [],
          items: [],
        })
      await until(() => stranger.ended || (a.status().vector[feed] ?? 0) >= 1_000_000, 'an answer to the claim')
      // What c writes from now on must reach a all the same.
      const { id } = await c.create({ from: 'c' })
      await until(() => a.get(id), 'what the honest region wrote')
      expect(a.status().vector[feed]).toBeLessThan(1_000)
    })
  })

  describe('asks for a lot', () => {
    const LARGE = 'a large session'
    const ASKED = 50_000
    const MAX_BUFFERED = 1024 * 1024
    const pipe = () => (peer.socket as unknown as { _socket: { pause(): void; resume(): void } })._socket
    beforeEach(async () => {
      await a.create({ large: 'x'.repeat(60_000) }, { id: LARGE })
      await until(() => c.get(LARGE), 'the honest peer to have it')
    })

    /** Asked for again and again, and nothing read: what waits for the socket is bounded, or the link is given up. */
    const expectBounded = async (act: () => unknown) => {
      const heap = process.memoryUsage().rss
      let most = 0
      const watch = setInterval(() => {
        most = Math.max(most, a.status().links.b?.bufferedBytes ?? 0)
      }, 1)
      pipe().pause()
      await act()
      // The replica has taken all in when it notices what the last frame tells, or has given the link up.
      peer.beat({ clock: Date.now() + 3_000 })
      const isDone = () => a.status().links.b!.state === 'down' || a.status().links.b!.skew > 1_000
      await until(isDone, 'all that was asked to be taken in')
      clearInterval(watch)
      most = Math.max(most, a.status().links.b?.bufferedBytes ?? 0)
      expect(most).toBeLessThan(8 * MAX_BUFFERED)
      expect(process.memoryUsage().rss - heap).toBeLessThan(256 * 1024 * 1024)
      pipe().resume()
      await expectService()
    }

    test('[HOST-12] of the same record', () =>
      expectBounded(() => {
        const keys = Array.from({ length: ASKED / 10 }, () => sessionKey(LARGE))
        peer.send({ type: 'want', keys })
      }))
    test('[HOST-12] of the version of a record', () =>
      expectBounded(() => {
        for (let request = 0; request < 5_000; request++)
          peer.send({ type: 'ask', request, key: sessionKey(LARGE), version: undefined })
      }))
    test('[HOST-12] of keys that do not exist', async () => {
      const keys = Array.from({ length: 15_000 }, () => hex(16))
      peer.send({ type: 'want', keys })
      const { absent } = await peer.next('records')
      expect(absent).toHaveLength(keys.length)
      await expectService()
    })
    test('[HOST-12] by pings', () =>
      expectBounded(() => {
        for (let index = 0; index < 200_000; index++) peer.socket.ping(randomBytes(125))
      }))
    test('[HOST-12] from behind the head, and from the beginning again and again', async () => {
      peer.send({ type: 'resume', epoch: 1, from: MAX, linked: [] })
      for (let round = 0; round < 500; round++) peer.send({ type: 'resume', epoch: 1, from: 0, linked: [] })
      await expectService()
      expect(a.status().links.b!.bufferedBytes).toBeLessThan(8 * MAX_BUFFERED)
      const from = peer.received.length
      await a.increment(ID, '/n')
      await peer.next('stretch', from)
    })
  })

  test('[HOST-13] answers to questions that nobody asked', async () => {
    const before = await snapshot()
    for (let request = 0; request < 100; request++)
      peer.send({ type: 'tell', request, what: 'record', record: encodeRecord(liveRecord()) })
    peer.send({ type: 'ask', request: 1, key: sessionKey(ID), version: undefined })
    await peer.next('tell')
    expect(await snapshot()).toEqual(before)
    await expectService()
  })

  test('[HOST-13] a malformed answer', async () => {
    const before = await snapshot()
    const started = performance.now()
    const read = a.get(ID, { read: 'all', timeout: '5s' })
    read.catch(() => {})
    const { request } = await peer.next('ask')
    await expectRefusal(
      peer,
      'RECORD_INVALID',
      () => peer.send({ type: 'tell', request, what: 'record', record: randomBytes(50) }),
      before,
    )
    await expect(read).rejects.toMatchObject({ code: 'QUORUM_UNMET' })
    expect(performance.now() - started).toBeLessThan(4_000)
  })

  test('[HOST-13] malformed records', () =>
    refused('RECORD_INVALID', () =>
      peer.send({ type: 'records', records: [{ key: KEY, record: randomBytes(50) }], absent: [] }),
    ))
  test('[HOST-13] a good record before a malformed one', () =>
    refused('RECORD_INVALID', () =>
      peer.send({
        type: 'records',
        records: [
          { key: KEY, record: encodeRecord(liveRecord()) },
          { key: hex(16), record: randomBytes(50) },
        ],
        absent: [],
      }),
    ))

  test('[HOST-14] 400 valid frames with bits flipped at random', async () => {
    const frames = [
      ...MESSAGES,
      {
        type: 'stretch',
        epoch: 0,
        from: 0,
        through: 1,
        mode: 'live',
        needs: [],
        holds: [],
        items: [encodeItem(record())],
      } as const,
      {
        type: 'stretch',
        epoch: 0,
        from: 0,
        through: 1,
        mode: 'live',
        needs: [],
        holds: [],
        items: [encodeItem(changesOf(change()))],
      } as const,
      { type: 'records', records: [{ key: KEY, record: encodeRecord(liveRecord()) }], absent: [] } as const,
    ].map((message) => encodeMessage(message))
    const random = seeded(2)
    for (let round = 0; round < 400; round++) {
      if (peer.ended) peer = await linkAs(a, 'b')
      const frame = Buffer.from(frames[round % frames.length]!)
      const at = random.below(frame.length)
      frame[at] = frame[at]! ^ (1 << (round % 8))
      peer.sendBytes(frame)
      // A link that stands answers.
      peer.send({ type: 'ask', request: round, key: sessionKey(ID), version: undefined })
      await until(
        () => peer.ended || peer.received.some((told) => told.type === 'tell' && told.request === round),
        'the link to answer, or to be given up',
      )
      if (peer.ended) expect(peer.ended.reason).toMatch(/^(LINK|FRAME|RECORD|CHANGE)_[A-Z]+: /)
    }
    await expectService()
  })
})
