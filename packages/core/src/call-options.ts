/** What the calls of the session API take as options. */

import { MAX_ACR_BYTES, MAX_AMR_BYTES, MAX_DEVICE_BYTES, MAX_SUBJECT_CHARS } from './identity.js'
import { HANDLE_RULE, ID_RULE } from './key.js'
import { END_REASONS, type EndReason } from './lifetime.js'
import {
  choiceRule,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  FLAG_RULE,
  LEVEL_RULE,
  listRule,
  pointersRule,
  secretOption,
  textRule,
  typedOption,
} from './option-rules.js'
import { defaultsOf, type Options, option, optional, optionalGroup, required } from './option-table.js'
import { checkOptions, type OptionTable, optionTable } from './options.js'
import { WRITTEN_RULE } from './written.js'

const TIMEOUT = {
  timeout: optional(
    DURATION_RULE,
    'How long to wait for other regions, `limits.maxTimeoutMs` at most',
    "the store's `consistency.timeout`",
  ),
}
const WRITE = {
  write: optional(LEVEL_RULE, 'How many regions must hold the write', "the store's `consistency.write`"),
  ...TIMEOUT,
}
const DATA = {
  atomic: optional(
    pointersRule('/user'),
    'JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to those of the store',
    'none',
  ),
}
const RENEWED = {
  idleTimeout: optional(
    DURATION_RULE,
    'A new idle timeout for the session, if the call renews it',
    'the one that it has',
  ),
}
const UPDATE = {
  ...WRITE,
  touch: option(FLAG_RULE, true, 'Whether the write also renews the idle deadline, as any use does'),
  ...RENEWED,
  ...DATA,
}
const END = {
  ...WRITE,
  reason: option(typedOption<EndReason>('EndReason', choiceRule(END_REASONS)), 'logout', 'Why the session ends'),
}

const SUBJECT = textRule(
  `a string of 1 to ${MAX_SUBJECT_CHARS} characters`,
  // A lone surrogate would be hashed as any other one.
  (subject) => subject !== '' && subject.length <= MAX_SUBJECT_CHARS && subject.isWellFormed(),
)
/** What can be a subject, wherever one is taken. It may be an address: what was given is never shown. */
export const SUBJECT_RULE = secretOption(SUBJECT)

const shortText = (maxBytes: number) =>
  textRule(`a string of 1 to ${maxBytes} bytes`, (text) => text !== '' && Buffer.byteLength(text) <= maxBytes)

const AUTH = {
  time: optional(
    typedOption<number>('number', {
      allowed: 'milliseconds since the epoch. Up to `maxClockSkew` later than now counts as now',
      kind: 'integer',
      takes: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    }),
    'When the user proved who they are, in milliseconds since the epoch',
    'now',
  ),
  acr: optional(shortText(MAX_ACR_BYTES), 'The authentication context class, as OpenID Connect names it', 'none'),
  amr: optional(
    listRule<string>(shortText(MAX_AMR_BYTES), {
      allowed: "an array of authentication methods, such as ['pwd', 'otp']",
      allowedText: 'authentication methods, separated by commas',
    }),
    'The authentication methods, as RFC 8176 names them. At most 16',
    'none',
  ),
}
const LOGIN = {
  device: optional(shortText(MAX_DEVICE_BYTES), 'A label of the device, for lists of sessions', 'none'),
  auth: optionalGroup(AUTH, 'How the user was authenticated', 'now, and nothing is said of how'),
}
const LIFETIMES = {
  idleTimeout: optional(
    DURATION_RULE,
    'The session expires when unused for this, or up to `session.touchGranularity` of the store later. It never outlives its `maxLifetime`',
    "the store's `session.idleTimeout`",
  ),
  maxLifetime: optional(
    DURATION_RULE,
    "The session expires after this, however often it is used. At most the store's `session.maxLifetime`",
    "the store's `session.maxLifetime`",
  ),
}

/** Why a session ends where its caller does not say. */
export const DEFAULT_END_REASON = defaultsOf(END).reason

/** By the names of their types. */
export const CALL_OPTIONS = {
  ReadOptions: {
    read: optional(LEVEL_RULE, 'How many regions are asked', "the store's `consistency.read`"),
    after: optional(
      WRITTEN_RULE,
      'What the session must show: the `written` of a session that a write gave, in whatever region',
      'what the level gives',
    ),
    ...TIMEOUT,
  },
  WriteOptions: WRITE,
  DataOptions: DATA,
  CreateOptions: {
    ...WRITE,
    id: optional(ID_RULE, 'For middleware that makes its own ids', '256 random bits'),
    subject: optional(SUBJECT_RULE, 'Whose session it is: the name of a user in the application', 'nobody'),
    ...LOGIN,
    ...LIFETIMES,
    ...DATA,
  },
  ElevateOptions: {
    ...WRITE,
    subject: required(SUBJECT_RULE, 'Who logged in: the name of a user in the application'),
    ...LOGIN,
    idleTimeout: optional(DURATION_RULE, 'A new idle timeout for the session', 'the one that it has'),
    maxLifetime: LIFETIMES.maxLifetime,
  },
  RotateOptions: {
    ...WRITE,
    grace: option(
      DURATION_OR_ZERO_RULE,
      0,
      'For how long the old id opens the session, too. Not for an id that middleware chose: it ends at once',
    ),
  },
  EndHandleOptions: END,
  EndSubjectOptions: {
    ...END,
    except: option(
      listRule<string>(HANDLE_RULE, {
        allowed: 'an array of handles of sessions that live on',
        allowedText: 'handles of sessions that live on, separated by commas',
      }),
      [],
      'Handles of sessions that live on. At most 256',
    ),
  },
  UpdateOptions: UPDATE,
  ReplaceOptions: {
    ...UPDATE,
    base: optional(
      typedOption<object>('object', {
        allowed: 'the data that was read',
        takes: (value) => typeof value === 'object' && value !== null,
      }),
      'The data that the caller read. Only differences from it are written',
      'what the store holds now',
    ),
    counters: optional(
      pointersRule('/views'),
      'JSON pointers of integer fields whose change is written as an increment',
      'none',
    ),
    assigned: optional(
      pointersRule('/user'),
      'JSON pointers of objects that were assigned instead of changed. Each becomes a new object, and concurrent edits of the old one are lost',
      'an object that stands in both places was changed',
    ),
  },
  TouchOptions: { ...WRITE, ...RENEWED },
  EndOptions: END,
}

const tableOf = (name: keyof typeof CALL_OPTIONS): OptionTable => optionTable<Options>(CALL_OPTIONS[name])

const TABLES = {
  create: tableOf('CreateOptions'),
  get: tableOf('ReadOptions'),
  update: tableOf('UpdateOptions'),
  replace: tableOf('ReplaceOptions'),
  increment: tableOf('UpdateOptions'),
  touch: tableOf('TouchOptions'),
  end: tableOf('EndOptions'),
  elevate: tableOf('ElevateOptions'),
  rotate: tableOf('RotateOptions'),
  endHandle: tableOf('EndHandleOptions'),
  endOthers: tableOf('EndHandleOptions'),
  endSubject: tableOf('EndSubjectOptions'),
  endAll: tableOf('EndOptions'),
} as const

/**
 * Checks the options of a call of the session API, names and values.
 * @throws INVALID_OPTION
 */
export const checkCall = (call: keyof typeof TABLES, options: object | undefined): void => {
  const table = TABLES[call]
  if (options !== undefined) checkOptions(options, table, call)
  else if (table.required.length > 0) checkOptions({}, table, call)
}
