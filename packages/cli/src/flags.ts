/** The kinds of flags that commands take, each with how it is checked, and the flags that several commands share. */
import { HANDLE_RULE, type Level, type OptionRule, parseDuration, SojournError } from '@sojourn/core/internal'
import type { Flag, Offer } from './command.js'

type Words = Offer & Pick<Flag, 'about' | 'default' | 'short' | 'group'>
type Reads<T, W> = Flag<W extends { readonly default: string } ? T : T | undefined>

const single = <T, const W extends Words>(
  words: W,
  value: string,
  read: (text: string, name: string) => T,
): Reads<T, W> => ({
  ...words,
  value,
  read: (text, name) => (typeof text === 'string' ? read(text, name) : undefined) as never,
})

/** What stands for a flag or an argument, and is not allowed. */
export const refused = (name: string, text: string, allowed: string): SojournError =>
  new SojournError('INVALID_OPTION', `${name} is ${JSON.stringify(text)}; give ${allowed}`, {
    option: name.replace('--', ''),
  })

/** A flag without a value. */
export const toggle = (about: string): Flag<boolean> => ({ about, read: (text) => text !== undefined })

export const text = <const W extends Words>(words: W, value = '<text>') => single(words, value, (given) => given)

/** Standard input, in the place of a value. */
export const STANDARD_INPUT = '-'

/** A text that is better not an argument, which every user of the machine can read: without it, it comes from standard input. */
export const secretText = (words: Words, name: string): Flag<string | undefined> => ({
  ...words,
  value: `[${name}]`,
  read: (given) => (given === true ? STANDARD_INPUT : (given as string | undefined)),
})

/** A value that a rule of the session API takes. What was given is not repeated: it may be an id by mistake. */
const ruled = (text: string, name: string, { allowed, takes }: OptionRule): string => {
  const option = name.replace('--', '')
  if (takes(text, option, 'sojourn')) return text
  throw new SojournError('INVALID_OPTION', `${name}: give ${allowed}`, { option })
}

/** The public name of a session. */
export const handle = <const W extends Words>(words: W) =>
  single(words, '<handle>', (given, name) => ruled(given, name, HANDLE_RULE))

/** Several of them, separated by commas. */
export const handles = <const W extends Words>(words: W) =>
  single(words, '<handles>', (given, name) => given.split(',').map((each) => ruled(each.trim(), name, HANDLE_RULE)))

/** Milliseconds. */
export const duration = <const W extends Words>(words: W) =>
  single(words, '<duration>', (given, name) => parseDuration(/^\d+$/.test(given) ? Number(given) : given, name))

/** A whole number, 1 or more. */
export const count = <const W extends Words>(words: W, max = 999_999_999) =>
  single(words, '<number>', (given, name) => {
    if (/^[1-9]\d{0,8}$/.test(given) && Number(given) <= max) return Number(given)
    throw refused(name, given, max === 999_999_999 ? 'a whole number, 1 or more' : `a whole number from 1 to ${max}`)
  })

export const choice = <const C extends string, const W extends Words>(choices: readonly C[], words: W, value: string) =>
  single({ ...words, choices } as W, value, (given, name): C => {
    if (choices.includes(given as C)) return given as C
    throw refused(name, given, `one of ${choices.join(', ')}`)
  })

const LEVELS = ['local', 'majority', 'all'] as const

/** How many regions must answer. */
export const level = <const W extends Words>(words: W) =>
  single({ ...words, choices: LEVELS } as W, '<level>', (given, name): Level => {
    if (LEVELS.includes(given as never)) return given as Level
    if (/^[1-9]\d{0,3}$/.test(given)) return Number(given)
    throw refused(name, given, 'local, majority, all, or a number of regions')
  })

export const file = <const W extends Words>(words: W) => single({ ...words, files: 'file' }, '<file>', (given) => given)
export const directory = <const W extends Words>(words: W) =>
  single({ ...words, files: 'directory' }, '<directory>', (given) => given)

/** May be given more than once. */
export const texts = (words: Words, value: string): Flag<readonly string[] | undefined> => ({
  ...words,
  value,
  repeats: true,
  read: (given) => given as readonly string[] | undefined,
})

export const JSON_FLAG = { json: toggle('Write one line of JSON, for programs') }
export const QUIET_FLAG = { quiet: toggle('Leave out the progress on standard error') }
