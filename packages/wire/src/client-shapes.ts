/** What the messages of the client protocol are made of. */
import {
  END_REASONS,
  ERROR_CODES,
  type ErrorCode,
  KEY_BYTES,
  type Level,
  MAX_ACR_BYTES,
  MAX_AMR,
  MAX_AMR_BYTES,
  MAX_DEVICE_BYTES,
  MAX_EXCEPT,
  MAX_ID_CHARS,
  MAX_POINTER_BYTES,
  MAX_SUBJECT_CHARS,
  TOKEN_BYTES,
} from '@sojourn/core/internal'
import { MAX_REGION_BYTES } from './region-name.js'
import {
  bytes,
  flag,
  hex,
  list,
  numbered,
  type Of,
  optional,
  refuse,
  type Shape,
  sparse,
  struct,
  text,
  uint,
  word,
} from './shape.js'

/** Of an id, and of a subject: a UTF-16 code unit takes less in UTF-8. */
const MAX_ID_BYTES = 4 * MAX_ID_CHARS
const MAX_SUBJECT_BYTES = 4 * MAX_SUBJECT_CHARS
/** Of what says where a write is: a feed as hex, a dot, and a sequence. */
const MAX_WRITTEN_BYTES = 64
/** Of an error's text: who sends one that may be longer cuts it. */
export const MAX_MESSAGE_BYTES = 64 * 1_024
const MAX_PATH_BYTES = MAX_POINTER_BYTES
/** Regions that an answer names. */
const MAX_REGIONS = 1_024

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
export const code: Shape<ErrorCode> = {
  ...name,
  check: (values, at, tail) => {
    const value = name.check(values, at, tail)
    return Object.hasOwn(ERROR_CODES, value) ? (value as ErrorCode) : refuse('an unknown error code')
  },
}

export const id = text(MAX_ID_BYTES)
/** See `packData`. Bounded by the frame. */
export const data = bytes
export const message = text(MAX_MESSAGE_BYTES)
export const path = text(MAX_PATH_BYTES)
export const instance = hex(16)
export const key = hex(KEY_BYTES)
export const number = uint

const write = { write: level, timeoutMs: uint }
const update = { ...write, touch: flag, idleTimeoutMs: uint }
/** Subtrees that are one register each. */
const atomic = list(path, MAX_ATOMIC)
const written = text(MAX_WRITTEN_BYTES)
export const subject = text(MAX_SUBJECT_BYTES)
const device = text(MAX_DEVICE_BYTES)
const acr = text(MAX_ACR_BYTES)
const amr = list(text(MAX_AMR_BYTES), MAX_AMR)
/** What a caller says of a login. */
const login = { device, auth: sparse({ time: uint, acr, amr }) }

export const reads = sparse({ read: level, timeoutMs: uint, after: written })
const writes = sparse(write)
export const updates = sparse(update)
export const patches = sparse({ ...update, atomic })
/** Which object it is: see `tokensOf` of @sojourn/core. */
export const object = hex(TOKEN_BYTES)
/** `assigned`: objects that are new, rather than changed. `within`: the objects of the base, as the client had read them. */
export const replacements = sparse({
  ...update,
  atomic,
  assigned: list(path, MAX_ASSIGNED),
  within: list(struct({ path, object }), MAX_ASSIGNED),
})
export const ends = sparse({ ...write, reason: word(END_REASONS) })
export const creates = sparse({ ...write, id, idleTimeoutMs: uint, maxLifetimeMs: uint, atomic, subject, ...login })
export const elevations = sparse({ ...write, ...login, idleTimeoutMs: uint, maxLifetimeMs: uint })
export const rotations = sparse({ ...write, graceMs: uint })
/** `except`: handles of sessions that live on. */
export const subjectEnds = sparse({ ...write, reason: word(END_REASONS), except: list(key, MAX_EXCEPT) })
export type ReadChoices = Of<typeof reads>
export type WriteChoices = Of<typeof writes>
export type UpdateChoices = Of<typeof updates>
export type PatchChoices = Of<typeof patches>
export type ReplaceChoices = Of<typeof replacements>
export type CreateChoices = Of<typeof creates>
export type ElevateChoices = Of<typeof elevations>
export type RotateChoices = Of<typeof rotations>
export type EndChoices = Of<typeof ends>
export type SubjectEndChoices = Of<typeof subjectEnds>

export const answered = { createdAt: uint, expiresAt: uint, data }
/** `objects`: which objects are in the data, in the order of `objectsIn` of @sojourn/core. */
export const shown = { ...answered, objects: list(object) }

const auth = struct({ time: uint, acr: optional(acr), amr })

/** Whose session it is, and what is known of its id. */
export const who = sparse({
  // Those first that are nearly always there.
  lastUsedAt: uint,
  written,
  subject,
  device,
  auth,
  /** Milliseconds since the epoch: from then on the id does not open the session any more. Undefined: nobody has superseded it. */
  opensUntil: uint,
})
export type Who = Of<typeof who>

/** A session of a subject, for its other devices. */
export const subjectSession = struct({
  handle: key,
  createdAt: uint,
  lastUsedAt: uint,
  expiresAt: uint,
  more: sparse({ device, auth, region: text(MAX_REGION_BYTES) }),
})

/** Which regions hold an end. */
export const holders = list(struct({ region: text(MAX_REGION_BYTES), isHeld: flag }), MAX_REGIONS)

export const details = sparse({
  option: message,
  path,
  need: uint,
  got: uint,
  regions: list(text(MAX_REGION_BYTES), MAX_REGIONS),
  mayHaveApplied: flag,
  limit: uint,
  state: word(['live', 'ended', 'expired']),
  session: struct({ id, ...shown }),
  /** Of that session. */
  who,
})
