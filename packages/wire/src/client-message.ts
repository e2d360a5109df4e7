import type { EndReason, ErrorCode, Level, SessionKey } from '@sojourn/core'
import { ByteReader, type ByteWriter, END_REASONS, ERROR_CODES, KEY_BYTES, SojournError } from '@sojourn/core'
import { MAX_REGION_BYTES } from './region-name.js'
import type { Shape } from './shape.js'
import { flag, hex, list, optional, sparse, struct, text, uint, union } from './shape.js'

/**
 * What a client and a server say to each other. A frame holds as many messages as there are at a time, one behind the other.
 *
 * A request has a number, one more with each that the client makes, on whatever connection, for as long as the client lives; its answer has the
 * same. So the server can tell a write that comes again from a new one: see `resumes`.
 */

/** Of the client protocol. A client that speaks another one is refused with LINK_VERSION. */
export const CLIENT_VERSION = 1

/** The WebSocket subprotocol of clients. */
export const CLIENT_PROTOCOL = 'sojourn-client'

/** "sojc": what a first frame starts with, so that a stranger is told apart from a client of another version. */
export const CLIENT_MAGIC = 0x736f6a63

/** Until a client is known, its frames are no longer than this. */
export const MAX_GREETING_BYTES = 2_048

const MAX_TOKEN_BYTES = 1_024
const MAX_ID_BYTES = 2_048
const MAX_MESSAGE_BYTES = 64 * 1_024
const MAX_PATH_BYTES = 64 * 1_024
const MAX_COUNTERS = 1_024

/** A client's first words. */
export interface Join {
  readonly type: 'join'
  readonly magic: number
  readonly version: number
  /** Made anew with each client, of 128 random bits: who knows it, and the token, gets what this client was answered. */
  readonly client: string
  readonly token: string
}

/** Now and then, also when nothing happens. */
export interface Ping {
  readonly type: 'ping'
  readonly number: number
}

/** "Every request of mine with a number below this one is answered, or given up": the server need not remember more. */
export interface Settled {
  readonly type: 'settled'
  readonly below: number
}

interface Numbered {
  readonly number: number
}

export interface ReadChoices {
  readonly read?: Level | undefined
  readonly timeoutMs?: number | undefined
}

export interface WriteChoices {
  readonly write?: Level | undefined
  readonly timeoutMs?: number | undefined
}

export interface CreateChoices extends WriteChoices {
  readonly id?: string | undefined
  readonly idleTimeoutMs?: number | undefined
  readonly maxLifetimeMs?: number | undefined
}

export interface UpdateChoices extends WriteChoices {
  readonly touch?: boolean | undefined
  readonly idleTimeoutMs?: number | undefined
}

export interface EndChoices extends WriteChoices {
  readonly reason?: EndReason | undefined
}

export interface GetRequest extends Numbered {
  readonly type: 'get'
  readonly id: string
  /** Whether the client keeps the answer, and wants to be told when it is no longer so. */
  readonly watch: boolean
  readonly choices: ReadChoices
}

export interface CreateRequest extends Numbered {
  readonly type: 'create'
  /** See `encodeData`; so are all texts called so. */
  readonly data: string
  readonly choices: CreateChoices
}

/** A JSON merge patch (RFC 7396). */
export interface PatchRequest extends Numbered {
  readonly type: 'patch'
  readonly id: string
  readonly patch: string
  readonly choices: UpdateChoices
}

export interface ReplaceRequest extends Numbered {
  readonly type: 'replace'
  readonly id: string
  /** What the caller had read, or as much of it as differs from `next`. Undefined: what the server holds. */
  readonly base: string | undefined
  readonly next: string
  readonly counters: readonly string[]
  readonly choices: UpdateChoices
}

export interface IncrementRequest extends Numbered {
  readonly type: 'increment'
  readonly id: string
  readonly path: string
  readonly by: number
  readonly choices: UpdateChoices
}

export interface TouchRequest extends Numbered {
  readonly type: 'touch'
  readonly id: string
  readonly choices: UpdateChoices
}

export interface EndRequest extends Numbered {
  readonly type: 'end'
  readonly id: string
  readonly choices: EndChoices
}

export interface RotateRequest extends Numbered {
  readonly type: 'rotate'
  readonly id: string
  readonly choices: WriteChoices
}

export interface CountRequest extends Numbered {
  readonly type: 'count'
}

export interface EndAllRequest extends Numbered {
  readonly type: 'endAll'
  readonly choices: EndChoices
}

/** Begins a walk over all sessions; its answer is the first page. */
export interface WalkRequest extends Numbered {
  readonly type: 'walk'
}

/** The next page of the walk that the request `walk` began. */
export interface StepRequest extends Numbered {
  readonly type: 'step'
  readonly walk: number
}

/** The walk is over. Has no answer. */
export interface Leave {
  readonly type: 'leave'
  readonly walk: number
}

