/** What clients and servers say to each other: each message once, as its shape, from which its type follows. */
import {
  type ByteWriter,
  END_REASONS,
  ERROR_CODES,
  type ErrorCode,
  KEY_BYTES,
  type Level,
  MAX_ID_CHARS,
  TOKEN_BYTES,
} from '@sojourn/core/internal'
import { messagesIn, writeMessage } from './frame.js'
import { agreement, type Dialect, speech } from './meeting.js'
import { MAX_REGION_BYTES } from './region-name.js'
import {
  bytes,
  flag,
  hex,
  int,
  list,
  type MessageOf,
  numbered,
  type Of,
  optional,
  refuse,
  type Shape,
  sparse,
  struct,
  text,
  uint,
  union,
  word,
} from './shape.js'

/**
 * A frame holds as many messages as there are at a time, one after the other.
 *
 * A request has a number, one more with each that the client makes, on whatever connection, for as long as the client lives; its answer has the
 * same. So the server can distinguish a write that comes again from a new one: see `resumes`.
 */

/** The client protocol. Version 1 is what there was before versions met: the same without capabilities. */
export const CLIENT_DIALECT = {
  oldest: 1,
  newest: 2,
  capabilities: {
    /** Writes say which subtrees are one register, and which objects are new (`atomic`, `assigned`). */
    objects: 2,
  },
} as const satisfies Dialect<string>
export type ClientCapability = keyof typeof CLIENT_DIALECT.capabilities

/** The WebSocket subprotocol of clients. */
export const CLIENT_PROTOCOL = 'sojourn-client'

/** "sojc": what a first frame starts with, so that a caller that is no client is distinguished from a client of another version. */
export const CLIENT_MAGIC = 0x736f6a63

/** Until a client is known, its frames are no longer than this. */
export const MAX_GREETING_BYTES = 2_048

/** What lets a client in, in bytes of UTF-8. */
export const MAX_TOKEN_BYTES = 1_024
/** Of a session's id: a UTF-16 code unit takes less in UTF-8. */
const MAX_ID_BYTES = 4 * MAX_ID_CHARS
const MAX_MESSAGE_BYTES = 64 * 1_024
const MAX_PATH_BYTES = 64 * 1_024

/** Pointers that a `replace` may name as counters, or as assigned; and that a write may name as atomic. */
export const MAX_COUNTERS = 1_024
export const MAX_ASSIGNED = 1_024
export const MAX_ATOMIC = 64

const LEVELS: readonly Level[] = ['local', 'majority', 'all']

/** A level by name is its place, a number of regions is that and three. */
const level = numbered<Level>(
  (value) => (typeof value === 'number' ? value + LEVELS.length : LEVELS.indexOf(value)),
  (number) => LEVELS[number] ?? number - LEVELS.length,
)

const name = text(64)
const code: Shape<ErrorCode> = {
  ...name,
  check: (values, at, tail) => {
    const value = name.check(values, at, tail)
    return Object.hasOwn(ERROR_CODES, value) ? (value as ErrorCode) : refuse('an unknown error code')
  },
}

const id = text(MAX_ID_BYTES)
/** See `packData`. Bounded by the frame. */
const data = bytes
const message = text(MAX_MESSAGE_BYTES)
const path = text(MAX_PATH_BYTES)
const instance = hex(16)
const key = hex(KEY_BYTES)
const number = uint

