/** What kinds of options there are: for each, what it takes, what is made of it, and how an error says what is allowed. */

import { pointerFault } from './document/pointer.js'
import { DURATION_ALLOWED, type Duration, durationMs } from './duration.js'
import { SojournError } from './errors.js'
import { checkOption, checkOptions, type OptionRule, type OptionTable } from './options.js'
import type { Level } from './quorum.js'

/** The same rule, for what is never shown. */
export const secretOption = <Given, Set>(rule: OptionRule<Given, Set>): OptionRule<Given, Set> => ({
  ...rule,
  isSecret: true,
})

/** The same rule, for a value whose type has a name of its own. */
export const typedOption = <Given>(
  type: string,
  rule: Omit<OptionRule, 'type' | 'read'>,
): OptionRule<Given, Given> => ({
  ...rule,
  type,
})

export const textRule = (
  allowed: string,
  isAllowed: (text: string) => boolean = (text) => text !== '',
): OptionRule<string, string> => ({
  allowed,
  type: 'string',
  takes: (value) => typeof value === 'string' && isAllowed(value),
})

/** Whether something is an address of one of these protocols. */
export const isAddress = (url: unknown, protocols: RegExp): boolean =>
  typeof url === 'string' && URL.canParse(url) && protocols.test(new URL(url).protocol)

export const wholeRule = (min: number, max = Number.MAX_SAFE_INTEGER): OptionRule<number, number> => ({
  allowed: max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`,
  type: 'number',
  kind: 'integer',
  takes: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
})

/** Milliseconds, once it is read. */
export const DURATION_RULE: OptionRule<Duration, number> = {
  allowed: DURATION_ALLOWED,
  type: 'Duration',
  kind: 'duration',
  takes: (value) => durationMs(value) !== undefined,
  read: (given) => durationMs(given)!,
}

/** As {@link DURATION_RULE}, where 0 means none. */
export const DURATION_OR_ZERO_RULE: OptionRule<Duration, number> = {
  ...DURATION_RULE,
  allowed: `0, ${DURATION_ALLOWED}`,
  takes: (value) => value === 0 || durationMs(value) !== undefined,
  read: (given) => durationMs(given) ?? 0,
}

const LEVELS: readonly Level[] = ['local', 'majority', 'all']

/** Whether there are so many regions is for who knows them to say. */
const isLevel = (value: unknown): value is Level =>
  LEVELS.includes(value as Level) || (Number.isSafeInteger(value) && (value as number) >= 1)

export const LEVEL_RULE: OptionRule<Level, Level> = {
  allowed: "'local', 'majority', 'all', or a number of regions, 1 or more",
  allowedText: 'local, majority, all, or a number of regions',
  type: 'Level',
  kind: 'level',
  takes: isLevel,
  words: LEVELS.map(String),
}

export const FLAG_RULE: OptionRule<boolean, boolean> = {
  allowed: 'true or false',
  type: 'boolean',
  kind: 'boolean',
  takes: (value) => typeof value === 'boolean',
}

export const FUNCTION_RULE: OptionRule = {
  allowed: 'a function',
  type: 'Function',
  takes: (value) => typeof value === 'function',
}

export const choiceRule = <C extends string>(choices: readonly C[]): OptionRule<C, C> => ({
  allowed: `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`,
  allowedText: `one of ${choices.join(', ')}`,
  type: choices.map((choice) => `'${choice}'`).join(' | '),
  takes: (value) => choices.includes(value as C),
  words: choices,
})

/** Something with these methods, which the application brings. */
export const portRule = (...methods: readonly string[]): OptionRule => ({
  allowed: `an object with ${methods.join(', ')}`,
  type: 'object',
  takes: (value) =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
})

/** An object of the options of a table. */
export const tableRule = <Given>(inside: OptionTable): OptionRule<Given, Given> => ({
  allowed: `an object with any of ${[...inside.rules.keys()].join(', ')}`,
  type: 'object',
  takes: (value, option, owner) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    checkOptions(value, inside, owner, option)
    return true
  },
  inside,
})

/** An array. @param min how many items it has at least */
export const listRule = <Given>(
  item: OptionRule<Given>,
  {
    allowed,
    allowedText = allowed,
    min = 0,
  }: { readonly allowed: string; readonly allowedText?: string; readonly min?: number },
): OptionRule<readonly Given[], readonly Given[]> => ({
  allowed,
  allowedText,
  type: `readonly ${item.type}[]`,
  kind: 'list',
  takes: (value, option, owner) => {
    if (!Array.isArray(value) || value.length < min) return false
    value.forEach((each, index) => {
      checkOption(each, `${option}.${index}`, item, owner)
    })
    return true
  },
})

/** JSON pointers. @throws INVALID_DATA for one that is none, as every call that takes a pointer does */
export const pointersRule = (example: string): OptionRule<readonly string[], readonly string[]> => ({
  allowed: `an array of JSON pointers, such as ['${example}']`,
  allowedText: `JSON pointers, such as ${example}, separated by commas`,
  type: 'readonly string[]',
  kind: 'list',
  takes: (value, option) => {
    if (!Array.isArray(value)) return false
    const at = value.findIndex((pointer) => typeof pointer !== 'string' || pointerFault(pointer) !== undefined)
    if (at < 0) return true
    const fault = typeof value[at] === 'string' ? pointerFault(value[at])! : 'a JSON pointer is a string'
    throw new SojournError('INVALID_DATA', `${option}[${at}]: ${fault}`, { path: String(value[at]), option })
  },
})
