import { randomBytes } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import type { LinkChange } from '@sojourn/replica'
import { encodeMessage, LINK_DIALECT, LINK_MAGIC, type Message, prove, type Transcript } from '@sojourn/wire'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { attend, authenticate, connect, greeting, helloOf, hex, linkAs, type Remote } from '../support/hostile-peer.js'
import {
  a,
  c,
  changes,
  closeBoth,
  expectRefusal,
  expectService,
  MAX_FRAME_BYTES,
  MESSAGES,
  open,
  openBoth,
  snapshot,
} from '../support/hostile-region.js'
import { SECRET } from '../support/region.js'
import { seeded } from '../support/seeded.js'
import { until } from '../support/until.js'

beforeEach(() => openBoth())
afterEach(closeBoth)

/** What Node.js says of this process, such as that something is listened to too often. */
const warnings: Error[] = []
const note = (warning: Error) => void warnings.push(warning)
beforeAll(() => void process.on('warning', note))
afterAll(() => void process.off('warning', note))
afterEach(() => expect(warnings.splice(0)).toEqual([]))

describe('unauthenticated callers', () => {
  const say = (what: string, codes: string | readonly string[], frames: () => (Uint8Array | string)[]) =>
    test(`[HOST-1] ${what}`, async () => {
      const remote = await connect(a)
      await expectRefusal(remote, codes, () => {
        for (const frame of frames()) remote.sendBytes(frame)
      })
      // Who is not known is sent nothing.
      expect(remote.received).toEqual([])
    })

  say('random bytes', 'LINK_VERSION', () => [randomBytes(200)])
  say('an empty frame', 'LINK_VERSION', () => [new Uint8Array(0)])
  say('a text frame', 'FRAME_INVALID', () => ['hello'])
  say('many text frames', 'FRAME_INVALID', () => Array.from({ length: 100 }, () => 'hello'))
  say('a truncated greeting', 'LINK_VERSION', () => [encodeMessage(greeting('b')).subarray(0, 30)])
  say('a greeting with bytes after it', 'LINK_VERSION', () => [
    Buffer.concat([encodeMessage(greeting('b')), Buffer.of(0)]),
  ])
  say('a frame longer than a greeting', 'FRAME_TOO_LARGE', () => [randomBytes(2_000)])
  say('a frame beyond maxFrameBytes', 'FRAME_TOO_LARGE', () => [randomBytes(MAX_FRAME_BYTES + 1)])
  say('another version', 'LINK_VERSION', () => [
    encodeMessage({ ...greeting('b'), min: LINK_DIALECT.newest + 1, max: LINK_DIALECT.newest + 7 }),
  ])
  say('versions that are none', 'LINK_VERSION', () => [encodeMessage({ ...greeting('b'), min: 2, max: 1 })])
  say('many capabilities', 'LINK_VERSION', () => [
    encodeMessage({ ...greeting('b'), capabilities: Array(17).fill('x') }),
  ])
  say('another protocol', 'LINK_VERSION', () => [encodeMessage({ ...greeting('b'), magic: LINK_MAGIC + 1 })])
  say('the region itself', 'LINK_REGION', () => [encodeMessage(greeting('a'))])
  say('no member', 'LINK_REGION', () => [encodeMessage(greeting('x'))])
  for (const message of MESSAGES.filter(({ type }) => type !== 'greet'))
    say(`a ${message.type} frame first`, 'FRAME_UNEXPECTED', () => [encodeMessage(message)])

  test('[HOST-1] 300 random first frames', async () => {
    const random = seeded(1)
    for (let round = 0; round < 300; round += 50) {
      const remotes = await Promise.all(Array.from({ length: 50 }, () => connect(a)))
      for (const remote of remotes) remote.sendBytes(random.bytes(1 + random.below(300)))
      await until(() => remotes.every(({ ended }) => ended), 'all to be refused')
      for (const { ended } of remotes) expect(ended!.reason).toMatch(/^(LINK|FRAME)_[A-Z]+: /)
    }
    await expectService()
  })

  test('[HOST-2] a wrong secret', async () => {
    const before = await snapshot()
    const remote = await connect(a)
    const greet = greeting('b')
    await expectRefusal(
      remote,
      'LINK_SECRET',
      async () => {
        remote.send(greet)
        const transcript = { dialer: greet, listener: await remote.next('prove') }
        remote.send({ type: 'accept', proof: prove('not the secret of the tests', 'dialer', transcript) })
        remote.send(helloOf(hex(16)))
      },
      before,
    )
    expect(remote.received.map(({ type }) => type)).toEqual(['prove'])
  })

  /** Both sides know the secret; what one of them says is changed on the way to the other. */
  const changed: [string, (greet: Message & { type: 'greet' }) => Message & { type: 'greet' }][] = [
    ['the version', (greet) => ({ ...greet, max: 1 })],
    ['the oldest version', (greet) => ({ ...greet, min: 2 })],
    ['the capabilities', (greet) => ({ ...greet, capabilities: [] })],
  ]
  test.each(changed)('[HOST-17] %s of a greeting, changed on the way', async (_what, change) => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_SECRET', async () => {
      const said = greeting('b')
      remote.send(change(said))
      const listener = await remote.next('prove')
      const proof = prove(SECRET, 'dialer', { dialer: said, listener })
      remote.send({ type: 'accept', proof })
    })
  })

  test.each([
    ['version', { version: 1 }],
    ['capabilities', { capabilities: [] }],
  ] as const)('[HOST-17] the %s of the answer to it, changed on the way', async (_what, change) => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_SECRET', async () => {
      const said = greeting('b')
      remote.send(said)
      const listener = { ...(await remote.next('prove')), ...change }
      remote.send({ type: 'accept', proof: prove(SECRET, 'dialer', { dialer: said, listener }) })
    })
  })

  test('[HOST-1] no version that both know, which the refusal says', async () => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_VERSION', () => remote.send({ ...greeting('b'), min: 7, max: 9 }))
    expect(remote.ended?.reason).toContain('the other side speaks versions 7 to 9, this side versions 1 to 2')
  })

  test('[HOST-2] the own proof, reflected', async () => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_SECRET', async () => {
      remote.send(greeting('b'))
      const { proof } = await remote.next('prove')
      remote.send({ type: 'accept', proof })
    })
  })

  test('[HOST-2] a handshake that was overheard, replayed', async () => {
    const greet = greeting('b')
    const honest = await connect(a)
    honest.send(greet)
    const transcript = { dialer: greet, listener: await honest.next('prove') }
    const accept: Message = { type: 'accept', proof: prove(SECRET, 'dialer', transcript) }
    honest.send(accept)
    await honest.next('hello')
    honest.socket.terminate()

    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_SECRET', async () => {
      remote.send(greet)
      await remote.next('prove')
      remote.send(accept)
    })
  })

  test.each(MESSAGES.filter(({ type }) => type !== 'accept').map((message) => [message.type, message] as const))(
    '[HOST-1] a %s frame in place of the proof',
    async (_type, message) => {
      const remote = await connect(a)
      await expectRefusal(remote, 'FRAME_UNEXPECTED', async () => {
        remote.send(greeting('b'))
        await remote.next('prove')
        remote.send(message)
      })
    },
  )

  test.each(MESSAGES.filter(({ type }) => type !== 'hello').map((message) => [message.type, message] as const))(
    '[HOST-1] a %s frame in place of the hello',
    async (_type, message) => {
      const remote = await authenticate(a, 'b')
      await expectRefusal(remote, 'FRAME_UNEXPECTED', () => remote.send(message))
    },
  )

  test('[HOST-1] a malformed hello', async () => {
    for (const bytes of [
      encodeMessage(helloOf(hex(16))).subarray(0, 20),
      Buffer.concat([encodeMessage(helloOf(hex(16))), Buffer.of(1)]),
    ]) {
      const remote = await authenticate(a, 'b')
      await expectRefusal(remote, 'FRAME_INVALID', () => remote.sendBytes(bytes))
    }
  })

  test('[HOST-1] a clock that is off', async () => {
    for (const clock of [0, Date.now() + 60_000, Number.MAX_SAFE_INTEGER]) {
      const remote = await authenticate(a, 'b')
      await expectRefusal(remote, 'LINK_SKEW', () => remote.send({ ...helloOf(hex(16)), clock } as Message))
    }
  })

  test('[HOST-3] codes that an unauthenticated caller makes up are not counted', async () => {
    const before = a.status().totals.refused
    const remotes: Remote[] = []
    for (let index = 0; index < 50; index++) {
      const remote = await connect(a)
      remote.socket.close(4_000, `MADE_UP_${'ABCDEFGHIJ'[index % 10]}${'ABCDE'[Math.floor(index / 10)]}: hello`)
      remotes.push(remote)
    }
    await until(() => remotes.every(({ ended }) => ended), 'the connections to end')
    await expectService()
    expect(a.status().totals.refused).toEqual(before)
    expect(changes.filter(({ region }) => region !== 'c')).toEqual([])
  })

  test('[HOST-3] what is no WebSocket frame', async () => {
    const remote = await connect(a)
    const socket = (remote.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket
    // Reserved bits, a reserved opcode, and no mask.
    await expectRefusal(remote, 'FRAME_INVALID', () => socket.write(Buffer.from('ff05aabbccddee', 'hex')))
  })
})

