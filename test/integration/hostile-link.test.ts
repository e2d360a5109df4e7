import { randomBytes } from 'node:crypto'
import { encodeItem, encodeRecord, sessionKey } from '@sojourn/core/internal'
import { encodeMessage, type Message } from '@sojourn/wire'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { authenticate, helloOf, hex, type Remote } from '../support/hostile-peer.js'
import {
  a,
  c,
  change,
  changesOf,
  closeBoth,
  expectRefusal,
  expectService,
  ID,
  KEY,
  linkPeer,
  linkPeerForEach,
  liveRecord,
  MESSAGES,
  openBoth,
  peer,
  record,
  refused,
  segmentOf,
  snapshot,
} from '../support/hostile-region.js'
import { seeded } from '../support/seeded.js'
import { until } from '../support/until.js'

beforeEach(() => openBoth())
afterEach(closeBoth)

describe('a peer that knows the secret', () => {
  linkPeerForEach()

  describe('acknowledges what it does not hold', () => {
    const lie = (how: string, act: (through: number) => Promise<Remote>) =>
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
      const remote = await authenticate(a, 'b')
      const vector = [{ feed: a.status().replica, through }]
      remote.send({
        type: 'hello',
        feed: hex(16),
        lineage: [],
        clock: Date.now(),
        isClockSure: true,
        vector,
        scanned: [],
        linked: [],
      })
      await until(() => remote.ended, 'the hello to be refused')
      return remote
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
        through: Number.MAX_SAFE_INTEGER,
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
      const remote = await authenticate(a, 'b')
      remote.send(helloOf(feed))
      await until(() => remote.ended || a.status().links.b!.state === 'live', 'an answer to the hello')
      if (!remote.ended)
        remote.send({
          type: 'segment',
          epoch: 0,
          from: 0,
          through: 1_000_000,
          mode: 'live',
          needs: [],
          holds: [],
          items: [],
        })
      await until(() => remote.ended || (a.status().vector[feed] ?? 0) >= 1_000_000, 'an answer to the claim')
      // What c writes from now on must reach a all the same.
      const { id } = await c.create({ from: 'c' })
      await until(() => a.get(id), 'what the honest region wrote')
      await until(() => (a.status().vector[feed] ?? 0) > 0, 'the claim of it')
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
      // The replica has taken all in when it notices what the last frame says, or has given the link up.
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
    test('[HOST-12] from after the head, and from the beginning again and again', async () => {
      peer.send({ type: 'resume', epoch: 1, from: Number.MAX_SAFE_INTEGER, linked: [] })
      for (let round = 0; round < 500; round++) peer.send({ type: 'resume', epoch: 1, from: 0, linked: [] })
      await expectService()
      expect(a.status().links.b!.bufferedBytes).toBeLessThan(8 * MAX_BUFFERED)
      const from = peer.received.length
      await a.increment(ID, '/n')
      await peer.next('segment', from)
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
      segmentOf([encodeItem(record())]),
      segmentOf([encodeItem(changesOf(change()))]),
      { type: 'records', records: [{ key: KEY, record: encodeRecord(liveRecord()) }], absent: [] } as const,
    ].map((message) => encodeMessage(message))
    const random = seeded(2)
    for (let round = 0; round < 400; round++) {
      if (peer.ended) await linkPeer()
      const frame = Buffer.from(frames[round % frames.length]!)
      const at = random.below(frame.length)
      frame[at] = frame[at]! ^ (1 << (round % 8))
      peer.sendBytes(frame)
      // A link that stands answers.
      peer.send({ type: 'ask', request: round, key: sessionKey(ID), version: undefined })
      await until(
        () => peer.ended || peer.received.some((frame) => frame.type === 'tell' && frame.request === round),
        'the link to answer, or to be given up',
      )
      if (peer.ended) expect(peer.ended.reason).toMatch(/^(LINK|FRAME|RECORD|CHANGE)_[A-Z]+: /)
    }
    await expectService()
  })
})
