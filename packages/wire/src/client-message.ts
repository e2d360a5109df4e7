/** What clients and servers say to each other: each message once, as its shape, from which its type follows. */
import { type ByteWriter, KEY_BYTES } from '@sojourn/core/internal'
import {
  answered,
  code,
  creates,
  data,
  details,
  elevations,
  ends,
  holders,
  id,
  instance,
  key,
  MAX_ATOMIC,
  MAX_COUNTERS,
  message,
  number,
  patches,
  path,
  type ReplaceChoices,
  reads,
  replacements,
  rotations,
  shown,
  subject,
  subjectEnds,
  subjectSession,
  updates,
  who,
} from './client-shapes.js'
import { messagesIn, writeMessage } from './frame.js'
import { agreement, type Dialect, speech } from './meeting.js'
import { MAX_REGION_BYTES } from './region-name.js'
import { flag, int, list, type MessageOf, optional, struct, text, uint, union } from './shape.js'

/**
 * A frame holds as many messages as there are at a time, one after the other.
 *
 * A request has a number, one more with each that the client makes, on whatever connection, for as long as the client lives; its answer has the
 * same. So the server can distinguish a write that comes again from a new one: see `resumes`.
 */

/** The client protocol. Version 1 is what there was before versions met: the same without capabilities. */
export const CLIENT_DIALECT = {
  oldest: 1,
  newest: 3,
  capabilities: {
    /** Writes say which subtrees are one register, and which objects are new (`atomic`, `assigned`). */
    objects: 2,
    /** Whose session it is: subjects, logins, handles, and secrets that are superseded. */
    identity: 3,
  },
} as const satisfies Dialect<string>
export type ClientCapability = keyof typeof CLIENT_DIALECT.capabilities

/** The WebSocket subprotocol of clients. */
export const CLIENT_PROTOCOL = 'sojourn-client'

/** "sojc": what a first frame starts with, so that a caller that is no client is distinguished from a client of another version. */
export const CLIENT_MAGIC = 0x736f6a63

/** What lets a client in, in bytes of UTF-8. */
export const MAX_TOKEN_BYTES = 1_024

/** Until a client is known, its frames are no longer than this. */
export const MAX_GREETING_BYTES = 2_048

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

  rotate: [11, { number, id, choices: rotations }],

  count: [12, { number }],

  endAll: [13, { number, choices: ends }],

  /** Begins a scan of all sessions; its answer is the first page. */
  scan: [14, { number }],

  /** The next page of the scan that the request `scan` began. */
  step: [15, { number, scan: uint }],

  /** The scan is over. Has no answer. */
  leave: [16, { scan: uint }],

  /** A login. */
  elevate: [17, { number, id, subject, choices: elevations }],

  isLive: [18, { number, handle: key }],

  endHandle: [19, { number, handle: key, choices: ends }],

  endOthers: [20, { number, id, choices: ends }],

  endSubject: [21, { number, subject, choices: subjectEnds }],

  /** Begins a scan of the sessions of a subject; its answer is the first page. */
  sessionsOf: [22, { number, subject }],

  /** The next page of the scan that the request `scan` began: of a subject. */
  stepOf: [23, { number, scan: uint }],
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

  /** As `found` and `made`, to a client that knows of identity. */
  foundWho: [11, { number, watched: flag, ...shown, who }],
  madeWho: [12, { number, id, ...shown, who }],

  /** Sessions of a subject. */
  pageOf: [13, { number, sessions: list(subjectSession), isLast: flag }],

  /** How many sessions were ended, and where the end is held. */
  receipt: [14, { number, ended: uint, regions: holders }],
})

export type FromClient = MessageOf<typeof fromClient>
export type FromServer = MessageOf<typeof fromServer>
type Asked<T extends FromClient['type']> = Extract<FromClient, { type: T }>
type Said<T extends FromServer['type']> = Extract<FromServer, { type: T }>
export type Join = Asked<'join'>
export type GetRequest = Asked<'get'>
export type ClientRequest = Exclude<FromClient, { type: 'join' | 'ping' | 'settled' | 'leave' }>
export type Welcome = Said<'welcome'>
export type Found = Said<'found' | 'foundWho'>
export type MadeAnswer = Said<'made' | 'madeWho'>
export type PageAnswer = Said<'page'>
export type SubjectPageAnswer = Said<'pageOf'>
export type ReceiptAnswer = Said<'receipt'>
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

/** Reasons for an end that came with the capability `identity`. */
const LATER_REASONS: readonly (string | undefined)[] = ['displaced', 'reused']

/** Whether a request takes the capability `identity`. */
export const speaksOfIdentity = (request: ClientRequest): boolean => {
  switch (request.type) {
    case 'elevate':
    case 'isLive':
    case 'endHandle':
    case 'endOthers':
    case 'endSubject':
    case 'sessionsOf':
    case 'stepOf':
      return true
    case 'create': {
      const { subject, device, auth } = request.choices
      return subject !== undefined || device !== undefined || auth !== undefined
    }
    case 'get':
      return request.choices.after !== undefined
    case 'rotate':
      return request.choices.graceMs !== undefined
    case 'end':
    case 'endAll':
      return LATER_REASONS.includes(request.choices.reason)
    default:
      return false
  }
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
    case 'endSubject':
      return Buffer.byteLength(request.subject) + KEY_BYTES * (request.choices.except?.length ?? 0)
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
