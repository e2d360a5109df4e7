/** What replicas say to each other over links: each message once, as its shape, from which its type follows. */
import { ByteWriter, KEY_BYTES } from '@sojourn/core/internal'
import { messageIn, writeMessage } from './frame.js'
import { agreement, type Dialect, speech } from './meeting.js'
import { MAX_REGION_BYTES } from './region-name.js'
import { bytes, flag, hex, list, type MessageOf, type Of, optional, struct, text, uint, union, word } from './shape.js'

/** The link protocol. Version 1 is what there was before versions met: the same without capabilities. */
export const LINK_DIALECT = {
  oldest: 1,
  newest: 2,
  capabilities: {
    /** Compares sums, and sends and takes `digest` and `versions`. */
    digest: 2,
  },
} as const satisfies Dialect<string>
export type LinkCapability = keyof typeof LINK_DIALECT.capabilities

/** The WebSocket subprotocol of links. */
export const LINK_PROTOCOL = 'sojourn-link'

/** "sojn": what a first frame starts with, so that a caller that is no peer is distinguished from a peer of another version. */
export const LINK_MAGIC = 0x736f6a6e

export const NONCE_BYTES = 32
const PROOF_BYTES = 32

const region = text(MAX_REGION_BYTES)
const feed = hex(16)
const key = hex(KEY_BYTES)
const version = hex(16)
const nonce = hex(NONCE_BYTES)
const proof = hex(PROOF_BYTES)
/** Of a version hash, and of sums of them. */
const hash = hex(8)
const held = struct({ feed, through: uint })
const vector = list(held, 1_024)
const linked = list(feed, 1_024)

/** "My feed from `at` on is held by who also holds `feed` through …": entries that come from there were left out. */
const need = struct({ at: uint, feed, through: uint })
export type Need = Of<typeof need>

/** "`region`, in its present incarnation `holder`, holds `feed` through …" */
const holding = struct({ region, holder: feed, feed, through: uint })
export type Holding = Of<typeof holding>

const messages = union({
  /** The dialer's first words. They have this form in all versions. */
  greet: [1, { magic: uint, ...speech, region, nonce }],

  /** The listener chooses what is spoken, proves that it knows the secret, and asks for the same. */
  prove: [2, { ...agreement, region, nonce, proof }],

  /** The dialer's proof. */
  accept: [3, { proof }],

  /** Both sides, once authenticated: who they are and what they hold. */
  hello: [
    4,
    {
      feed,
      /** Earlier incarnations of the store, the latest first. */
      lineage: list(held, 64),
      clock: uint,
      /** Whether the sender trusts its clock. */
      isClockSure: flag,
      vector,
      /** Catch-ups that were broken off: whose feed need not be scanned again up to where. What is not held yet comes after. */
      scanned: vector,
      /** The feeds that the sender receives over links of its own, so nobody need relay them to it. */
      linked,
    },
  ],

  /** A segment of the sender's feed. */
  segment: [
    5,
    {
      /** The receiver's last `resume`; 0 before the first. A segment of an earlier epoch was sent before it was heard. */
      epoch: uint,
      /** The last sequence before the segment. */
      from: uint,
      through: uint,
      /**
       * `live`: deltas as they were committed; `prompt`: the same, and somebody waits for the ack. `catchup`: records, part of a scan
       * of the feed; what it passes may have moved to a later place, so the feed is held only with the last part, `caughtup`.
       */
      mode: word(['live', 'prompt', 'catchup', 'caughtup']),
      /** What was left out because the receiver gets it over links of its own. */
      needs: list(need),
      /** What else one holds who holds the segment: the sender's vector for feeds that the receiver is not linked to. */
      holds: vector,
      /** Encoded items, in the order of the feed. */
      items: list(bytes),
    },
  ],

  /** What the sender holds, and what it knows that others hold. */
  acks: [6, { holdings: list(holding, 4_096) }],

  /** Now and then, also when nothing happens. */
  heartbeat: [
    7,
    {
      /** The sender's monotonic clock, microseconds. */
      sentAt: uint,
      /** The `sentAt` of the last heartbeat received, and how long ago that was, in microseconds; 0 and 0 before the first. */
      echo: uint,
      echoAge: uint,
      /** The sender's wall clock, milliseconds. */
      clock: uint,
      /** Whether the sender trusts its clock. */
      isClockSure: flag,
      /** The last sequence of the sender's feed. */
      head: uint,
      /** The sum of the version hashes of all its records. */
      sum: hash,
      vector,
      linked,
    },
  ],

  /** "Start again after `from`: I lost something, or a link over which I got what you left out." */
  resume: [
    8,
    {
      /** One more with each. */
      epoch: uint,
      from: uint,
      linked,
    },
  ],

  /** "Which version of this session do you hold? Mine is …", or none. */
  ask: [9, { request: uint, key, version: optional(version) }],

  /** The answer; `record` is there where the versions differ. */
  tell: [10, { request: uint, what: word(['same', 'none', 'record', 'corrupt']), record: optional(bytes) }],

  /** "Send me these records: a delta builds on something that I lack." */
  want: [11, { keys: list(key) }],

  /** Records outside the feed's order: wanted ones and repairs. `absent` are wanted keys of which nothing is known. */
  records: [12, { records: list(struct({ key, record: bytes })), absent: list(key) }],

  /** "These are the sums of my records' version hashes, over some ranges of keys." */
  digest: [
    13,
    {
      /** A range is what has its first `bits` bits in common. */
      bits: uint,
      /** How many of them `ranges` names; each stands for all of the ranges below it, in order. 0: all ranges there are. */
      above: uint,
      ranges: list(uint),
      /** The low halves of the sums, 4 bytes each, little endian. */
      sums: bytes,
      /** Whether what differs is to be compared at once: else only what differed the last time, too, for much is on its way at any time. */
      isSure: flag,
    },
  ],

  /** The sums differ; these are the sender's records in some ranges, all of them, each with the hash of key and version. */
  versions: [14, { bits: uint, ranges: list(uint), versions: list(struct({ key, version: hash })) }],

  /** "Your segments of this epoch through here are on my disk": there is room for more, though they are not claimed yet. */
  received: [15, { epoch: uint, through: uint }],
})

export type Message = MessageOf<typeof messages>
type Typed<T extends Message['type']> = Extract<Message, { type: T }>
export type Hello = Typed<'hello'>
export type Segment = Typed<'segment'>
export type Acks = Typed<'acks'>
export type Heartbeat = Typed<'heartbeat'>
export type Resume = Typed<'resume'>
export type Ask = Typed<'ask'>
export type Tell = Typed<'tell'>
export type Want = Typed<'want'>
export type Records = Typed<'records'>
export type Digest = Typed<'digest'>
export type Versions = Typed<'versions'>

const writer = new ByteWriter(64 * 1024)

/** One frame. */
export const encodeMessage = (said: Message): Uint8Array => {
  writeMessage(writer, messages, said)
  return writer.borrow()
}

/**
 * Byte strings in the message are views of the frame.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export const decodeMessage = (frame: Uint8Array, maxFrameBytes: number): Message =>
  messageIn(messages, frame, maxFrameBytes)
