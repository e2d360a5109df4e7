/** Load on a store: so many callers, or so many calls a second, and what came of it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What a segment of load came to. */
export interface Round {
  readonly count: number
  readonly ms: number
  /** CPU time of the process, all its threads, in milliseconds. */
  readonly cpuMs: number
  /** The longest time, in milliseconds, for which the event loop did not turn. */
  readonly peakMs: number
}

/** How long calls that never leave this thread may keep the event loop from turning: garbage and timers need it to. */
const TURN_MS = 2

/** How often a timer looks whether the event loop turns. Whole milliseconds are all that Node can do. */
const WATCH_MS = 1

/** Watches the event loop of this process from `start` to `stop`. */
export class LoopWatch {
  readonly #delays = monitorEventLoopDelay({ resolution: WATCH_MS })

  async start(): Promise<void> {
    this.#delays.enable()
    // It measures from its first tick on.
    await turns()
  }

  /** The longest time between two ticks, less what there is between them anyway. Milliseconds. */
  async stop(): Promise<number> {
    // What kept the loop last is seen only at the next tick.
    await turns()
    this.#delays.disable()
    return Math.max(0, this.#delays.max / 1e6 - WATCH_MS)
  }
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 3 * WATCH_MS))

/** CPU time of this process, all its threads, in milliseconds. */
export const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** So many callers, each of which makes its next call when its last was answered, until `enough`. */
export const drive = async (
  operation: () => Promise<unknown>,
  concurrency: number,
  enough: (count: number, ms: number) => boolean,
): Promise<Round> => {
  const watch = new LoopWatch()
  await watch.start()
  const cpuBefore = cpuMs()
  const start = performance.now()
  let count = 0
  let ended = false
  let turnAt = TURN_MS
  /** All callers wait for the same turn of the loop: one that goes on alone would keep it from the others. */
  let turning: Promise<void> | undefined
  const turn = () =>
    new Promise<void>((resolve) =>
      setImmediate(() => {
        turning = undefined
        turnAt = performance.now() - start + TURN_MS
        resolve()
      }),
    )
  const caller = async () => {
    while (!ended) {
      await operation()
      count++
      const ms = performance.now() - start
      ended ||= enough(count, ms)
      if (ms >= turnAt) turning ??= turn()
      if (turning) await turning
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
  const took = { count, ms: performance.now() - start, cpuMs: cpuMs() - cpuBefore }
  return { ...took, peakMs: await watch.stop() }
}

const PACE_STEP_MS = 2

/** So many calls a second, but never more than `concurrency` unanswered: a machine that lags is not buried. */
const pace = async (
  operation: () => Promise<unknown>,
  concurrency: number,
  rate: number,
  stopped: () => boolean,
): Promise<Round> => {
  const watch = new LoopWatch()
  await watch.start()
  const cpuBefore = cpuMs()
  const start = performance.now()
  const waiting = new Set<Promise<unknown>>()
  let count = 0
  let skipped = 0
  while (!stopped()) {
    const due = ((performance.now() - start) / 1_000) * rate
    for (; count + skipped < due; count++) {
      if (waiting.size >= concurrency) {
        skipped = due - count
        break
      }
      const call = operation().finally(() => waiting.delete(call))
      waiting.add(call)
    }
    await new Promise((resolve) => setTimeout(resolve, PACE_STEP_MS))
  }
  await Promise.all(waiting)
  const took = { count, ms: performance.now() - start, cpuMs: cpuMs() - cpuBefore }
  return { ...took, peakMs: await watch.stop() }
}

/** Load that goes on while something else is measured. */
export class BackgroundLoad {
  #stopped = false
  readonly #round: Promise<Round>

  /** @param rate calls a second; undefined: as many as `concurrency` callers get answered */
  constructor(operation: () => Promise<unknown>, concurrency: number, rate: number | undefined) {
    const stopped = () => this.#stopped
    this.#round =
      rate === undefined ? drive(operation, concurrency, stopped) : pace(operation, concurrency, rate, stopped)
  }

  stop(): Promise<Round> {
    this.#stopped = true
    return this.#round
  }
}

/** @param share 0.5 for the median */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)
