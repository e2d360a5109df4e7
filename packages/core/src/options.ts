/** What callers may give as options: tables of rules, and the errors for names and values that are none of them. */
import { DURATION_ALLOWED, durationMs } from './duration.js'
import { SojournError } from './errors.js'
import type { Level } from './quorum.js'
import { maskedValue, nearestName, shownValue, strangeValue } from './wording.js'

/** What one option may be. */
export interface OptionRule {
  /** Ends the sentence "give …". */
  readonly allowed: string
  /**
   * Whether a value is allowed. A rule for what has parts throws for a wrong part itself, and names that.
   * @param option the option's path, as the error names it
   */
  readonly takes: (value: unknown, option: string, owner: string) => boolean
  readonly isRequired?: boolean
  /** A secret, or an id: what was given is never shown. */
  readonly isSecret?: boolean
  /** Words of which one may have been meant. */
  readonly words?: readonly string[]
  /** The options below this one. */
  readonly inside?: OptionTable
}

/** All options that may stand in one place, by name. */
export interface OptionTable {
  readonly rules: ReadonlyMap<string, OptionRule>
  readonly required: readonly string[]
}

/** A rule for each option of `T`: the compiler finds the one that was forgotten. */
export type RulesOf<T> = { readonly [K in keyof Required<T>]: OptionRule }

export const optionTable = <T extends object>(rules: RulesOf<T>): OptionTable => {
  const entries = Object.entries<OptionRule>(rules)
  return {
    rules: new Map(entries),
    required: entries.filter(([, rule]) => rule.isRequired).map(([name]) => name),
  }
}

/**
 * Checks options by their table. Where there are none, this costs next to nothing: calls that are made a million times a second do it.
 *
 * @example checkOptions({ wirte: 'all' }, table, 'update') // wirte is no option of update: it is "all". Did you mean write? …
 * @param owner what the options are given to
 * @param at the path of what is checked, where that is a part of the options
 * @throws INVALID_OPTION with the name, the value, what is allowed, and the name that was probably meant
 */
export const checkOptions = (given: unknown, table: OptionTable, owner: string, at = ''): void => {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw notOptions(given, table, owner)
  const options = given as { readonly [name: string]: unknown }
  for (const name in options) {
    const rule = table.rules.get(name)
    if (rule === undefined) throw unknownName(name, options[name], table, owner, at)
    const value = options[name]
    if (value !== undefined) checkOption(value, at === '' ? name : `${at}.${name}`, rule, owner)
  }
  if (table.required.length > 0) checkRequired(options, table, at)
}

const checkRequired = (options: { readonly [name: string]: unknown }, table: OptionTable, at: string): void => {
  const name = table.required.find((each) => options[each] === undefined)
  if (name === undefined) return
  const option = at === '' ? name : `${at}.${name}`
  throw new SojournError('INVALID_OPTION', `${option} is not set; give ${table.rules.get(name)!.allowed}`, { option })
}

