/** Pauses between tries that grow, and differ from one process to the next. */
import type { Random } from '@sojourn/core/internal'

/**
 * A pause that differs from one process to the next: those that lost something at one time must not all come at one moment.
 * @example clock.after(jittered(5_000, systemRandom, 0.5), look) // in 2.5 s to 5 s
 * @param ms the longest that it can be, milliseconds
 * @param leastShare of it that is waited for in any case, 0 to 1. Default 0
 */
export const jittered = (ms: number, random: Random, leastShare = 0): number => {
  const [byte = 0] = random.bytes(1)
  return ms * leastShare + (ms * (1 - leastShare) * byte) / 255
}

export interface BackoffOptions {
  readonly random: Random
  /** The longest that the first pause can be, milliseconds; each one after it can be twice as long. */
  readonly minMs: number
  /** The longest pause, milliseconds. */
  readonly maxMs: number
  /** The share of a pause that jitter leaves as it is, 0 to 1. Default 0: full jitter. */
  readonly leastShare?: number
}

/**
 * @example
 * const backoff = new Backoff({ random: systemRandom, minMs: 50, maxMs: 5_000 })
 * clock.after(backoff.next(), dial) // 0 to 50 ms; then 0 to 100 ms, 0 to 200 ms, … 0 to 5 s
 * backoff.reset()                   // it worked
 */
export class Backoff {
  readonly #options: BackoffOptions
  #ms: number
  #isFresh = true

  constructor(options: BackoffOptions) {
    this.#options = options
    this.#ms = Math.min(options.minMs, options.maxMs)
  }

  /** Whether nothing was tried in vain since the beginning, or since the last `reset`. */
  get isFresh(): boolean {
    return this.#isFresh
  }

  /** How long to wait before the next try, milliseconds. */
  next(): number {
    const { random, leastShare } = this.#options
    const ms = jittered(this.#ms, random, leastShare)
    this.skip()
    return ms
  }

  /** The next try is made at once, and counts all the same. */
  skip(): void {
    this.#isFresh = false
    this.#ms = Math.min(this.#ms * 2, this.#options.maxMs)
  }

  /** A try has worked: the pauses begin anew. */
  reset(): void {
    this.#isFresh = true
    this.#ms = Math.min(this.#options.minMs, this.#options.maxMs)
  }
}