const write = { write: level, timeoutMs: uint }
const update = { ...write, touch: flag, idleTimeoutMs: uint }
/** Subtrees that are one register each. */
const atomic = list(path, MAX_ATOMIC)
const reads = sparse({ read: level, timeoutMs: uint })
const writes = sparse(write)
const updates = sparse(update)
const patches = sparse({ ...update, atomic })
/** Which object it is: see `tokensOf` of @sojourn/core. */
const object = hex(TOKEN_BYTES)
/** `assigned`: objects that are new, rather than changed. `within`: the objects of the base, as the client had read them. */
const replacements = sparse({
  ...update,
  atomic,
  assigned: list(path, MAX_ASSIGNED),
  within: list(struct({ path, object }), MAX_ASSIGNED),
})
const ends = sparse({ ...write, reason: word(END_REASONS) })
const creates = sparse({ ...write, id, idleTimeoutMs: uint, maxLifetimeMs: uint, atomic })
export type ReadChoices = Of<typeof reads>
export type WriteChoices = Of<typeof writes>
export type UpdateChoices = Of<typeof updates>
export type PatchChoices = Of<typeof patches>
export type ReplaceChoices = Of<typeof replacements>
export type CreateChoices = Of<typeof creates>

const fromClient = union({
  /** A client's first words. They have this form in all versions. */
  join: [
    1,
    {
      magic: uint,
      ...speech,
      /** Made anew with each client, of 128 random bits: who knows it, and the token, gets what this client was answered. */
      client: instance,
      token: text(MAX_TOKEN_BYTES),
    },
  ],

  /** Now and then, also when nothing happens. */
  ping: [2, { number }],

  /** "Every request of mine with a number below this one is answered, or given up": the server need not remember more. */
  settled: [3, { below: uint }],

  /** `watch`: whether the client keeps the answer, and wants to hear when it is no longer so. */
  get: [4, { number, id, watch: flag, choices: reads }],

  create: [5, { number, data, choices: creates }],

  /** A JSON merge patch (RFC 7396). */
  patch: [6, { number, id, patch: data, choices: patches }],

  replace: [
    7,
    {
      number,
      id,
      /** What the caller had read, or as much of it as differs from `next`. Undefined: what the server holds. */
      base: optional(data),
      next: data,
      counters: list(path, MAX_COUNTERS),
      choices: replacements,
    },
  ],

  increment: [8, { number, id, path, by: int, choices: updates }],

  touch: [9, { number, id, choices: updates }],

  end: [10, { number, id, choices: ends }],

  rotate: [11, { number, id, choices: writes }],

  count: [12, { number }],

  endAll: [13, { number, choices: ends }],

  /** Begins a scan of all sessions; its answer is the first page. */
  scan: [14, { number }],

  /** The next page of the scan that the request `scan` began. */
  step: [15, { number, scan: uint }],

  /** The scan is over. Has no answer. */
  leave: [16, { scan: uint }],
})

const answered = { createdAt: uint, expiresAt: uint, data }
/** `objects`: which objects are in the data, in the order of `objectsIn` of @sojourn/core. */
const shown = { ...answered, objects: list(object) }

const details = sparse({
  option: message,
  path,
  need: uint,
  got: uint,
  regions: list(text(MAX_REGION_BYTES), 1_024),
  mayHaveApplied: flag,
  limit: uint,
  state: word(['live', 'ended', 'expired']),
  session: struct({ id, ...shown }),
})

const fromServer = union({
  /** The client is let in. */
  welcome: [
    1,
    {
      ...agreement,
      /** Made anew each time that a server begins to listen: only this one knows what it answered. */
      server: instance,
      region: text(MAX_REGION_BYTES),
      /**
       * The highest number of a request that this server has had from this client; undefined where it does not know the client, or has
       * forgotten it. A write that may come again: above this it was never had, and is new; up to it, the answer is remembered.
       */
      resumes: optional(uint),
      /** Unanswered requests that the server bears of one client; one more is answered with OVERLOADED. */
      maxInFlight: uint,
      maxFrameBytes: uint,
      /** How long sessions live where a request says nothing, and at most. */
      idleTimeoutMs: uint,
      maxLifetimeMs: uint,
      /** JSON pointers of objects that are one value: what is written in one is sent whole. */
      atomic: list(path, MAX_ATOMIC),
    },
  ],

  /** The answer to a ping: whatever the server said before it has come, too. `clock`: the server's wall clock, milliseconds. */
  pong: [2, { number, clock: uint }],

  /** What the client keeps of these sessions is no longer so. */
  changed: [3, { keys: list(key) }],

  /** A session under the id that was asked for. `watched`: whether the server will say when it is no longer so. */
  found: [4, { number, watched: flag, ...shown }],

  /** A session under a new id. */
  made: [5, { number, id, ...shown }],

  /** There is no such session. */
  none: [6, { number }],

  /** How many; of `end`, whether it was alive, as 1 or 0. */
  counted: [7, { number, count: uint }],

  page: [8, { number, sessions: list(struct({ key, ...answered })), isLast: flag }],

  /** A SojournError of the server's, the message without the code. */
  failed: [9, { number, code, message, details }],

  /** "Ask me nothing more, and leave when all that you asked is answered": the server is about to end. */
  drain: [10, {}],
})