/** Checks one value. @throws INVALID_OPTION */
export const checkOption = (value: unknown, option: string, rule: OptionRule, owner = option): void => {
  if (rule.takes(value, option, owner)) return
  const shown = rule.isSecret ? maskedValue(value) : shownValue(value)
  const near = typeof value === 'string' && rule.words ? nearestName(value, rule.words) : undefined
  throw new SojournError(
    'INVALID_OPTION',
    `${option} is ${shown}${near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`}; give ${rule.allowed}`,
    { option },
  )
}

const notOptions = (given: unknown, { rules }: OptionTable, owner: string): SojournError =>
  new SojournError(
    'INVALID_OPTION',
    `the options of ${owner} are ${maskedValue(given)}; give an object with any of ${[...rules.keys()].join(', ')}`,
    { option: 'options' },
  )

const unknownName = (name: string, value: unknown, table: OptionTable, owner: string, at: string): SojournError => {
  const prefix = at === '' ? '' : `${at}.`
  const names = [...table.rules.keys()]
  const near = nearestName(name, names) ?? nameBelow(name, table)
  const isSecret = near !== undefined && table.rules.get(near)?.isSecret
  const option = `${prefix}${name}`
  return new SojournError(
    'INVALID_OPTION',
    `${option} is no option of ${owner}: it is ${isSecret ? maskedValue(value) : strangeValue(value)}. ${
      near === undefined ? '' : `Did you mean ${prefix}${near}? `
    }${at === '' ? 'There are' : `In ${at} there are`} ${names.join(', ')}`,
    { option },
  )
}

/** `idleTimeout` → `session.idleTimeout`: an option that stands in a group, given beside it. */
const nameBelow = (name: string, { rules }: OptionTable): string | undefined => {
  for (const [group, { inside }] of rules) {
    const near = inside && nearestName(name, inside.rules.keys())
    if (near !== undefined) return `${group}.${near}`
  }
  return undefined
}

/** The same rule, for an option that may not be left out. */
export const requiredOption = (rule: OptionRule): OptionRule => ({ ...rule, isRequired: true })

/** The same rule, for what is never shown. */
export const secretOption = (rule: OptionRule): OptionRule => ({ ...rule, isSecret: true })

export const textRule = (
  allowed: string,
  isAllowed: (text: string) => boolean = (text) => text !== '',
): OptionRule => ({
  allowed,
  takes: (value) => typeof value === 'string' && isAllowed(value),
})

export const wholeRule = (min: number, max = Number.MAX_SAFE_INTEGER): OptionRule => ({
  allowed: max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`,
  takes: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
})

export const DURATION_RULE: OptionRule = {
  allowed: DURATION_ALLOWED,
  takes: (value) => durationMs(value) !== undefined,
}

/** As {@link DURATION_RULE}, where 0 means none. */
export const DURATION_OR_ZERO_RULE: OptionRule = {
  allowed: `0, ${DURATION_ALLOWED}`,
  takes: (value) => value === 0 || durationMs(value) !== undefined,
}

const LEVELS: readonly Level[] = ['local', 'majority', 'all']

/** Whether there are so many regions is for who knows them to say. */
export const isLevel = (value: unknown): value is Level =>
  LEVELS.includes(value as Level) || (Number.isSafeInteger(value) && (value as number) >= 1)

export const LEVEL_RULE: OptionRule = {
  allowed: "'local', 'majority', 'all', or a number of regions, 1 or more",
  takes: isLevel,
  words: LEVELS.map(String),
}

export const FLAG_RULE: OptionRule = { allowed: 'true or false', takes: (value) => typeof value === 'boolean' }

export const FUNCTION_RULE: OptionRule = { allowed: 'a function', takes: (value) => typeof value === 'function' }

export const choiceRule = (choices: readonly string[]): OptionRule => ({
  allowed: `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`,
  takes: (value) => choices.includes(value as string),
  words: choices,
})

/** Something with these methods, which the application brings. */
export const portRule = (...methods: readonly string[]): OptionRule => ({
  allowed: `an object with ${methods.join(', ')}`,
  takes: (value) =>
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
})

/** Options below an option. */
export const groupRule = <T extends object>(rules: RulesOf<T>): OptionRule => {
  const inside = optionTable<T>(rules)
  return {
    allowed: `an object with any of ${[...inside.rules.keys()].join(', ')}`,
    takes: (value, option, owner) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
      checkOptions(value, inside, owner, option)
      return true
    },
    inside,
  }
}

/** A group of bounds, each a whole number of 1 or more, that have these names. */
export const limitsRule = <L extends object>(defaults: L): OptionRule =>
  groupRule<L>(Object.fromEntries(Object.keys(defaults).map((name) => [name, wholeRule(1)])) as RulesOf<L>)

/** An array with at least one item. */
export const listRule = (allowed: string, item: OptionRule): OptionRule => ({
  allowed,
  takes: (value, option, owner) => {
    if (!Array.isArray(value) || value.length === 0) return false
    value.forEach((each, index) => {
      checkOption(each, `${option}.${index}`, item, owner)
    })
    return true
  },
})
