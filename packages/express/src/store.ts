import type { Clock, Data, Duration, SessionApi, Timer } from '@sojourn/core'
import { checkPointer, isSojournError, parseDuration, SojournError, systemClock, thaw } from '@sojourn/core'
import type { Request } from 'express'
import session, { type Session, type SessionData } from 'express-session'
import { idleTimeoutOf, revivedCookie, storedCookie } from './cookie.js'
import { toPlain } from './plain.js'
import { watchNumber } from './progress.js'

export interface SojournStoreOptions {
  /** An open replica, or anything else that offers the session API. Closing it stays with who opened it. */
  readonly sessions: SessionApi
  /** JSON pointers of integer fields that are counted with: what concurrent requests add to them adds up. Default: none. */
  readonly counters?: readonly string[]
  /**
   * A call that takes longer is given up with TIMEOUT. Default: 5s, or a second more than `sessions` may take to say what is wrong
   * (`answersWithinMs`): a client's UNAVAILABLE, or a replica's QUORUM_UNMET, says more.
   */
  readonly timeout?: Duration
  readonly clock?: Clock
}

/** Milliseconds. */
const MIN_TIMEOUT_MS = 5_000
/** How much longer than the sessions themselves the store waits. */
const MARGIN_MS = 1_000

const defaultTimeoutMs = ({ answersWithinMs = 0 }: SessionApi): number =>
  Math.max(MIN_TIMEOUT_MS, answersWithinMs + MARGIN_MS)

type Callback<T> = (error: unknown, value?: T) => void

/**
 * A store for express-session. It remembers what each request was given, and writes only what the request changed: concurrent
 * requests on one session keep each other's fields, and a destroyed session stays destroyed.
 */
export class SojournStore extends session.Store {
  readonly #sessions: SessionApi
  readonly #counters: readonly string[]
  readonly #timeoutMs: number
  readonly #clock: Clock
  /** What the holder of a session object had read. */
  readonly #bases = new WeakMap<object, Data>()
  /** The last save of a session object: the next one waits for it, because its base is what that one wrote. */
  readonly #saving = new WeakMap<object, Promise<void>>()

  /** @throws INVALID_OPTION, INVALID_DATA (a counter that is no JSON pointer) */
  constructor({ sessions, counters = [], timeout, clock = systemClock }: SojournStoreOptions) {
    super()
    if (typeof sessions?.get !== 'function')
      throw new SojournError('INVALID_OPTION', 'sessions: give an open replica (openReplica)', { option: 'sessions' })
    this.#sessions = sessions
    this.#counters = counters.map(checkPointer)
    this.#timeoutMs = parseDuration(timeout ?? defaultTimeoutMs(sessions), 'timeout')
    this.#clock = clock
  }