export type FromClient = MessageOf<typeof fromClient>
export type FromServer = MessageOf<typeof fromServer>
type Asked<T extends FromClient['type']> = Extract<FromClient, { type: T }>
type Said<T extends FromServer['type']> = Extract<FromServer, { type: T }>
export type Join = Asked<'join'>
export type GetRequest = Asked<'get'>
export type ClientRequest = Exclude<FromClient, { type: 'join' | 'ping' | 'settled' | 'leave' }>
export type Welcome = Said<'welcome'>
export type Found = Said<'found'>
export type MadeAnswer = Said<'made'>
export type PageAnswer = Said<'page'>
export type FailedAnswer = Said<'failed'>
export type Answer = Exclude<FromServer, { type: 'welcome' | 'pong' | 'changed' | 'drain' }>

/** Whether a request takes the capability `objects`. */
export const speaksOfObjects = (request: ClientRequest): boolean =>
  (request.type === 'create' || request.type === 'patch' || request.type === 'replace') &&
  (request.choices.atomic !== undefined || (request.type === 'replace' && saysOfObjects(request.choices)))

const saysOfObjects = ({ assigned, within }: ReplaceChoices) => assigned !== undefined || within !== undefined

/** The same without it, for a server that does not know it: there, objects are distinguished as if nothing had been said of them. */
export const withoutObjects = (request: ClientRequest): ClientRequest => {
  const { atomic: _, assigned: __, within: ___, ...choices } = (request as { choices: ReplaceChoices }).choices
  return { ...request, choices } as ClientRequest
}

/** Bytes of what may be long in a request: its data, and pointers. */
export const dataBytes = (request: ClientRequest): number => {
  switch (request.type) {
    case 'create':
      return request.data.length + textBytes(request.choices.atomic)
    case 'patch':
      return request.patch.length + textBytes(request.choices.atomic)
    case 'replace': {
      const { base, next, counters, choices } = request
      const pointers = textBytes(counters) + textBytes(choices.atomic) + textBytes(choices.assigned)
      return (base?.length ?? 0) + next.length + pointers
    }
    case 'increment':
      return Buffer.byteLength(request.path)
    default:
      return 0
  }
}

const textBytes = (texts: readonly string[] = []): number => {
  let bytes = 0
  for (const text of texts) bytes += Buffer.byteLength(text)
  return bytes
}

/** Puts one more message into a frame that is being written. */
export const writeFromClient = (out: ByteWriter, said: FromClient): void => writeMessage(out, fromClient, said)
export const writeFromServer = (out: ByteWriter, said: FromServer): void => writeMessage(out, fromServer, said)

/**
 * The messages of a frame, one after the other, each checked as it is taken.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export const readFromClient = (frame: Uint8Array, maxFrameBytes: number): Generator<FromClient, undefined> =>
  messagesIn(fromClient, frame, maxFrameBytes)
export const readFromServer = (frame: Uint8Array, maxFrameBytes: number): Generator<FromServer, undefined> =>
  messagesIn(fromServer, frame, maxFrameBytes)
