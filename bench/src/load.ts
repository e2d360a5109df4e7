/** What a stretch of load came to. */
export interface Round {
  readonly count: number
  readonly ms: number
  /** CPU time of the process, all its threads, in milliseconds. */
  readonly cpuMs: number
}

/** How long calls that never leave this thread may keep the event loop from turning: garbage and timers need it to. */
const TURN_MS = 2

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** So many callers, each of which makes its next call when its last was answered, until `enough`. */
export const drive = async (
  operation: () => Promise<unknown>,
  concurrency: number,
  enough: (count: number, ms: number) => boolean,
): Promise<Round> => {
  const cpuBefore = cpuMs()
  const start = performance.now()
  let count = 0
  let ended = false
  let turnAt = TURN_MS
  const caller = async () => {
    while (!ended) {
      await operation()
      count++
      const ms = performance.now() - start
      ended ||= enough(count, ms)
      if (ms < turnAt) continue
      turnAt = ms + TURN_MS
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
  return { count, ms: performance.now() - start, cpuMs: cpuMs() - cpuBefore }
}

const PACE_STEP_MS = 2

/** So many calls a second, but never more than `concurrency` unanswered: a machine that falls behind is not buried. */
const pace = async (
  operation: () => Promise<unknown>,
  concurrency: number,
  rate: number,
  stopped: () => boolean,
): Promise<Round> => {
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
  return { count, ms: performance.now() - start, cpuMs: cpuMs() - cpuBefore }
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