  override get(sid: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return this.#answer(callback, async () => {
      const found = await this.#sessions.get<Data>(sid)
      return found ? this.#revive(found.data, found.expiresAt) : null
    })
  }

  #revive(data: Data, expiresAt: number): SessionData {
    const { cookie, ...fields } = thaw(data) as Data & { cookie?: Record<string, unknown> }
    const revived = { ...fields, cookie: revivedCookie(cookie, expiresAt) } as SessionData
    this.#bases.set(revived, data)
    return revived
  }

  /** express-session makes its session object of what `get` gave; both hold the same base. */
  override createSession(request: Request, data: SessionData): Session & SessionData {
    const base = this.#bases.get(data)
    const made = super.createSession(request, data) as Session & SessionData
    if (base) this.#bases.set(made, base)
    return made
  }

  override set(sid: string, data: SessionData, callback?: Callback<void>): Promise<void> {
    return this.#answer(callback, async () => {
      const { cookie, ...fields } = data
      // As it is now: the holder may change it while it waits for its turn.
      const next = toPlain({ ...fields, cookie: storedCookie(cookie) }) as Data
      const idleTimeout = idleTimeoutOf(data)
      const lifetime = idleTimeout === undefined ? {} : { idleTimeout }
      const saved = (this.#saving.get(data) ?? Promise.resolve()).then(() => this.#save(sid, data, next, lifetime))
      this.#saving.set(
        data,
        saved.catch(() => {}),
      )
      await saved
    })
  }

  async #save(sid: string, data: object, next: Data, lifetime: { idleTimeout?: number }): Promise<void> {
    const base = this.#bases.get(data)
    try {
      const isThere = base !== undefined || !(await this.#create(sid, next, lifetime))
      if (isThere) await this.#replace(sid, next, { ...lifetime, ...(base && { base }), counters: this.#counters })
    } catch (error) {
      // It is written here all the same; from the old base, the next save would add to the counters again.
      if (isSojournError(error, 'QUORUM_UNMET')) this.#bases.set(data, next)
      throw error
    }
    this.#bases.set(data, next)
  }

  /** Whether the session was made; not where a live one has the id already. A dead one stays dead. */
  async #create(sid: string, data: Data, lifetime: { idleTimeout?: number }): Promise<boolean> {
    try {
      await this.#sessions.create(data, { id: sid, ...lifetime })
      return true
    } catch (error) {
      if (isSojournError(error, 'SESSION_EXISTS')) return error.state !== 'live'
      throw error
    }
  }

  async #replace(sid: string, next: Data, options: object): Promise<void> {
    try {
      await this.#sessions.replace(sid, next, options)
    } catch (error) {
      // It ended or expired while the request ran: there is nothing to write to, and nothing comes back.
      if (!isSojournError(error, 'SESSION_NOT_FOUND')) throw error
    }
  }

  override touch(sid: string, data: SessionData, callback?: Callback<void>): Promise<void> {
    return this.#answer(callback, async () => {
      const idleTimeout = idleTimeoutOf(data)
      await this.#sessions.touch(sid, idleTimeout === undefined ? {} : { idleTimeout })
    })
  }

  override destroy(sid: string, callback?: Callback<void>): Promise<void> {
    return this.#answer(callback, async () => {
      await this.#sessions.end(sid, { reason: 'logout' })
    })
  }

  /** Every live session's data. Their ids are secrets that the store does not keep. */
  override all(callback?: Callback<SessionData[]>): Promise<SessionData[]> {
    return this.#answer(callback, async (progressed) => {
      const out: SessionData[] = []
      for await (const { data, expiresAt } of this.#sessions.sessions()) {
        progressed()
        out.push(this.#revive(data, expiresAt))
      }
      return out
    })
  }

  override length(callback?: Callback<number>): Promise<number> {
    return this.#answer(callback, () => this.#sessions.count())
  }

  /** Ends every session that is held here: for as long as there are fewer of them from look to look. */
  override clear(callback?: Callback<void>): Promise<void> {
    return this.#answer(callback, async (progressed) => {
      const stop = watchNumber(this.#clock, this.#timeoutMs / 2, () => this.#sessions.count(), progressed)
      await this.#sessions.endAll({ reason: 'revoked' }).finally(stop)
    })
  }

  /** Answers by callback where one is given, and by promise where not; within the timeout, which begins anew where the work gets on. */
  #answer<T>(callback: Callback<T> | undefined, work: (progressed: () => void) => Promise<T>): Promise<T> {
    const answered = this.#inTime(work)
    if (callback === undefined) return answered
    answered.then(
      // On a turn of its own: what the callback throws is the application's, and must not become our error.
      (value) => this.#clock.soon(() => callback(null, value)),
      (error: unknown) => this.#clock.soon(() => callback(error)),
    )
    return answered.catch(() => undefined as T)
  }

  #inTime<T>(work: (progressed: () => void) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let timer: Timer
      let hasProgressed = false
      const watch = () => {
        timer = this.#clock.after(this.#timeoutMs, () => {
          if (!hasProgressed)
            return reject(new SojournError('TIMEOUT', `the session store did not answer within ${this.#timeoutMs} ms`))
          hasProgressed = false
          watch()
        })
        timer.hold()
      }
      watch()
      work(() => {
        hasProgressed = true
      })
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }
}
