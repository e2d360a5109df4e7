/** The machine's clock and entropy: the only file that names them. */
import { randomBytes } from 'node:crypto'
import type { Clock, Random } from './ports.js'

/** The machine's clock. This file is the only one that may name the wall clock, timers, or the system's entropy. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    // Node clamps a longer delay to 1 ms.
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1))
    timer.unref()
    return {
      cancel: () => clearTimeout(timer),
      hold: () => void timer.ref(),
      release: () => void timer.unref(),
    }
  },
  soon: (callback) => void setImmediate(callback),
  endOfTurn: (callback) => process.nextTick(callback),
}

/** Waits, and keeps the process alive meanwhile, as timers of the clock do not: for command lines. */
export const systemPause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** Asking the system costs microseconds, whatever the count, so it is asked for some ids' worth at a time. */
const POOL_BYTES = 4_096
let pool = Buffer.alloc(0)

/** The operating system's entropy. No byte is given out twice, and none stays behind in the pool. */
export const systemRandom: Random = {
  bytes(count) {
    if (count > POOL_BYTES) return randomBytes(count)
    if (pool.length < count) pool = randomBytes(POOL_BYTES)
    const taken = Buffer.from(pool.subarray(0, count))
    pool.fill(0, 0, count)
    pool = pool.subarray(count)
    return taken
  },
}
