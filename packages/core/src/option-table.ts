/**
 * Options, declared once: a table says of each its name, rule, default and text. Types, checks, settings, a server's variables and flags, its
 * help, and the tables of the documentation follow from that (ADR 17).
 */

import { tableRule, wholeRule } from './option-rules.js'
import { checkOptions, type OptionRule, type OptionTable, optionTable } from './options.js'

/** One option. Units are in its name, or in what is given (`'30m'`). */
export interface Option<in Given = never, out Set = unknown, out Required extends boolean = boolean>
  extends OptionRule<Given, Set> {
  /** What it does: the sentence that documentation, help and docstrings have, without its full stop. */
  readonly about: string
  /** The default, as a caller would write it. Undefined: none. */
  readonly fallback: unknown
  /** What holds where there is no default value. */
  readonly otherwise: string | undefined
  readonly isRequired: Required
  /** The name of its type, where that is to have one; its members are all there. */
  readonly named?: string
}

/** All options of one place, by name. */
export interface Options {
  readonly [name: string]: Option
}

type RequiredIn<T extends Options> = {
  [K in keyof T]: T[K] extends Option<never, unknown, infer R> ? (R extends true ? K : never) : never
}[keyof T]

type Given<O> = O extends OptionRule<infer G, unknown> ? G : never

/** What a caller gives. */
export type GivenOf<T extends Options> = { readonly [K in RequiredIn<T>]: Given<T[K]> } & {
  readonly [K in Exclude<keyof T, RequiredIn<T>>]?: Given<T[K]> | undefined
}

/** What comes of it: complete, and durations in milliseconds. */
export type SettingsOf<T extends Options> = {
  readonly [K in keyof T]: T[K] extends OptionRule<never, infer S> ? S : never
}

/**
 * Declares an option that has a default.
 *
 * @example option(DURATION_RULE, '5s', 'A peer whose clock is off by more is refused')
 */
export const option = <Given, Set>(
  rule: OptionRule<Given, Set>,
  fallback: NoInfer<Given>,
  about: string,
): Option<Given, Set, false> => ({ ...rule, about, fallback, otherwise: undefined, isRequired: false })

/**
 * Declares an option that may be left out.
 * @param otherwise what holds then: ends the sentence "Default: …"
 */
export const optional = <Given, Set>(
  rule: OptionRule<Given, Set>,
  about: string,
  otherwise?: string,
): Option<Given, Set | undefined, false> => ({ ...rule, about, fallback: undefined, otherwise, isRequired: false })

/** Declares an option that may not be left out. */
export const required = <Given, Set>(rule: OptionRule<Given, Set>, about: string): Option<Given, Set, true> => ({
  ...rule,
  about,
  fallback: undefined,
  otherwise: undefined,
  isRequired: true,
})

/** Declares a bound: a whole number of bytes, milliseconds, or whatever its name says. */
export const limit = (fallback: number, about: string, max?: number): Option<number, number, false> =>
  option(wholeRule(1, max), fallback, about)

const groupRule = <T extends Options>(options: T): OptionRule<GivenOf<T>, SettingsOf<T>> => ({
  ...tableRule<GivenOf<T>>(optionTable<Options>(options)),
  read: (given) => readOptions(options, given),
})

/** Declares options below a name; it is set to their defaults where it is left out. */
export const group = <T extends Options>(
  options: T,
  about = '',
  named?: string,
): Option<GivenOf<T>, SettingsOf<T>, false> => ({
  ...groupRule(options),
  about,
  fallback: {},
  otherwise: undefined,
  isRequired: false,
  ...(named !== undefined && { named }),
})

/** The same, where leaving it out is something else than leaving all of it out. */
export const optionalGroup = <T extends Options>(
  options: T,
  about: string,
  otherwise: string,
): Option<GivenOf<T>, SettingsOf<T> | undefined, false> => optional(groupRule(options), about, otherwise)

/** The options below a group; undefined: it is none. */
export const insideOf = ({ inside }: Option): Options | undefined =>
  inside && (Object.fromEntries(inside.rules) as unknown as Options)

/** Settings of options that were checked. */
export const readOptions = <T extends Options>(options: T, given: NoInfer<GivenOf<T>>): SettingsOf<T> =>
  Object.fromEntries(
    Object.entries(options).map(([name, each]) => [name, readOption(each, given[name as keyof typeof given])]),
  ) as SettingsOf<T>

/** The setting of one option: of what is given, or of its default. */
const readOption = (option: Option, given: unknown): unknown => {
  const value = given === undefined ? option.fallback : given
  return value === undefined || option.read === undefined ? value : option.read(value as never)
}

/** The settings of who gives nothing. */
export const defaultsOf = <T extends Options>(options: T): SettingsOf<T> => readOptions(options, {} as GivenOf<T>)

/**
 * Checks options as a caller gave them, and makes settings of them.
 * @throws INVALID_OPTION, naming the option, what is wrong, and what is allowed
 */
export const settingsReader = <T extends Options>(
  options: T,
  owner: string,
  elsewhere?: { readonly [name: string]: string },
): ((given: GivenOf<T>) => SettingsOf<T>) => {
  const table: OptionTable = optionTable<Options>(options, elsewhere)
  return (given) => {
    checkOptions(given, table, owner)
    return readOptions(options, given)
  }
}