describe('unauthenticated callers who take their time', () => {
  beforeEach(async () => {
    await Promise.all([a.close(), c.close()])
    await openBoth({
      links: { heartbeat: 50, timeout: 400, maxReconnectDelay: 100, digestInterval: '1h' },
      limits: { maxHandshakes: 4 },
    })
  })

  test('[HOST-4] silence', async () => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_TIMEOUT', () => {})
  })

  test('[HOST-4] silence after the greeting', async () => {
    const remote = await connect(a)
    await expectRefusal(remote, 'LINK_TIMEOUT', () => remote.send(greeting('b')))
  })

  test('[HOST-4] silence after the proof', async () => {
    const remote = await authenticate(a, 'b')
    await expectRefusal(remote, 'LINK_TIMEOUT', () => {})
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
    const remotes = await Promise.all(Array.from({ length: 12 }, () => connect(a)))
    const turnedAway = () => remotes.filter(({ ended }) => ended?.reason.startsWith('OVERLOADED'))
    await until(() => turnedAway().length >= 8, 'those beyond the limit to be turned away')
    await until(() => (a.status().totals.refused.OVERLOADED ?? 0) >= 8, 'them to be counted')
    await until(() => remotes.every(({ ended }) => ended), 'the silent ones to be given up')
    const peer = await linkAs(a, 'b')
    await until(() => a.status().links.b?.state === 'live', 'room for a peer')
    peer.socket.terminate()
    await expectService()
  })
})

