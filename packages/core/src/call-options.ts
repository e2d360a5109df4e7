/** What the calls of the session API take as options. */
import { MAX_ID_CHARS } from './key.js'
import { END_REASONS } from './lifetime.js'
import {
  checkOptions,
  choiceRule,
  DURATION_RULE,
  FLAG_RULE,
  LEVEL_RULE,
  type OptionTable,
  optionTable,
  type RulesOf,
  secretOption,
  textRule,
} from './options.js'
import type {
  CreateOptions,
  EndOptions,
  ReadOptions,
  ReplaceOptions,
  SessionApi,
  TouchOptions,
  UpdateOptions,
  WriteOptions,
} from './session.js'

const WRITE: RulesOf<WriteOptions> = { write: LEVEL_RULE, timeout: DURATION_RULE }

const UPDATE: RulesOf<UpdateOptions> = { ...WRITE, touch: FLAG_RULE, idleTimeout: DURATION_RULE }

const END = optionTable<EndOptions>({ ...WRITE, reason: choiceRule(END_REASONS) })

type Call = keyof SessionApi &
  ('create' | 'get' | 'update' | 'replace' | 'increment' | 'touch' | 'end' | 'rotate' | 'endAll')

const TABLES: { readonly [call in Call]: OptionTable } = {
  create: optionTable<CreateOptions>({
    ...WRITE,
    id: secretOption(
      textRule(`a string of 1 to ${MAX_ID_CHARS} characters`, (id) => id !== '' && id.length <= MAX_ID_CHARS),
    ),
    idleTimeout: DURATION_RULE,
    maxLifetime: DURATION_RULE,
  }),
  get: optionTable<ReadOptions>({ read: LEVEL_RULE, timeout: DURATION_RULE }),
  update: optionTable<UpdateOptions>(UPDATE),
  replace: optionTable<ReplaceOptions>({
    ...UPDATE,
    base: { allowed: 'the data that was read', takes: (value) => typeof value === 'object' && value !== null },
    counters: { allowed: "an array of JSON pointers, such as ['/views']", takes: Array.isArray },
  }),
  increment: optionTable<UpdateOptions>(UPDATE),
  touch: optionTable<TouchOptions>({ ...WRITE, idleTimeout: DURATION_RULE }),
  end: END,
  rotate: optionTable<WriteOptions>(WRITE),
  endAll: END,
}

/**
 * Checks the options of a call of the session API, names and values.
 * @throws INVALID_OPTION
 */
export const checkCall = (call: Call, options: object | undefined): void => {
  if (options !== undefined) checkOptions(options, TABLES[call], call)
}
