/** What the calls of the session API take as options. */
import { pointerFault } from './document/pointer.js'
import { SojournError } from './errors.js'
import { MAX_ID_CHARS } from './key.js'
import { END_REASONS } from './lifetime.js'
import {
  checkOptions,
  choiceRule,
  DURATION_RULE,
  FLAG_RULE,
  LEVEL_RULE,
  type OptionRule,
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

/** JSON pointers, in an option of that name. */
export const pointersRule = (example: string): OptionRule => ({
  allowed: `an array of JSON pointers, such as ['${example}']`,
  takes: (value, option) => {
    if (!Array.isArray(value)) return false
    const at = value.findIndex((pointer) => typeof pointer !== 'string' || pointerFault(pointer) !== undefined)
    if (at < 0) return true
    const fault = typeof value[at] === 'string' ? pointerFault(value[at])! : 'a field is named by a string'
    throw new SojournError('INVALID_DATA', `${option}[${at}]: ${fault}`, { path: String(value[at]), option })
  },
})

const ATOMIC = pointersRule('/user')

const UPDATE: RulesOf<UpdateOptions> = { ...WRITE, touch: FLAG_RULE, idleTimeout: DURATION_RULE, atomic: ATOMIC }

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
    atomic: ATOMIC,
  }),
  get: optionTable<ReadOptions>({ read: LEVEL_RULE, timeout: DURATION_RULE }),
  update: optionTable<UpdateOptions>(UPDATE),
  replace: optionTable<ReplaceOptions>({
    ...UPDATE,
    base: { allowed: 'the data that was read', takes: (value) => typeof value === 'object' && value !== null },
    counters: pointersRule('/views'),
    assigned: pointersRule('/user'),
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
