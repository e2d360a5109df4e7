import type { Ancestor, FeedId, Held, SessionKey } from '@sojourn/core'
import { ByteReader, ByteWriter, KEY_BYTES, SojournError } from '@sojourn/core'
import { MAX_REGION_BYTES } from './region-name.js'
import type { Shape } from './shape.js'
import { bytes, flag, hex, list, optional, struct, text, uint, union, word } from './shape.js'

/** Of the link protocol. A peer that speaks another one is refused with LINK_VERSION. */
export const LINK_VERSION = 1

/** The WebSocket subprotocol of links. */
export const LINK_PROTOCOL = 'sojourn-link'

/** "sojn": what a first frame starts with, so that a stranger is told apart from a peer of another version. */
export const LINK_MAGIC = 0x736f6a6e

export const NONCE_BYTES = 32
const PROOF_BYTES = 32

/** Of a version hash, and of sums of them. */
const HASH_BYTES = 8

/** The dialler's first words. */
export interface Greet {
  readonly type: 'greet'
  readonly magic: number
  readonly version: number
  readonly region: string
  readonly nonce: string
}

/** The listener proves that it knows the secret, and asks for the same. */
export interface Prove {
  readonly type: 'prove'
  readonly region: string
  readonly nonce: string
  readonly proof: string
}

/** The dialler's proof. */
export interface Accept {
  readonly type: 'accept'
  readonly proof: string
}

/** Both sides, once authenticated: who they are and what they hold. */
export interface Hello {
  readonly type: 'hello'
  readonly feed: FeedId
  /** Earlier openings of the store, the latest first. */
  readonly lineage: readonly Ancestor[]
  readonly clock: number
  /** Whether the sender trusts its clock. */
  readonly isClockSure: boolean
  readonly vector: readonly Held[]
  /** Catch-ups that were broken off: whose feed need not be walked again up to where. What is not held yet lies behind. */
  readonly walked: readonly Held[]
  /** The feeds that the sender receives over links of its own, so nobody need relay them to it. */
  readonly linked: readonly FeedId[]
}

const STRETCH_MODES = ['live', 'prompt', 'catchup', 'caughtup'] as const

/** "My feed from `at` on is held by who also holds `feed` through …": entries that come from there were left out. */
export interface Need extends Held {
  readonly at: number
}

/** A stretch of the sender's feed. */
export interface Stretch {
  readonly type: 'stretch'
  /** The receiver's last {@link Resume}; 0 before the first. A stretch of an earlier epoch was sent before it was heard. */
  readonly epoch: number
  /** The last sequence before the stretch. */
  readonly from: number
  readonly through: number
  /** Encoded items, in the order of the feed. */
  readonly items: readonly Uint8Array[]
  /** What was left out because the receiver gets it over links of its own. */
  readonly needs: readonly Need[]
  /** What else one holds who holds the stretch: the sender's vector for feeds that the receiver is not linked to. */
  readonly holds: readonly Held[]
  /**
   * `live`: deltas as they were committed; `prompt`: the same, and somebody waits for the ack. `catchup`: records, part of a walk
   * over the feed; what it passes may have moved to a later place, so the feed is held only with the last part, `caughtup`.
   */
  readonly mode: (typeof STRETCH_MODES)[number]
}

/** "`region`, in its present opening `holder`, holds `feed` through …" */
export interface Holding {
  readonly region: string
  readonly holder: FeedId
  readonly feed: FeedId
  readonly through: number
}

/** What the sender holds, and what it knows that others hold. */
export interface Acks {
  readonly type: 'acks'
  readonly holdings: readonly Holding[]
}

/** "Your stretches through here are on my disk": there is room for more, though they are not claimed yet. */
export interface Received {
  readonly type: 'received'
  /** Of the stretches. */
  readonly epoch: number
  readonly through: number
}

/** Now and then, also when nothing happens. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  /** The sender's monotonic clock, microseconds. */
  readonly sentAt: number
  /** The `sentAt` of the last heartbeat received, and how long ago that was, in microseconds; 0 and 0 before the first. */
  readonly echo: number
  readonly echoAge: number
  /** The sender's wall clock, milliseconds. */
  readonly clock: number
  /** Whether the sender trusts it. */
  readonly isClockSure: boolean
  /** The last sequence of the sender's feed. */
  readonly head: number
  /** The sum of the version hashes of all its records. */
  readonly sum: string
  readonly vector: readonly Held[]
  readonly linked: readonly FeedId[]
}

/** "Start again after `from`: I lost something, or a link over which I got what you left out." */
export interface Resume {
  readonly type: 'resume'
  /** One more with each. */
  readonly epoch: number
  readonly from: number
  readonly linked: readonly FeedId[]
}

/** "Which version of this session do you hold? Mine is …" */
export interface Ask {
  readonly type: 'ask'
  readonly request: number
  readonly key: SessionKey
  /** Undefined: none. */
  readonly version: string | undefined
}

const TELLS = ['same', 'none', 'record', 'corrupt'] as const

