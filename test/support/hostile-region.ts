import {
  type Change,
  type ChangeDelta,
  EMPTY_FOLD,
  encodeChange,
  encodeItem,
  encodeRecord,
  type Item,
  type LiveRecord,
  mutate,
  openLease,
  sessionKey,
} from '@sojourn/core/internal'
import { type LinkChange, openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import type { Message } from '@sojourn/wire'
import { afterEach, beforeEach, expect } from 'vitest'
import { greeting, helloOf, hex, linkAs, type Peer, type Remote } from './hostile-peer.js'
import { contents, SECRET } from './region.js'
import { until } from './until.js'

/** Region `a` is attacked by who pretends to be `b`, or nobody; `c` is honest and linked. */

export const MAX_FRAME_BYTES = 256 * 1024
export const ID = 'a session that is there all the time'

// Opened anew for each test; whoever imports them sees those of the test that runs.
export let a: Replica
export let c: Replica
export let changes: LinkChange[]

export const open = (region: string, more: Partial<ReplicaOptions> = {}) =>
  openReplica({
    location: ':memory:',
    secret: SECRET,
    links: { heartbeat: 50, timeout: '10s', maxReconnectDelay: 100, digestInterval: '1h' },
    peers: {},
    ...more,
    region,
  })

export const openBoth = async (more: Partial<ReplicaOptions> = {}) => {
  a = await open('a', {
    listen: { port: 0 },
    peers: { b: null, c: null },
    limits: { maxFrameBytes: MAX_FRAME_BYTES, maxRecordBytes: 128 * 1024 },
    ...more,
  })
  c = await open('c', { peers: { a: `ws://127.0.0.1:${a.address!.port}`, b: null } })
  changes = []
  a.on('link', (change) => changes.push(change))
  await a.create({ user: 'u1', cart: { x: 1 }, n: 1 }, { id: ID })
  await until(() => a.status().links.c?.state === 'live' && c.get(ID), 'the honest link')
}

export const closeBoth = async (): Promise<void> => {
  await Promise.all([a.close(), c.close()])
}

export const snapshot = async () => {
  const { head, vector, tombstones, recentBytes } = a.status()
  // How far the honest peer's feed is held moves by itself.
  const others = Object.entries(vector).filter(([feed]) => feed !== c.status().replica)
  return { ...(await contents(a)), head, vector: others, tombstones, recentBytes }
}

/** The replica says no with a code, nothing is changed by it, and everybody else is served. */
export const expectRefusal = async (
  remote: Remote,
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
    () => `${wanted} from the replica; the connection ${remote.ended ? `ended: ${remote.ended.reason}` : 'stands'}`,
  )
  expect(wanted, `${change.why}`).toContain(change.code)
  expect(a.status().totals.refused[change.code!]).toBe((refused[change.code!] ?? 0) + 1)
  await until(() => remote.ended, 'the end of the connection')
  expect(await snapshot()).toEqual(held)
  await expectService()
}

export const expectService = async () => {
  expect(a.status().links.c!.state).toBe('live')
  const { data } = await a.increment(ID, '/n')
  await until(async () => (await c.get(ID))?.data.n === data.n, 'the honest peer to hear of a write')
}

type Segment = Message & { type: 'segment' }
export const segmentOf = (items: readonly Uint8Array[]): Segment => {
  return { type: 'segment', epoch: 0, from: 0, through: 1, mode: 'live', needs: [], holds: [], items }
}

/** One of each kind. */
export const MESSAGES: readonly Message[] = [
  greeting('b'),
  { type: 'prove', version: 2, capabilities: [], region: 'b', nonce: hex(32), proof: hex(32) },
  { type: 'accept', proof: hex(32) },
  helloOf(hex(16)),
  segmentOf([]),
  { type: 'acks', holdings: [] },
  {
    type: 'heartbeat',
    sentAt: 1,
    echo: 0,
    echoAge: 0,
    clock: 0,
    isClockSure: true,
    head: 0,
    sum: hex(8),
    vector: [],
    linked: [],
  },
  { type: 'resume', epoch: 1, from: 0, linked: [] },
  { type: 'ask', request: 1, key: sessionKey(ID), version: undefined },
  { type: 'tell', request: 1, what: 'none', record: undefined },
  { type: 'want', keys: [sessionKey(ID)] },
  { type: 'records', records: [], absent: [] },
  { type: 'digest', bits: 13, above: 10, ranges: [], sums: new Uint8Array(0), isSure: false },
  { type: 'versions', bits: 10, ranges: [], versions: [] },
]

// What a peer that knows the secret can say.

export const KEY = sessionKey('what the hostile peer makes')
export const ACTOR = hex(16)
export let peer: Peer

/** Links with `a` as its peer `b`, once more where the link was given up. */
export const linkPeer = async (): Promise<void> => {
  peer = await linkAs(a, 'b')
}

/** For a `describe`: its tests begin with a link that stands. */
export const linkPeerForEach = (): void => {
  beforeEach(async () => {
    await linkPeer()
    await until(() => a.status().links.b?.state === 'live', 'the link')
  })
  afterEach(() => peer.socket.terminate())
}

export const segment = (items: readonly Uint8Array[], more: Partial<Segment> = {}) =>
  peer.send({ ...segmentOf(items), ...more })
export const items = (...list: Item[]) => segment(list.map(encodeItem))

export const liveRecord = (more: Partial<LiveRecord> = {}, now = Date.now()): LiveRecord => ({
  kind: 'live',
  document: mutate(EMPTY_FOLD, ACTOR, [{ kind: 'set', path: '/by', value: 'b' }])!.fold,
  lease: openLease(60_000, now, ACTOR),
  limit: { createdAt: now, deadline: now + 120_000, horizon: now + 120_000 },
  ...more,
})
export const record = (more: Partial<LiveRecord> = {}, key = KEY): Item => ({
  type: 'record',
  key,
  record: encodeRecord(liveRecord(more)),
})
export const change = (more: Partial<Change> = {}, bytes?: (encoded: Uint8Array) => Uint8Array): ChangeDelta => {
  const encoded = encodeChange({
    actor: ACTOR,
    seq: 1,
    startOp: 1,
    deps: [],
    ops: [{ action: 'set', obj: undefined, key: 'by', value: 'b', pred: [] }],
    ...more,
  }).bytes
  return { bytes: bytes ? bytes(encoded) : encoded, context: [] }
}
export const changesOf = (...list: ChangeDelta[]): Item => ({
  type: 'changes',
  key: sessionKey(ID),
  changes: list,
  lease: undefined,
})
export const refused = (codes: string | readonly string[], act: () => unknown) => expectRefusal(peer, codes, act)
