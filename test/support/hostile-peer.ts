import { randomBytes } from 'node:crypto'
import type { Replica } from '@sojourn/replica'
import {
  decodeMessage,
  encodeMessage,
  type Hello,
  LINK_DIALECT,
  LINK_MAGIC,
  LINK_PROTOCOL,
  type Message,
  prove,
  type Speech,
  speechOf,
} from '@sojourn/wire'
import { WebSocket } from 'ws'
import { SECRET } from './region.js'
import { until } from './until.js'

/** The other end of a link, in the hands of a test: it says what it likes, when it likes. */

const MAX_FRAME_BYTES = 16 * 1024 * 1024

export interface Remote {
  readonly socket: WebSocket
  readonly received: readonly Message[]
  /** How the replica ended the connection; undefined while it stands. */
  readonly ended: { readonly code: number; readonly reason: string } | undefined
  send(message: Message): void
  sendBytes(bytes: Uint8Array | string): void
  /** The first message of a type, from the `from`th message on. */
  next<T extends Message['type']>(type: T, from?: number): Promise<Message & { type: T }>
}

export const hex = (bytes: number): string => randomBytes(bytes).toString('hex')

const urlOf = (replica: Replica): string => `ws://127.0.0.1:${replica.address!.port}`

export const attend = (socket: WebSocket): Remote => {
  const received: Message[] = []
  let ended: Remote['ended']
  socket.on('error', () => {})
  socket.on('message', (data: Buffer) => received.push(decodeMessage(new Uint8Array(data), MAX_FRAME_BYTES)))
  socket.on('close', (code, reason) => {
    ended = { code, reason: reason.toString() }
  })
  return {
    socket,
    received,
    get ended() {
      return ended
    },
    send: (message) => socket.send(encodeMessage(message)),
    sendBytes: (bytes) => socket.send(bytes),
    next: async <T extends Message['type']>(type: T, from = 0) =>
      (await until(
        () => received.slice(from).find((message) => message.type === type),
        () => `a ${type} frame; the connection ${ended ? `ended: ${ended.reason}` : 'stands'}`,
      )) as Message & { type: T },
  }
}

/** A connection on which nothing has been said. */
export const connect = async (replica: Replica): Promise<Remote> => {
  const socket = new WebSocket(urlOf(replica), LINK_PROTOCOL, { perMessageDeflate: false })
  const remote = attend(socket)
  await until(() => socket.readyState === WebSocket.OPEN || remote.ended, 'the connection')
  return remote
}

export const greeting = (region: string, nonce = hex(32)): Message & { type: 'greet' } => ({
  type: 'greet',
  magic: LINK_MAGIC,
  ...speechOf(LINK_DIALECT),
  region,
  nonce,
})

export const helloOf = (feed: string): Hello => ({
  type: 'hello',
  feed,
  lineage: [],
  clock: Date.now(),
  isClockSure: true,
  vector: [],
  scanned: [],
  linked: [],
})

export interface Peer extends Remote {
  readonly feed: string
  /** What the replica said of itself. */
  readonly hello: Hello
  /** Says, now and then, what keeps a link up. */
  beat(more?: Partial<Message & { type: 'heartbeat' }>): void
}

/** Dials, and proves that it knows the secret. */
export const authenticate = async (
  replica: Replica,
  region: string,
  secret = SECRET,
  speech: Partial<Speech> = {},
): Promise<Remote> => {
  const remote = await connect(replica)
  const greet = { ...greeting(region), ...speech }
  remote.send(greet)
  const transcript = { dialer: greet, listener: await remote.next('prove') }
  remote.send({ type: 'accept', proof: prove(secret, 'dialer', transcript) })
  return remote
}

/** A peer with a link that stands. */
export const linkAs = async (
  replica: Replica,
  region: string,
  more: Partial<Hello> = {},
  speech: Partial<Speech> = {},
): Promise<Peer> => {
  const remote = await authenticate(replica, region, SECRET, speech)
  const feed = more.feed ?? hex(16)
  remote.send({ ...helloOf(feed), ...more })
  const hello = await remote.next('hello')
  const beat: Peer['beat'] = (fields) =>
    remote.send({
      type: 'heartbeat',
      sentAt: 1,
      echo: 0,
      echoAge: 0,
      clock: Date.now(),
      isClockSure: true,
      head: 0,
      sum: '00'.repeat(8),
      vector: [],
      linked: [],
      ...fields,
    })
  return Object.defineProperties({ feed, hello, beat } as Peer, Object.getOwnPropertyDescriptors(remote))
}
