/** What callers may give as options: tables of rules, and the errors for names and values that are none of them. */
import { SojournError } from './errors.js'
import { maskedValue, nearestName, shownValue, strangeValue } from './wording.js'

/**
 * Refuses a value that passes its rule, and contradicts something else.
 * @example refuseOption('tls', 'the transport in ports.transport does not use it. Give one of them')
 * @throws INVALID_OPTION
 */
export const refuseOption = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** How an option is written where everything is text: in the environment and in flags. */
export type TextKind = 'text' | 'integer' | 'boolean' | 'duration' | 'level' | 'map' | 'list'

/** What one option may be: `Given` is what a caller writes, `Set` what comes of it. */
export interface OptionRule<in Given = never, out Set = unknown> {
  /** Ends the sentence "give …". */
  readonly allowed: string
  /** The same, where everything is text. Undefined: the same words. */
  readonly allowedText?: string
  /** Undefined: it is a text. */
  readonly kind?: TextKind
  /** The type of what is given, as TypeScript writes it: what is declared has one. */
  readonly type?: string
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
  /** Makes a setting of what is given. Undefined: it is one. */
  read?(given: Given): Set
}

/** All options that may stand in one place, by name. */
export interface OptionTable {
  readonly rules: ReadonlyMap<string, OptionRule>
  readonly required: readonly string[]
  /** What to do instead, for names that callers know from elsewhere. */
  readonly elsewhere: ReadonlyMap<string, string>
}

/** A rule for each option of `T`: the compiler finds the one that was forgotten. */
export type RulesOf<T> = { readonly [K in keyof Required<T>]: OptionRule }

export const optionTable = <T extends object>(
  rules: RulesOf<T>,
  elsewhere: { readonly [name: string]: string } = {},
): OptionTable => {
  const entries = Object.entries<OptionRule>(rules)
  return {
    rules: new Map(entries),
    required: entries.filter(([, rule]) => rule.isRequired).map(([name]) => name),
    elsewhere: new Map(Object.entries(elsewhere)),
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
  const hint = table.elsewhere.get(name)
  const near = hint === undefined ? (nearestName(name, names) ?? nameBelow(name, table)) : undefined
  const isSecret = near !== undefined && table.rules.get(near)?.isSecret
  const option = `${prefix}${name}`
  return new SojournError(
    'INVALID_OPTION',
    `${option} is not an option of ${owner}. It is ${isSecret ? maskedValue(value) : strangeValue(value)}. ${
      hint === undefined ? (near === undefined ? '' : `Did you mean ${prefix}${near}? `) : `${hint}. `
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