export type ClientRequest =
  | GetRequest
  | CreateRequest
  | PatchRequest
  | ReplaceRequest
  | IncrementRequest
  | TouchRequest
  | EndRequest
  | RotateRequest
  | CountRequest
  | EndAllRequest
  | WalkRequest
  | StepRequest

export type FromClient = Join | Ping | Settled | Leave | ClientRequest

/** The client is let in. */
export interface Welcome {
  readonly type: 'welcome'
  readonly version: number
  /** Made anew each time that a server begins to listen: only this one knows what it answered. */
  readonly server: string
  readonly region: string
  /**
   * The highest number of a request that this server has had from this client; undefined where it does not know the client, or has
   * forgotten it. A write that may come again: above this it was never had, and is new; up to it, the answer is remembered.
   */
  readonly resumes: number | undefined
  /** Unanswered requests that the server bears of one client; one more is answered with OVERLOADED. */
  readonly maxInFlight: number
  readonly maxFrameBytes: number
  /** How long sessions live where a request says nothing, and at most. */
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
}

/** The answer to a ping: whatever the server said before it has come, too. */
export interface Pong {
  readonly type: 'pong'
  readonly number: number
  /** The server's wall clock, milliseconds. */
  readonly clock: number
}

/** "Ask me nothing more, and leave when all that you asked is answered": the server is about to end. */
export interface Farewell {
  readonly type: 'farewell'
}

interface SessionTold {
  readonly createdAt: number
  readonly expiresAt: number
  readonly data: string
}

/** A session under the id that was asked for. */
export interface Found extends Numbered, SessionTold {
  readonly type: 'found'
  /** Whether the server will say when it is no longer so. */
  readonly watched: boolean
}

/** A session under a new id. */
export interface MadeAnswer extends Numbered, SessionTold {
  readonly type: 'made'
  readonly id: string
}

/** There is no such session. */
export interface NoneAnswer extends Numbered {
  readonly type: 'none'
}

/** How many; of `end`, whether it was alive, as 1 or 0. */
export interface CountAnswer extends Numbered {
  readonly type: 'counted'
  readonly count: number
}

export interface StoredSessionTold extends SessionTold {
  readonly key: SessionKey
}

export interface PageAnswer extends Numbered {
  readonly type: 'page'
  readonly sessions: readonly StoredSessionTold[]
  readonly isLast: boolean
}

export interface FailureDetails {
  readonly option?: string | undefined
  readonly path?: string | undefined
  readonly need?: number | undefined
  readonly got?: number | undefined
  readonly regions?: readonly string[] | undefined
  readonly mayHaveApplied?: boolean | undefined
  readonly limit?: number | undefined
  readonly state?: 'live' | 'ended' | 'expired' | undefined
  readonly session?: (SessionTold & { readonly id: string }) | undefined
}

/** A SojournError of the server's. */
export interface FailedAnswer extends Numbered {
  readonly type: 'failed'
  readonly code: ErrorCode
  /** Without the code. */
  readonly message: string
  readonly details: FailureDetails
}

/** What the client keeps of these sessions is no longer so. */
export interface Changed {
  readonly type: 'changed'
  readonly keys: readonly SessionKey[]
}

export type Answer = Found | MadeAnswer | NoneAnswer | CountAnswer | PageAnswer | FailedAnswer
export type FromServer = Welcome | Pong | Changed | Farewell | Answer

const LEVELS: readonly Level[] = ['local', 'majority', 'all']

/** A level by name is its place, a number of regions is that and three. */
const level: Shape<Level> = {
  write: (out, value) => void out.uint(typeof value === 'number' ? value + LEVELS.length : LEVELS.indexOf(value)),
  read: (from) => {
    const value = from.uint()
    return LEVELS[value] ?? value - LEVELS.length
  },
}

const signed: Shape<number> = { write: (out, value) => void out.int(value), read: (from) => from.int() }

const oneOf = <const W extends readonly string[]>(words: W): Shape<W[number]> => ({
  write: (out, value) => void out.u8(words.indexOf(value)),
  read: (from) => words[from.u8()] ?? from.fail('an unknown word'),
})

const code: Shape<ErrorCode> = {
  write: (out, value) => void out.text(value),
  read: (from) => {
    const name = from.text(64)
    return Object.hasOwn(ERROR_CODES, name) ? (name as ErrorCode) : from.fail('an unknown error code')
  },
}

type Body<M> = Omit<M, 'type'>
const id = text(MAX_ID_BYTES)
/** Bounded by the frame. */
const data = text(Number.MAX_SAFE_INTEGER)
const message = text(MAX_MESSAGE_BYTES)
const path = text(MAX_PATH_BYTES)
const instance = hex(16)
const key = hex(KEY_BYTES)
const number = uint
const timeoutMs = uint
const idleTimeoutMs = uint
const reads = sparse<ReadChoices>({ read: level, timeoutMs })
const writes = sparse<WriteChoices>({ write: level, timeoutMs })
const updates = sparse<UpdateChoices>({ write: level, timeoutMs, touch: flag, idleTimeoutMs })
const ends = sparse<EndChoices>({ write: level, timeoutMs, reason: oneOf(END_REASONS) })
const creates = sparse<CreateChoices>({ write: level, timeoutMs, id, idleTimeoutMs, maxLifetimeMs: uint })

