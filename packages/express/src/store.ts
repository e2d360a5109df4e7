/** The store that middleware of express-session's kind is given: each call of the middleware becomes a call of the session API. */
import type { Clock, Copied, Data, DataOptions, Lifetimes, SessionApi, Timer } from '@sojourn/core/internal'
import { assignedIn, isSojournError, SojournError, sameValue, thaw } from '@sojourn/core/internal'
import session, { type Session, type SessionData } from 'express-session'
import { askedMs, capCookie, capKoaCookie, isCookieOver, revivedCookie, storedCookie } from './cookie.js'
import { checkOptions, type SojournStoreOptions } from './options.js'
import { toPlain } from './plain.js'
import { watchNumber } from './progress.js'
import { type Read, Reads } from './reads.js'

type Callback<T> = (error: unknown, value?: T) => void

/** What koa-session puts where express-session puts a callback: a lifetime, and the request. */
interface KoaCall {
  readonly ctx?: object
}
type Second<T> = Callback<T> | KoaCall | number | string | undefined

/** As express-session's types have it: whoever has those has Express's, which this package then need not name. */
type Request = Parameters<session.Store['createSession']>[0]

type Generate = (request: Request) => void

/**
 * A store for express-session, and for what takes its stores (@fastify/session, koa-session). It remembers what each request was given, and
 * writes only what the request changed: concurrent requests on one session keep each other's fields, and a destroyed session stays destroyed.
 *
 * Every call answers by callback, where the argument is a function, and by promise.
 *
 * @example app.use(session({ store: new SojournStore({ sessions: await openReplica({ region: 'eu', location: './data/eu' }) }), … }))
 */
export class SojournStore extends session.Store {
  readonly #sessions: SessionApi
  readonly #atomic: DataOptions
  readonly #dataOptions: DataOptions & { readonly counters: readonly string[] }
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #reads = new Reads()
  #generate: Generate | undefined
  #warnedOfCut = false

