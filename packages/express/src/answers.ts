/** Answers the calls of a store: by callback where one is given, by promise, and within its timeout. */
import { types } from 'node:util'
import { type Clock, SojournError, type Soon, type Timer } from '@sojourn/core/internal'

export type Callback<T> = (error: unknown, value?: T) => void

/** What follows, in the same turn where that is possible. */
export const andThen = <T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> =>
  types.isPromise(value) ? value.then(next) : next(value)

/** What a call gives; what it throws is rejected. */
export const attempt = <T>(call: () => Soon<T>): Soon<T> => {
  try {
    return call()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Whether a call got on since somebody looked last. */
interface Progress {
  isMade: boolean
}

export interface AnswerOptions {
  /**
   * Whether a callback waits for the next turn of the event loop also where the answer is there. A request goes on from there: all requests that
   * came in one turn are read before any of them goes on, and answered in one turn, which costs less than to do all of it for one after the other.
   */
  readonly isNextTurn?: boolean
  /** Called where a callback has to wait for the answer. */
  readonly waits?: () => void
}

export class Answers {
  readonly #clock: Clock
  readonly #timeoutMs: number

  /** @param timeoutMs a call that takes longer is given up with TIMEOUT */
  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /**
   * Answers with what `work` gives: in the same turn where that is there at once, so that express-session sends its answer in one piece.
   * @param work is given what it calls when it gets on: the timeout begins anew then
   */
  answer<T>(
    callback: Callback<T> | undefined,
    work: (progressed: () => void) => Soon<T>,
    { isNextTurn = false, waits }: AnswerOptions = {},
  ): Promise<T> {
    const progress: Progress = { isMade: false }
    const progressed = () => {
      progress.isMade = true
    }
    const made = attempt(() => work(progressed))
    if (!types.isPromise(made)) {
      if (callback && isNextTurn) this.#clock.soon(() => callback(null, made))
      else if (callback) this.#call(callback, null, made)
      return Promise.resolve(made)
    }
    if (callback) waits?.()
    const answered = this.#inTime(made, progress)
    if (!callback) return answered
    return answered.then(
      (value) => {
        this.#call(callback, null, value)
        return value
      },
      (error: unknown) => {
        this.#call(callback, error)
        return undefined as T
      },
    )
  }

  /** What the callback throws is the application's, and must not become our error. */
  #call<T>(callback: Callback<T>, error: unknown, value?: T): void {
    try {
      if (error === null) callback(null, value)
      else callback(error)
    } catch (thrown) {
      this.#clock.soon(() => {
        throw thrown
      })
    }
  }

  #inTime<T>(made: Promise<T>, progress: Progress): Promise<T> {
    return new Promise((resolve, reject) => {
      let timer: Timer
      const watch = () => {
        timer = this.#clock.after(this.#timeoutMs, () => {
          if (!progress.isMade)
            return reject(new SojournError('TIMEOUT', `the session store did not answer within ${this.#timeoutMs} ms`))
          progress.isMade = false
          watch()
        })
        timer.hold()
      }
      watch()
      made.then(
        (value) => {
          timer.cancel()
          resolve(value)
        },
        (error: unknown) => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }
}