/** The answer; `record` is there where the versions differ. */
export interface Tell {
  readonly type: 'tell'
  readonly request: number
  readonly what: (typeof TELLS)[number]
  readonly record: Uint8Array | undefined
}

/** "Send me these records: a delta builds on something that I lack." */
export interface Want {
  readonly type: 'want'
  readonly keys: readonly SessionKey[]
}

/** Records outside the feed's order: wanted ones and repairs. `absent` are wanted keys of which nothing is known. */
export interface Records {
  readonly type: 'records'
  readonly records: readonly { readonly key: SessionKey; readonly record: Uint8Array }[]
  readonly absent: readonly SessionKey[]
}

/** "These are the sums of my records' version hashes, over some ranges of keys." */
export interface Digest {
  readonly type: 'digest'
  /** A range is what has its first `bits` bits in common. */
  readonly bits: number
  /** How many of them `ranges` names; each stands for all of the ranges below it, in order. 0: all ranges there are. */
  readonly above: number
  readonly ranges: readonly number[]
  /** The low halves of the sums, 4 bytes each, little endian. */
  readonly sums: Uint8Array
  /** Whether what differs is to be compared at once: else only what differed the last time, too, for much is on its way at any time. */
  readonly isSure: boolean
}

/** The sums differ; these are the sender's records in some ranges, all of them. */
export interface Versions {
  readonly type: 'versions'
  readonly bits: number
  readonly ranges: readonly number[]
  /** `version`: the hash of key and version. */
  readonly versions: readonly { readonly key: SessionKey; readonly version: string }[]
}

export type Message =
  | Greet
  | Prove
  | Accept
  | Hello
  | Stretch
  | Acks
  | Heartbeat
  | Resume
  | Ask
  | Tell
  | Want
  | Records
  | Digest
  | Versions
  | Received

type Body<M> = Omit<M, 'type'>
const region = text(MAX_REGION_BYTES)
const feed = hex(16)
const key = hex(KEY_BYTES)
const version = hex(16)
const nonce = hex(NONCE_BYTES)
const proof = hex(PROOF_BYTES)
const held: Shape<Held> = struct<Held>({ feed, through: uint })
const vector = list(held, 1_024)
const linked = list(feed, 1_024)

const message: Shape<Message> = union<Message>({
  greet: [1, struct<Body<Greet>>({ magic: uint, version: uint, region, nonce })],
  prove: [2, struct<Body<Prove>>({ region, nonce, proof })],
  accept: [3, struct<Body<Accept>>({ proof })],
  hello: [
    4,
    struct<Body<Hello>>({
      feed,
      lineage: list(held, 64),
      clock: uint,
      isClockSure: flag,
      vector,
      walked: vector,
      linked,
    }),
  ],
  stretch: [
    5,
    struct<Body<Stretch>>({
      epoch: uint,
      from: uint,
      through: uint,
      mode: word(STRETCH_MODES),
      needs: list(struct<Need>({ at: uint, feed, through: uint })),
      holds: vector,
      items: list(bytes),
    }),
  ],
  acks: [
    6,
    struct<Body<Acks>>({ holdings: list(struct<Holding>({ region, holder: feed, feed, through: uint }), 4_096) }),
  ],
  heartbeat: [
    7,
    struct<Body<Heartbeat>>({
      sentAt: uint,
      echo: uint,
      echoAge: uint,
      clock: uint,
      isClockSure: flag,
      head: uint,
      sum: hex(HASH_BYTES),
      vector,
      linked,
    }),
  ],
  resume: [8, struct<Body<Resume>>({ epoch: uint, from: uint, linked })],
  ask: [9, struct<Body<Ask>>({ request: uint, key, version: optional(version) })],
  tell: [10, struct<Body<Tell>>({ request: uint, what: word(TELLS), record: optional(bytes) })],
  want: [11, struct<Body<Want>>({ keys: list(key) })],
  records: [12, struct<Body<Records>>({ records: list(struct({ key, record: bytes })), absent: list(key) })],
  digest: [13, struct<Body<Digest>>({ bits: uint, above: uint, ranges: list(uint), sums: bytes, isSure: flag })],
  versions: [
    14,
    struct<Body<Versions>>({
      bits: uint,
      ranges: list(uint),
      versions: list(struct({ key, version: hex(HASH_BYTES) })),
    }),
  ],
  received: [15, struct<Body<Received>>({ epoch: uint, through: uint })],
})

const writer = new ByteWriter(64 * 1024)

/** One frame. */
export const encodeMessage = (value: Message): Uint8Array => {
  message.write(writer, value)
  return writer.borrow()
}

/**
 * Byte strings in the message are views of the frame.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export const decodeMessage = (frame: Uint8Array, maxFrameBytes: number): Message => {
  if (frame.length > maxFrameBytes)
    throw new SojournError('FRAME_TOO_LARGE', `a frame has ${frame.length} bytes, ${maxFrameBytes} are allowed`, {
      limit: maxFrameBytes,
    })
  const reader = new ByteReader(frame, 'FRAME_INVALID')
  const decoded = message.read(reader)
  reader.end()
  return decoded
}