describe('who answers when a region dials', () => {
  /** Knows the secret, and proves it under this name, as this side. */
  const proving = (region: string, side: 'listener' | 'dialer', more: Partial<Transcript['listener']> = {}) => {
    return (remote: Remote, greet: Message & { type: 'greet' }) => {
      const listener = { version: 2, capabilities: [], region, nonce: hex(32), ...more }
      remote.send({ type: 'prove', ...listener, proof: prove(SECRET, side, { dialer: greet, listener }) })
    }
  }
  /** As an honest listener that heard another greeting than was said. */
  const provingTo = (heard: Partial<Transcript['dialer']>, more: Partial<Transcript['listener']> = {}) => {
    return (remote: Remote, greet: Message & { type: 'greet' }) =>
      proving('b', 'listener', more)(remote, { ...greet, ...heard })
  }
  const answers: [string, string, (remote: Remote, greet: Message & { type: 'greet' }) => void][] = [
    ['random bytes', 'FRAME_INVALID', (remote) => remote.sendBytes(randomBytes(40))],
    ['text', 'FRAME_INVALID', (remote) => remote.sendBytes('hello')],
    ['its own greeting', 'FRAME_UNEXPECTED', (remote, greet) => remote.send(greet)],
    ['a hello', 'FRAME_UNEXPECTED', (remote) => remote.send(helloOf(hex(16)))],
    [
      'a made-up proof',
      'LINK_SECRET',
      (remote) =>
        remote.send({ type: 'prove', version: 2, capabilities: [], region: 'b', nonce: hex(32), proof: hex(32) }),
    ],
    [
      'an older version, to a greeting that was changed on the way',
      'LINK_SECRET',
      provingTo({ max: 1, capabilities: [] }, { version: 1 }),
    ],
    ['no capabilities, to a greeting that was changed on the way', 'LINK_SECRET', provingTo({ capabilities: [] })],
    ['a version that it does not speak', 'LINK_VERSION', proving('b', 'listener', { version: 3 })],
    ['a capability that it did not name', 'LINK_VERSION', proving('b', 'listener', { capabilities: ['flight'] })],
    ['a capability twice', 'LINK_VERSION', proving('b', 'listener', { capabilities: ['digest', 'digest'] })],
    ['the name of a third region', 'LINK_REGION', proving('c', 'listener')],
    [
      'a frame that is longer than a handshake, and never whole',
      'FRAME_TOO_LARGE',
      ({ socket }) => {
        const raw = (socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket
        raw.write(Buffer.concat([Buffer.from('827f0000000000030d40', 'hex'), Buffer.alloc(10_000)]))
      },
    ],
    ["a dialer's proof", 'LINK_SECRET', proving('b', 'dialer')],
  ]
  test.each(answers)('[HOST-6] %s', async (_what, code, answer) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await until(() => server.address(), 'the hostile listener')
    let dialed = 0
    server.on('connection', (socket) => {
      dialed++
      const remote = attend(socket)
      void remote.next('greet').then(
        (greet) => answer(remote, greet),
        () => {},
      )
    })
    const { port } = server.address() as { port: number }
    const replica = await open('d', { peers: { b: `ws://127.0.0.1:${port}`, c: null } })
    const seen: LinkChange[] = []
    replica.on('link', (change) => seen.push(change))
    await until(() => seen.length >= 2 && dialed >= 3, 'the region to refuse, and to try again')
    expect(new Set(seen.map(({ state, code: reported }) => `${state} ${reported}`))).toEqual(
      new Set([`refused ${code}`]),
    )
    await replica.create({ still: 'serving' })
    await replica.close()
    for (const socket of server.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })
})
