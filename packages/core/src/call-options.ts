/** What the calls of the session API take as options. */

import { ID_RULE } from './key.js'
import { END_REASONS, type EndReason } from './lifetime.js'
import { choiceRule, DURATION_RULE, FLAG_RULE, LEVEL_RULE, pointersRule, typedOption } from './option-rules.js'
import { defaultsOf, type Options, option, optional } from './option-table.js'
import { checkOptions, type OptionTable, optionTable } from './options.js'

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

/** Why a session ends where its caller does not say. */
export const DEFAULT_END_REASON = defaultsOf(END).reason

/** By the names of their types. */
export const CALL_OPTIONS = {
  ReadOptions: {
    read: optional(LEVEL_RULE, 'How many regions are asked', "the store's `consistency.read`"),
    ...TIMEOUT,
  },
  WriteOptions: WRITE,
  DataOptions: DATA,
  CreateOptions: {
    ...WRITE,
    id: optional(ID_RULE, 'For middleware that makes its own ids', '256 random bits'),
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
    ...DATA,
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
  rotate: tableOf('WriteOptions'),
  endAll: tableOf('EndOptions'),
} as const

/**
 * Checks the options of a call of the session API, names and values.
 * @throws INVALID_OPTION
 */
export const checkCall = (call: keyof typeof TABLES, options: object | undefined): void => {
  if (options !== undefined) checkOptions(options, TABLES[call], call)
}
