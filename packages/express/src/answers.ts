/** Answers the calls of a store: by callback where one is given, by promise, and within its timeout. */
import { types } from 'node:util'
import { type Clock, SojournError, type Soon, type Timer } from '@sojourn/core'

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

/** A call that was not answered yet. */
interface Waiting {
  /** By the monotonic clock, in milliseconds. */
  dueAt: number
  hasProgressed: boolean
  readonly reject: (error: SojournError) => void
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
  /** Who is given up first comes first: all wait for equally long, and who gets on begins anew. */
  readonly #waiting = new Set<Waiting>()
  /** One for all: it looks at the first of them, and goes on while there are any. */
  #timer: Timer | undefined

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
    const waiting = { dueAt: 0, hasProgressed: false, reject: noReject }
    const progressed = () => {
      waiting.hasProgressed = true
    }
    const made = attempt(() => work(progressed))
    if (!types.isPromise(made)) {
      if (callback && isNextTurn) this.#clock.soon(() => callback(null, made))
      else if (callback) this.#call(callback, null, made)
      return Promise.resolve(made)
    }
    if (callback) waits?.()
    const answered = this.#inTime(made, waiting)
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

  #inTime<T>(made: Promise<T>, waiting: Writable<Waiting>): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.reject = reject
      this.#add(waiting)
      made.then(
        (value) => {
          this.#remove(waiting)
          resolve(value)
        },
        (error: unknown) => {
          this.#remove(waiting)
          reject(error)
        },
      )
    })
  }

  #add(waiting: Waiting): void {
    waiting.dueAt = this.#clock.monotonic() + this.#timeoutMs
    this.#waiting.add(waiting)
    if (this.#timer === undefined) this.#look(this.#timeoutMs)
    // Who waits keeps the process alive.
    else if (this.#waiting.size === 1) this.#timer.hold()
  }

  #remove(waiting: Waiting): void {
    if (this.#waiting.delete(waiting) && this.#waiting.size === 0) this.#timer?.release()
  }

  #look(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined
      this.#giveUp(this.#clock.monotonic())
      const [first] = this.#waiting
      if (first) this.#look(Math.max(0, first.dueAt - this.#clock.monotonic()))
    })
    this.#timer.hold()
  }

  #giveUp(now: number): void {
    for (const waiting of this.#waiting) {
      if (waiting.dueAt > now) return
      this.#waiting.delete(waiting)
      if (!waiting.hasProgressed)
        waiting.reject(new SojournError('TIMEOUT', `the session store did not answer within ${this.#timeoutMs} ms`))
      else {
        waiting.hasProgressed = false
        waiting.dueAt = now + this.#timeoutMs
        this.#waiting.add(waiting)
      }
    }
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const noReject = () => {}
