import { SojournError } from './errors.js'

/** Milliseconds, or a number with a unit: `'500ms'`, `'90s'`, `'30m'`, `'12h'`, `'7d'`. */
export type Duration = number | string

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The longest duration that is accepted: 100 years. */
const MAX_MS = 100 * 365 * UNIT_MS.d

/**
 * Whole milliseconds, at least 1.
 * @param option the option's path, for the message
 * @throws INVALID_OPTION
 */
export const parseDuration = (value: unknown, option: string): number => {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value) : undefined
  const ms = match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : value
  if (typeof ms !== 'number' || !(ms >= 1 && ms <= MAX_MS))
    throw new SojournError(
      'INVALID_OPTION',
      `${option} is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}; give milliseconds (1 or more) or a number with a unit such as '500ms', '90s', '30m', '12h', '7d'`,
      { option },
    )
  return Math.round(ms)
}

/** As {@link parseDuration}, of an option that may be left out. @throws INVALID_OPTION */
export const optionalDuration = (value: unknown, option: string): number | undefined =>
  value === undefined ? undefined : parseDuration(value, option)
