import { createHash, randomBytes } from 'node:crypto'
import {
  EMPTY_FOLD,
  encodeItem,
  encodeRecord,
  type Item,
  incrementEdits,
  mutate,
  type Op,
  type OpId,
  openLease,
  sessionKey,
} from '@sojourn/core/internal'
import type { Fault } from '@sojourn/replica'
import { encodeMessage } from '@sojourn/wire'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hex } from '../support/hostile-peer.js'
import {
  ACTOR,
  a,
  c,
  change,
  changesOf,
  closeBoth,
  expectService,
  ID,
  items,
  KEY,
  linkPeer,
  linkPeerForEach,
  liveRecord,
  MAX_FRAME_BYTES,
  MESSAGES,
  openBoth,
  peer,
  record,
  refused,
  segment,
} from '../support/hostile-region.js'
import { until } from '../support/until.js'

beforeEach(() => openBoth())
afterEach(closeBoth)

describe('a peer that knows the secret', () => {
  linkPeerForEach()

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
        await linkPeer()
      }
    },
  )

  test('[HOST-7] bytes after a frame', () =>
    refused('FRAME_INVALID', () => peer.sendBytes(Buffer.concat([encodeMessage(MESSAGES[5]!), Buffer.of(0)]))))
  test('[HOST-7] an unknown type', () => refused('FRAME_INVALID', () => peer.sendBytes(Buffer.of(99, 0))))
  test('[HOST-7] a text frame', () => refused('FRAME_INVALID', () => peer.sendBytes('hello')))
  test('[HOST-7] a frame beyond maxFrameBytes', () =>
    refused('FRAME_TOO_LARGE', () => peer.sendBytes(randomBytes(MAX_FRAME_BYTES + 1))))
  test('[HOST-7] a list that announces more than the frame holds', () =>
    refused('FRAME_INVALID', () => peer.sendBytes(Buffer.from('0bffffffffffff0f', 'hex'))))
  test('[HOST-7] a clock that jumps', () => refused('LINK_SKEW', () => peer.beat({ clock: Date.now() + 3_600_000 })))
  test('[HOST-7] a segment that ends before it begins', () =>
    refused('FRAME_INVALID', () => segment([], { from: 9, through: 3 })))

  test('[HOST-8] an item of random bytes', () => refused('FRAME_INVALID', () => segment([randomBytes(60)])))
  test('[HOST-8] a truncated item', () =>
    refused('FRAME_INVALID', () => segment([encodeItem(record()).subarray(0, 20)])))
  test('[HOST-8] a truncated record', () =>
    refused('RECORD_INVALID', () =>
      items({ type: 'record', key: KEY, record: encodeRecord(liveRecord()).subarray(0, -3) }),
    ))
  test('[HOST-8] a good item before a bad one', () =>
    refused(['FRAME_INVALID', 'RECORD_INVALID', 'CHANGE_INVALID'], () =>
      items(record(), changesOf(change({}, (bytes) => bytes.with(20, bytes[20]! ^ 1)))),
    ))
  test.each(['/__xroto__', '/cart/__xroto__', '/a/b/__xroto__'])(
    '[HOST-8] the key __proto__ in a record, for __xroto__ in %s',
    (path) =>
      refused('RECORD_INVALID', () => {
        const encoded = Buffer.from(encodeRecord(liveRecord({ document: documentAt(path) })))
        encoded.write('__proto__', encoded.indexOf('__xroto__'))
        items({ type: 'record', key: KEY, record: encoded })
      }),
  )
  const documentAt = (path: string) => mutate(EMPTY_FOLD, ACTOR, incrementEdits({}, path, 1))!.fold

  const map = (counter: number) => ({ counter, actor: ACTOR })
  const made = (key: string, obj?: OpId): Op => ({ action: 'make', obj, key, pred: [] })
  const put = (key: string, obj?: OpId): Op => ({ action: 'set', obj, key, value: 1, pred: [] })
  test.each<[string, Op[]]>([
    ['of the session', [put('__proto__')]],
    ['of an object', [made('cart'), put('__proto__', map(1))]],
    ['of an object in an object', [made('a'), made('b', map(1)), put('sound', map(2)), put('__proto__', map(2))]],
    ['that is an object', [made('__proto__'), put('isAdmin', map(1))]],
    ['of an object, and is one', [made('cart'), made('__proto__', map(1))]],
  ])('[HOST-8] a change of the field __proto__ %s', (_, ops) =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ ops })))),
  )
  test('[HOST-8] a change that nests objects without end', () =>
    refused('CHANGE_INVALID', () => {
      const ops = Array.from({ length: 2_000 }, (_, index) => made('a', index === 0 ? undefined : map(index)))
      items(changesOf(change({ ops })))
    }))
  test('[HOST-8] a change of a field in what is no object', () =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ ops: [put('a'), put('b', map(1))] })))))
  test('[HOST-8] a change with a flipped bit', async () => {
    const { length } = change().bytes
    for (const at of [0, 4, 9, 12, length >> 1, length - 1]) {
      await refused('CHANGE_INVALID', () => items(changesOf(change({}, (bytes) => bytes.with(at, bytes[at]! ^ 0x40)))))
      await linkPeer()
    }
  })
  test('[HOST-8] a change without operations', () =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ ops: [] })))))
  test('[HOST-8] a change that leaves out a million operation numbers', () =>
    refused('CHANGE_INVALID', () => items(changesOf(change({ startOp: 1_000_000 })))))
  test('[HOST-8] a change that overwrites what nobody wrote', () =>
    refused('CHANGE_INVALID', () =>
      items(changesOf(change({ ops: [{ ...put('by'), pred: [{ counter: 1, actor: hex(16) }] }] }))),
    ))
  test('[HOST-9] a run of a million operations in 64 bytes', async () => {
    // Operations stand in columns of runs: [count, value]. The one key "by" is repeated a million times over.
    const encoded = Buffer.from(change().bytes)
    const key = encoded.indexOf('by')
    expect(encoded[key - 1]).toBe(2)
    const started = performance.now()
    await refused('CHANGE_INVALID', () => items(changesOf({ bytes: rleBomb(), context: [] })))
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  /** A change whose columns each say "a million times the same". */
  const rleBomb = (): Uint8Array => {
    const million = [0xc0, 0x84, 0x3d]
    const columns: [number, number[]][] = [
      [0x15, [...million, 2, ...Buffer.from('by')]],
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

  test('[HOST-10] a lease from the far future, and a record beyond maxRecordBytes, are left out, alone, and the link stands', async () => {
    const large = mutate(EMPTY_FOLD, ACTOR, [{ kind: 'set', path: '/by', value: 'x'.repeat(129 * 1024) }])!.fold
    const lease = openLease(60_000, Date.now() + 30 * 86_400_000, ACTOR)
    const before = await a.get(ID)
    const faults: Fault[] = []
    a.on('fault', (fault) => faults.push(fault))
    const sound = ['sound 1', 'sound 2']
    items(
      { type: 'lease', key: sessionKey(ID), lease },
      record({ lease }),
      record({ document: large }, sessionKey('too large')),
      ...sound.map((id) => record({}, sessionKey(id))),
    )
    await until(() => a.status().vector[peer.feed] === 1, 'the feed to be claimed to its end')
    expect(peer.ended).toBeUndefined()
    expect(a.status().totals.refusedItems).toBe(3)
    expect(faults).toContainEqual({ code: 'ITEM_REFUSED', message: expect.stringContaining('sent 3 sessions') })
    expect((await a.get(ID))?.expiresAt).toBe(before?.expiresAt)
    expect(await a.get('what the hostile peer makes')).toBeUndefined()
    expect(await a.get('too large')).toBeUndefined()
    for (const id of sound) expect(await a.get(id)).toBeDefined()
    await expectService()
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
})
