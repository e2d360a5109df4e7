/** How a duration is given, and what it is in milliseconds. */
import { SojournError } from './errors.js'
import { shownValue } from './wording.js'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

type Unit = keyof typeof UNIT_MS

/**
 * Milliseconds, or a number with a unit: `'500ms'`, `'90s'`, `'30m'`, `'12h'`, `'7d'`. The compiler refuses other strings
 * (`'5 minutes'`); one that is known at run time only takes a cast, and is checked when it is used.
 */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`

/** The longest duration that is accepted: 100 years. */
const MAX_MS = 100 * 365 * UNIT_MS.d

/** Ends the sentence "give …". */
export const DURATION_ALLOWED =
  "milliseconds (1 or more) or a number with a unit, such as '500ms', '90s', '30m', '12h', '7d'"

/** Whole milliseconds, at least 1; undefined for what is no duration. */
export const durationMs = (value: unknown): number | undefined => {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value) : undefined
  const ms = match ? Number(match[1]) * UNIT_MS[match[2] as Unit] : value
  return typeof ms === 'number' && ms >= 1 && ms <= MAX_MS ? Math.round(ms) : undefined
}

/**
 * Whole milliseconds, at least 1.
 * @param option the option's path, for the message
 * @throws INVALID_OPTION
 */
export const parseDuration = (value: unknown, option: string): number => {
  const ms = durationMs(value)
  if (ms === undefined)
    throw new SojournError('INVALID_OPTION', `${option} is ${shownValue(value)}; give ${DURATION_ALLOWED}`, { option })
  return ms
}

/** As {@link parseDuration}, of an option that may be left out. @throws INVALID_OPTION */
export const optionalDuration = (value: unknown, option: string): number | undefined =>
  value === undefined ? undefined : parseDuration(value, option)
