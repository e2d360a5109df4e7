/** How long a call waits for other regions: what it says, within what the replica allows. */
import type { Duration, Limits } from '@sojourn/core/internal'
import { parseDuration, SojournError } from '@sojourn/core/internal'

export interface Patience {
  /** Where a call says nothing. */
  readonly timeoutMs: number
  readonly limits: Pick<Limits, 'maxTimeoutMs'>
}

/** Milliseconds. @throws INVALID_OPTION where `timeout` is none, or longer than `limits.maxTimeoutMs` */
export const patienceOf = ({ timeoutMs, limits }: Patience, timeout: Duration | undefined): number => {
  if (timeout === undefined) return timeoutMs
  const ms = parseDuration(timeout, 'timeout')
  checkPatience(ms, limits.maxTimeoutMs, 'timeout')
  return ms
}

/** @throws INVALID_OPTION */
export const checkPatience = (ms: number, maxMs: number, option: string): void => {
  if (ms <= maxMs) return
  throw new SojournError(
    'INVALID_OPTION',
    `${option} is ${ms} ms, and limits.maxTimeoutMs is ${maxMs} ms. Give less, or raise that limit in the options of the replica`,
    { option },
  )
}