const fromClient: Shape<FromClient> = union<FromClient>({
  join: [1, struct<Body<Join>>({ magic: uint, version: uint, client: instance, token: text(MAX_TOKEN_BYTES) })],
  ping: [2, struct<Body<Ping>>({ number })],
  settled: [3, struct<Body<Settled>>({ below: uint })],
  get: [4, struct<Body<GetRequest>>({ number, id, watch: flag, choices: reads })],
  create: [5, struct<Body<CreateRequest>>({ number, data, choices: creates })],
  patch: [6, struct<Body<PatchRequest>>({ number, id, patch: data, choices: updates })],
  replace: [
    7,
    struct<Body<ReplaceRequest>>({
      number,
      id,
      base: optional(data),
      next: data,
      counters: list(path, MAX_COUNTERS),
      choices: updates,
    }),
  ],
  increment: [8, struct<Body<IncrementRequest>>({ number, id, path, by: signed, choices: updates })],
  touch: [9, struct<Body<TouchRequest>>({ number, id, choices: updates })],
  end: [10, struct<Body<EndRequest>>({ number, id, choices: ends })],
  rotate: [11, struct<Body<RotateRequest>>({ number, id, choices: writes })],
  count: [12, struct<Body<CountRequest>>({ number })],
  endAll: [13, struct<Body<EndAllRequest>>({ number, choices: ends })],
  walk: [14, struct<Body<WalkRequest>>({ number })],
  step: [15, struct<Body<StepRequest>>({ number, walk: uint })],
  leave: [16, struct<Body<Leave>>({ walk: uint })],
})

const told = { createdAt: uint, expiresAt: uint, data }

const failureDetails = sparse<FailureDetails>({
  option: message,
  path,
  need: uint,
  got: uint,
  regions: list(text(MAX_REGION_BYTES), 1_024),
  mayHaveApplied: flag,
  limit: uint,
  state: oneOf(['live', 'ended', 'expired'] as const),
  session: struct<SessionTold & { readonly id: string }>({ id, ...told }),
})

const fromServer: Shape<FromServer> = union<FromServer>({
  welcome: [
    1,
    struct<Body<Welcome>>({
      version: uint,
      server: instance,
      region: text(MAX_REGION_BYTES),
      resumes: optional(uint),
      maxInFlight: uint,
      maxFrameBytes: uint,
      idleTimeoutMs: uint,
      maxLifetimeMs: uint,
    }),
  ],
  pong: [2, struct<Body<Pong>>({ number, clock: uint })],
  changed: [3, struct<Body<Changed>>({ keys: list(key) })],
  found: [4, struct<Body<Found>>({ number, watched: flag, ...told })],
  made: [5, struct<Body<MadeAnswer>>({ number, id, ...told })],
  none: [6, struct<Body<NoneAnswer>>({ number })],
  counted: [7, struct<Body<CountAnswer>>({ number, count: uint })],
  page: [
    8,
    struct<Body<PageAnswer>>({ number, sessions: list(struct<StoredSessionTold>({ key, ...told })), isLast: flag }),
  ],
  farewell: [10, struct<Body<Farewell>>({})],
  failed: [9, struct<Body<FailedAnswer>>({ number, code, message, details: failureDetails })],
})

/** Puts one more message into a frame that is being written. */
export const writeFromClient = (out: ByteWriter, said: FromClient): void => fromClient.write(out, said)
export const writeFromServer = (out: ByteWriter, said: FromServer): void => fromServer.write(out, said)

/**
 * The messages of a frame, one after the other, each checked as it is taken.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export const readFromClient = (frame: Uint8Array, maxFrameBytes: number): Generator<FromClient, undefined> =>
  readAll(fromClient, frame, maxFrameBytes)
export const readFromServer = (frame: Uint8Array, maxFrameBytes: number): Generator<FromServer, undefined> =>
  readAll(fromServer, frame, maxFrameBytes)

function* readAll<T>(shape: Shape<T>, frame: Uint8Array, maxFrameBytes: number): Generator<T, undefined> {
  if (frame.length > maxFrameBytes)
    throw new SojournError('FRAME_TOO_LARGE', `a frame has ${frame.length} bytes, ${maxFrameBytes} are allowed`, {
      limit: maxFrameBytes,
    })
  const reader = new ByteReader(frame, 'FRAME_INVALID')
  while (reader.left > 0) yield shape.read(reader)
  return undefined
}
