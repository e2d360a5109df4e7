/** How long a call waits for other regions: what it says, within what the replica allows. */
import type { Duration } from '@sojourn/core/internal'
import { parseDuration, SojournError } from '@sojourn/core/internal'
import type { Settings } from './options.js'

/** Milliseconds. @throws INVALID_OPTION where `timeout` is none, or longer than `limits.maxTimeoutMs` */
export const patienceOf = (settings: Settings, timeout: Duration | undefined): number => {
  if (timeout === undefined) return settings.timeoutMs
  const ms = parseDuration(timeout, 'timeout')
  checkPatience(ms, settings.limits.maxTimeoutMs, 'timeout')
  return ms
}

/** @throws INVALID_OPTION */
export const checkPatience = (ms: number, maxMs: number, option: string): void => {
  if (ms <= maxMs) return
  throw new SojournError(
    'INVALID_OPTION',
    `${option} is ${ms} ms; limits.maxTimeoutMs allows ${maxMs} ms. Give less, or raise that limit where the replica is opened`,
    { option },
  )
}