  /** @throws INVALID_OPTION, INVALID_DATA (a counter that is no JSON pointer) */
  constructor(options: SojournStoreOptions) {
    super()
    const { sessions, counters, atomic, timeoutMs, clock } = checkOptions(options)
    this.#sessions = sessions
    this.#atomic = atomic.length > 0 ? { atomic } : {}
    this.#dataOptions = { ...this.#atomic, counters }
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    // express-session sets it, and calls it for a new session: the only place where the store sees one before its cookie is sent.
    Object.defineProperty(this, 'generate', {
      configurable: true,
      enumerable: true,
      get: () => this.#generate,
      set: (generate: Generate) => {
        this.#generate = (request) => {
          generate(request)
          this.#cap(request.session, undefined)
        }
      },
    })
  }

  override get(sid: string, callback: Callback<SessionData | null>): Promise<SessionData | null>
  /** A callback for what another framework's types call a session: only that framework can know that it gets one. */
  override get(sid: string, callback?: Second<never>, call?: KoaCall): Promise<SessionData | null>
  override get(sid: string, callback?: Second<never>, call?: KoaCall): Promise<SessionData | null> {
    return this.#answer(callback as Second<SessionData | null>, async () => {
      const found = await this.#sessions.get<Data>(sid)
      if (!found || isCookieOver(found.data, this.#clock.now())) return null
      const sources = new WeakMap<object, object>()
      const revived = this.#revive(found.data, found.expiresAt, (copy, original) => sources.set(original, copy))
      const read: Read = { sid, base: found.data, sources, createdAt: found.createdAt, saving: undefined }
      this.#reads.given(revived, read, contextOf(callback, call))
      return revived
    })
  }

  #revive(data: Data, expiresAt: number, copied?: Copied): SessionData {
    const fields = thaw(data, copied) as Record<string, unknown>
    return { ...fields, ...('cookie' in fields && { cookie: revivedCookie(fields.cookie, expiresAt) }) } as SessionData
  }

  /** express-session makes its session object of what `get` gave; both hold the same base. */
  override createSession(request: Request, data: SessionData): Session & SessionData {
    const made = super.createSession(request, data) as Session & SessionData
    // It leaves out what a session object has by its prototype. This key is of no use there.
    if (Object.hasOwn(data, 'constructor'))
      Object.defineProperty(made, 'constructor', { ...Object.getOwnPropertyDescriptor(data, 'constructor') })
    this.#reads.taken(data, made)
    this.#cap(made, this.#reads.find(made.id, made, undefined)?.createdAt)
    return made
  }

  override set(sid: string, data: SessionData, callback?: Second<void>, call?: KoaCall): Promise<void> {
    return this.#answer(callback, async () => {
      const context = contextOf(callback, call)
      const read = this.#reads.of(sid, data, context)
      const idleMs = this.#idleMs(data, callback)
      this.#cap(data, read.createdAt)
      if (context) capKoaCookie(context, this.#latest(read.createdAt) - this.#clock.now())
      // As it is now: the holder may change it while it waits for its turn.
      const next = dataOf(data, read)
      const saved = (read.saving ?? Promise.resolve()).then(() => this.#save(read, next, idleMs))
      read.saving = saved.catch(() => {})
      await saved
    })
  }

  /** Writes what the request changed; where it had read nothing, the session begins. */
  async #save(read: Read, next: Data, idleMs: number | undefined): Promise<void> {
    if (idleMs !== undefined && idleMs <= 0) return this.#end(read.sid)
    const lifetime = idleMs === undefined ? {} : { idleTimeout: idleMs }
    const { sid, base } = read
    try {
      if (base !== undefined)
        await this.#replace(sid, next, { ...lifetime, base, assigned: assignedOf(read, base, next) })
      else if (!(await this.#create(read, next, lifetime)))
        await this.#sessions.replace(sid, next, { ...lifetime, ...this.#dataOptions })
    } catch (error) {
      // It is written here all the same; from the old base, the next save would add to the counters again.
      if (isSojournError(error, 'QUORUM_UNMET')) read.base = next
      throw error
    }
    read.base = next
  }

  /**
   * Whether the session was made; not where a live one has the id already.
   * @throws SESSION_EXISTS where the id's session has ended: nobody who saves without having read it saves what was logged out
   */
  async #create(read: Read, data: Data, lifetime: { idleTimeout?: number }): Promise<boolean> {
    try {
      read.createdAt = (await this.#sessions.create(data, { id: read.sid, ...lifetime, ...this.#atomic })).createdAt
      return true
    } catch (error) {
      if (!isSojournError(error, 'SESSION_EXISTS')) throw error
      const { state = 'ended' } = error
      if (state === 'live') return false
      throw new SojournError(
        'SESSION_EXISTS',
        `the session of this id has ${state}, and an id that has ended never lives again. Give each new session a new id: let genid never return one twice`,
        { state, cause: error },
      )
    }
  }

  async #replace(
    sid: string,
    next: Data,
    options: { readonly base: Data; readonly idleTimeout?: number; readonly assigned?: readonly string[] },
  ): Promise<void> {
    try {
      await this.#sessions.replace(sid, next, { ...options, ...this.#dataOptions })
    } catch (error) {
      // It ended or expired while the request ran: there is nothing to write to, and nothing comes back.
      if (!isSojournError(error, 'SESSION_NOT_FOUND')) throw error
    }
  }

  /** Renews the session, and writes its cookie where the request changed that. */
  override touch(sid: string, data: SessionData, callback?: Second<void>): Promise<void> {
    return this.#answer(callback, async () => {
      const idleMs = this.#idleMs(data, callback)
      if (idleMs !== undefined && idleMs <= 0) return this.#end(sid)
      const lifetime = idleMs === undefined ? {} : { idleTimeout: idleMs }
      const read = this.#reads.find(sid, data, undefined)
      await read?.saving
      const base = read?.base ?? (await this.#sessions.get<Data>(sid))?.data
      if (base === undefined) return
      const cookie = storedCookie(data.cookie, base.cookie)
      if (cookie === undefined || sameValue(cookie, base.cookie)) {
        await this.#sessions.touch(sid, lifetime)
        return
      }
      const next = { ...base, cookie } as Data
      await this.#replace(sid, next, { ...lifetime, base })
      if (read) read.base = next
    })
  }

  override destroy(sid: string, callback?: Second<void>): Promise<void> {
    return this.#answer(callback, () => this.#end(sid))
  }

  async #end(sid: string): Promise<void> {
    await this.#sessions.end(sid, { reason: 'logout' })
  }

  /** Every live session's data. Their ids are secrets that the store does not keep. */
  override all(callback?: Second<SessionData[]>): Promise<SessionData[]> {
    return this.#answer(callback, async (progressed) => {
      const out: SessionData[] = []
      for await (const { data, expiresAt } of this.#sessions.sessions()) {
        progressed()
        if (!isCookieOver(data, this.#clock.now())) out.push(this.#revive(data, expiresAt))
      }
      return out
    })
  }

  override length(callback?: Second<number>): Promise<number> {
    return this.#answer(callback, () => this.#sessions.count())
  }

  /** Ends every session that is held here: for as long as there are fewer of them from look to look. */
  override clear(callback?: Second<void>): Promise<void> {
    return this.#answer(callback, async (progressed) => {
      const stop = watchNumber(this.#clock, this.#timeoutMs / 2, () => this.#sessions.count(), progressed)
      await this.#sessions.endAll({ reason: 'revoked' }).finally(stop)
    })
  }

  /**
   * How long the session may be idle from now on, in milliseconds: as its cookie says, or koa-session's argument, and never longer than any session
   * lives; else the default. 0 or less where it is to end. Undefined where not even the default is known.
   */
  #idleMs(data: SessionData, second: unknown): number | undefined {
    const lifetimes = this.#lifetimes()
    const asked = askedMs(data.cookie, this.#clock.now()) ?? (typeof second === 'number' ? second : undefined)
    if (asked === undefined) return lifetimes?.idleTimeoutMs
    if (lifetimes === undefined || asked <= lifetimes.maxLifetimeMs) return asked <= 0 ? asked : Math.ceil(asked)
    this.#warnOfCut(asked, lifetimes.maxLifetimeMs)
    return lifetimes.maxLifetimeMs
  }

  #lifetimes(): Lifetimes | undefined {
    const lifetimes = this.#sessions.lifetimes?.()
    return (lifetimes?.maxLifetimeMs ?? 0) > 0 ? lifetimes : undefined
  }

  #warnOfCut(askedMilliseconds: number, maxLifetimeMs: number): void {
    if (this.#warnedOfCut) return
    this.#warnedOfCut = true
    process.emitWarning(
      `a session's cookie asks for ${askedMilliseconds} ms, and session.maxLifetime is ${maxLifetimeMs} ms: the session and the cookie end with that. Shorten cookie.maxAge, or set a longer session.maxLifetime in all regions`,
      { type: 'SojournWarning', code: 'SOJOURN_COOKIE_CUT' },
    )
  }

  /** The browser is not told to keep a cookie for longer than its session can live. */
  #cap(data: SessionData, createdAt: number | undefined): void {
    capCookie(data.cookie, () => this.#latest(createdAt))
  }

  /** When a session is gone at the latest, in milliseconds since the epoch. One that has not begun begins now. */
  #latest(createdAt: number | undefined): number {
    return (createdAt ?? this.#clock.now()) + (this.#lifetimes()?.maxLifetimeMs ?? Number.POSITIVE_INFINITY)
  }

  /** Answers by callback where one is given, and by promise where not; within the timeout, which begins anew where the work gets on. */
  #answer<T>(callback: Second<T>, work: (progressed: () => void) => Promise<T>): Promise<T> {
    const answered = this.#inTime(work)
    if (typeof callback !== 'function') return answered
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

/** A session as data: what its middleware's JSON of it would hold. */
const dataOf = (session: SessionData, { base, sources }: Read): Data => {
  const { toJSON } = session as { toJSON?: unknown }
  const held = (typeof toJSON === 'function' ? toJSON.call(session) : session) as SessionData
  const { cookie, ...fields } = held
  const copied: Copied = (copy, original) => sources.set(copy, original)
  return toPlain({ ...fields, cookie: storedCookie(cookie, base?.cookie) }, copied) as Data
}

/** The objects that the request put in the place of others, told by reference. The cookie's is made anew each time, and means nothing by that. */
const assignedOf = ({ sources }: Read, base: Data, next: Data): string[] =>
  assignedIn(base, next, (is, was) => sources.get(is) !== sources.get(was)).filter((path) => path !== '/cookie')

/** The request, where koa-session names it: in the call's last argument. */
const contextOf = (...args: readonly unknown[]): object | undefined => {
  for (const arg of args) {
    const ctx = typeof arg === 'object' && arg !== null ? (arg as KoaCall).ctx : undefined
    if (typeof ctx === 'object' && ctx !== null) return ctx
  }
  return undefined
}
