/** Keeps a log from being filled by what happens again and again. */
import type { Clock, Timer } from '@sojourn/core/internal'
import type { Logger } from './log.js'

/** What happens again and again is logged once in this time: a peer that is refused dials on, a full disk refuses every write. */
const QUIET_MS = 60_000
/** Names that are remembered at a time. They come from members, codes and places of the program, so there are few. */
const MAX_NAMES = 1_024

type Level = 'info' | 'warn' | 'error'

interface Recent {
  since: number
  lines: number
  suppressed: number
  /** Writes the newest of those that were kept back, when the time is over. */
  last: ((suppressed: number) => void) | undefined
  timer: Timer | undefined
}

/** A line about the same thing, which is what its name says. */
export interface Line {
  readonly name: string
  readonly level: Level
  readonly body: object
  readonly message: string
}

/**
 * Writes lines to a log, each of one name once a minute, with how many were kept back.
 * @example
 * throttle.write({ name: 'fault STORE_FAILED', level: 'error', body: { code }, message: 'the disk refuses writes' })
 */
export class LogThrottle {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #recent = new Map<string, Recent>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Writes the first line of a minute. How many were kept back stands in the first one of a later minute. */
  write(line: Line): void {
    const recent = this.#at(line.name)
    if (recent.lines > 0) {
      recent.suppressed++
      return
    }
    recent.lines++
    this.#write(line, recent.suppressed)
    recent.suppressed = 0
  }

  /**
   * For states that change to and fro: writes the first lines of a minute, and at its end the newest one of those that were kept back, so that
   * what stands last in the log is how it is.
   * @param burst lines a minute
   */
  writeState(line: Line, burst: number): void {
    const recent = this.#at(line.name)
    if (recent.lines < burst) {
      recent.lines++
      this.#write(line, 0)
      return
    }
    recent.suppressed++
    recent.last = (suppressed) => this.#write(line, suppressed - 1)
    recent.timer ??= this.#clock.after(recent.since + QUIET_MS - this.#clock.monotonic(), () => {
      recent.timer = undefined
      this.#settle(recent)
    })
  }

  /** Writes what was kept back, and forgets everything. */
  close(): void {
    for (const recent of this.#recent.values()) this.#settle(recent)
    this.#recent.clear()
  }

  #settle(recent: Recent): void {
    recent.timer?.cancel()
    recent.timer = undefined
    recent.last?.(recent.suppressed)
    if (recent.last) recent.suppressed = 0
    recent.last = undefined
    recent.lines = 1
    recent.since = this.#clock.monotonic()
  }

  #at(name: string): Recent {
    const now = this.#clock.monotonic()
    let recent = this.#recent.get(name)
    if (recent === undefined) {
      if (this.#recent.size >= MAX_NAMES) this.close()
      recent = { since: now, lines: 0, suppressed: 0, last: undefined, timer: undefined }
      this.#recent.set(name, recent)
    } else if (now - recent.since >= QUIET_MS) {
      if (recent.last) this.#settle(recent)
      recent.since = now
      recent.lines = 0
    }
    return recent
  }

  #write({ level, body, message }: Line, suppressed: number): void {
    this.#log[level]({ ...body, ...(suppressed > 0 && { suppressed }) }, message)
  }
}
