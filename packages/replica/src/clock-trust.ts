/** Whether a region's wall clock can be trusted, judged by its monotonic clock and by the clocks of its peers. */

/**
 * What is known of the clocks. All are differences to the own monotonic clock, in milliseconds, so that they stay as they are while time
 * passes, and can be compared whenever they were taken.
 */
export interface ClockView {
  /** Of the wall clock, now. */
  readonly offset: number
  /** Of the wall clock when it was last trusted. Another one now: it jumped. */
  readonly trusted: number
  /** Whether peers agreed with it then. */
  readonly wasVerified: boolean
  /** Of the wall clocks of peers that were heard of late. */
  readonly peers: readonly number[]
  /** How far clocks may be off. */
  readonly maxSkewMs: number
}

/** What time it may be, where the wall clock is not to be trusted: bounds for its offset. */
export interface ClockDoubt {
  readonly min: number
  readonly max: number
}

/**
 * Undefined: the clock can be trusted.
 *
 * It cannot be where it disagrees with most of the peers that are heard; where one peer is heard, one of the two is wrong, and that is who
 * jumped. Who has just started, and never agreed with anybody, takes nothing for later than that peer does. Where no peer is heard, a
 * clock that jumped waits for one.
 */
export const doubtOf = ({ offset, trusted, wasVerified, peers, maxSkewMs }: ClockView): ClockDoubt | undefined => {
  const isNear = (other: number, to = offset) => Math.abs(other - to) <= maxSkewMs
  const around = (center: number): ClockDoubt => ({ min: center - maxSkewMs, max: center + maxSkewMs })
  const hasJumped = !isNear(trusted)
  const [only, another] = peers
  if (only === undefined) return hasJumped ? around(trusted) : undefined
  if (another !== undefined) {
    const differing = peers.filter((peer) => !isNear(peer)).length
    return differing * 2 > peers.length ? around(median(peers)) : undefined
  }
  if (isNear(only)) return undefined
  if (hasJumped) return around(isNear(only, trusted) ? only : trusted)
  return wasVerified ? undefined : { min: Number.NEGATIVE_INFINITY, max: only + maxSkewMs }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1]!
