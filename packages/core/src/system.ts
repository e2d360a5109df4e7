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
    return { cancel: () => clearTimeout(timer) }
  },
  soon: (callback) => void setImmediate(callback),
}

/** The operating system's entropy. */
export const systemRandom: Random = { bytes: (count) => randomBytes(count) }
