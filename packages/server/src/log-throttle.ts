/** Keeps a log from being filled by what happens again and again. */
import type { Clock, Timer } from '@sojourn/core'
import type { Logger } from './log.js'

/** What happens again and again is logged once in this time: a peer that is refused dials on, a full disk refuses every write. */
const QUIET_MS = 60_000
/** Names that are remembered at a time. They come from members, codes and places of the program, so there are few. */
const MAX_NAMES = 1_024

type Level = 'info' | 'warn' | 'error'

interface Told {
  since: number
  lines: number
  untold: number
  /** Writes the newest of those that were kept back, when the time is over. */
  last: ((untold: number) => void) | undefined
  timer: Timer | undefined
}

/** A line about the same thing, which is what its name says. */
export interface Line {
  readonly name: string
  readonly level: Level
  readonly body: object
  readonly message: string
}

/** Writes lines to a log, each of one name once a minute, with how many were kept back. */
export class LogThrottle {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #told = new Map<string, Told>()

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Writes the first line of a minute. How many were kept back stands in the first one of a later minute. */
  write(line: Line): void {
    const told = this.#at(line.name)
    if (told.lines > 0) {
      told.untold++
      return
    }
    told.lines++
    this.#write(line, told.untold)
    told.untold = 0
  }

  /**
   * For states that change to and fro: writes the first lines of a minute, and at its end the newest one of those that were kept back, so that
   * what stands last in the log is how it is.
   * @param burst lines a minute
   */
  writeState(line: Line, burst: number): void {
    const told = this.#at(line.name)
    if (told.lines < burst) {
      told.lines++
      this.#write(line, 0)
      return
    }
    told.untold++
    told.last = (untold) => this.#write(line, untold - 1)
    told.timer ??= this.#clock.after(told.since + QUIET_MS - this.#clock.monotonic(), () => {
      told.timer = undefined
      this.#settle(told)
    })
  }

  /** Writes what was kept back, and forgets everything. */
  close(): void {
    for (const told of this.#told.values()) this.#settle(told)
    this.#told.clear()
  }

  #settle(told: Told): void {
    told.timer?.cancel()
    told.timer = undefined
    told.last?.(told.untold)
    if (told.last) told.untold = 0
    told.last = undefined
    told.lines = 1
    told.since = this.#clock.monotonic()
  }

  #at(name: string): Told {
    const now = this.#clock.monotonic()
    let told = this.#told.get(name)
    if (told === undefined) {
      if (this.#told.size >= MAX_NAMES) this.close()
      told = { since: now, lines: 0, untold: 0, last: undefined, timer: undefined }
      this.#told.set(name, told)
    } else if (now - told.since >= QUIET_MS) {
      if (told.last) this.#settle(told)
      told.since = now
      told.lines = 0
    }
    return told
  }

  #write({ level, body, message }: Line, untold: number): void {
    this.#log[level]({ ...body, ...(untold > 0 && { untold }) }, message)
  }
}
