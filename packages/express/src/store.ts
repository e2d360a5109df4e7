/** The store that middleware of express-session's kind is given: each call of the middleware becomes a call of the session API. */

import { types } from 'node:util'
import type {
  AtOnce,
  Clock,
  Copied,
  Data,
  DataOptions,
  Session as Found,
  IsAssigned,
  Lifetimes,
  ReplaceOptions,
  SessionApi,
  Soon,
  TouchOptions,
} from '@sojourn/core/internal'
import { assignedIn, isSojournError, SojournError, sameValue, thaw } from '@sojourn/core/internal'
import session, { type Session, type SessionData } from 'express-session'
import { type AnswerOptions, Answers, andThen, attempt, type Callback } from './answers.js'
import { askedMs, capCookie, capKoaCookie, isCookieOver, revivedCookie, storedCookie } from './cookie.js'
import { holdForTurn } from './one-piece.js'
import { checkOptions, type SojournStoreOptions } from './options.js'
import { plainFields } from './plain.js'
import { watchNumber } from './progress.js'
import { type Read, Reads, type Sources } from './reads.js'

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
  readonly #sessions: SessionApi & Partial<AtOnce>
  readonly #answers: Answers
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
    this.#answers = new Answers(clock, timeoutMs)
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
    return this.#answer(
      callback as Second<SessionData | null>,
      () => andThen(this.#get(sid), (found) => this.#given(sid, found, contextOf(callback, call))),
      { isNextTurn: true },
    )
  }

  #given(sid: string, found: Found | undefined, context: object | undefined): SessionData | null {
    if (!found || isCookieOver(found.data, this.#clock.now())) return null
    const sources = new Map<object, object>()
    const revived = this.#revive(found.data, found.expiresAt, (copy, original) => sources.set(original, copy))
    const { data: base, createdAt } = found
    this.#reads.given(revived, { sid, base, sources, createdAt, saving: undefined }, context)
    return revived
  }

  #get(sid: string): Soon<Found | undefined> {
    const { getNow } = this.#sessions
    return getNow ? (getNow.call(this.#sessions, sid) as Soon<Found | undefined>) : this.#sessions.get<Data>(sid)
  }

  #touch(sid: string, options: TouchOptions): Soon<unknown> {
    const sessions = this.#sessions
    return sessions.touchNow ? sessions.touchNow(sid, options) : sessions.touch(sid, options)
  }

  #replace(
    sid: string,
    next: Data,
    options: ReplaceOptions & { readonly base: Data },
    isAssigned: IsAssigned,
  ): Soon<unknown> {
    const sessions = this.#sessions
    return sessions.replaceNow
      ? sessions.replaceNow(sid, next, options, isAssigned)
      : sessions.replace(sid, next, { ...options, assigned: assignedIn(options.base, next, isAssigned) })
  }

  #revive(data: Data, expiresAt: number, copied?: Copied): SessionData {
    const session: Record<string, unknown> = {}
    for (const key of Object.keys(data)) {
      const value = data[key]
      if (key === 'cookie') session[key] = revivedCookie(thaw(value), expiresAt)
      else session[key] = typeof value === 'object' ? thaw(value, copied) : value
    }
    return session as unknown as SessionData
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
    return this.#answer(
      callback,
      () => {
        const context = contextOf(callback, call)
        const read = this.#reads.of(sid, data, context)
        const idleMs = this.#idleMs(data, callback)
        this.#cap(data, read.createdAt)
        if (context) capKoaCookie(context, this.#latest(read.createdAt) - this.#clock.now())
        // As it is now: the holder may change it while it waits for its turn.
        const next = snapshotOf(data, read.base)
        return this.#inTurn(read, () => this.#save(read, next, idleMs))
      },
      { waits: () => holdForTurn(data, this.#clock) },
    )
  }

  /** Saves after the save before, whose base this one builds on. */
  #inTurn(read: Read, save: () => Soon<void>): Soon<void> {
    const saved = read.saving ? read.saving.then(save) : save()
    if (!types.isPromise(saved)) return
    const over = () => {
      if (read.saving === saving) read.saving = undefined
    }
    const saving = saved.then(over, over)
    read.saving = saving
    return saved
  }

  /** Writes what the request changed; where it had read nothing, the session begins. */
  #save(read: Read, { data, sources }: Snapshot, idleMs: number | undefined): Soon<void> {
    if (idleMs !== undefined && idleMs <= 0) return this.#end(read.sid)
    const lifetime = idleMs === undefined ? {} : { idleTimeout: idleMs }
    const { sid, base } = read
    const written = () => {
      read.base = data
      read.sources = sources
    }
    const failed = (error: unknown) => {
      // It is written here all the same; from the old base, the next save would add to the counters again.
      if (isSojournError(error, 'QUORUM_UNMET')) written()
      throw error
    }
    const made =
      base === undefined
        ? this.#begin(read, data, lifetime)
        : this.#change(sid, data, { ...lifetime, base }, assignment(read.sources, sources))
    return types.isPromise(made) ? made.then(written, failed) : written()
  }

  async #begin(read: Read, next: Data, lifetime: { idleTimeout?: number }): Promise<void> {
    if (await this.#create(read, next, lifetime)) return
    await this.#sessions.replace(read.sid, next, { ...lifetime, ...this.#dataOptions })
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
        `the session of this id has ${state}, and no session can use its id again. Make genid return a new id each time`,
        { state, cause: error },
      )
    }
  }

  /** Writes what leads from one state to another; nothing where the session is gone. */
  #change(
    sid: string,
    next: Data,
    options: { readonly base: Data; readonly idleTimeout?: number },
    isAssigned: IsAssigned = nothingAssigned,
  ): Soon<unknown> {
    const made = attempt(() => this.#replace(sid, next, { ...options, ...this.#dataOptions }, isAssigned))
    if (!types.isPromise(made)) return made
    return made.catch((error: unknown) => {
      // It ended or expired while the request ran: there is nothing to write to, and nothing comes back.
      if (!isSojournError(error, 'SESSION_NOT_FOUND')) throw error
    })
  }

  /** Renews the session, and writes its cookie where the request changed that. */
  override touch(sid: string, data: SessionData, callback?: Second<void>): Promise<void> {
    return this.#answer(
      callback,
      () => {
        const idleMs = this.#idleMs(data, callback)
        if (idleMs !== undefined && idleMs <= 0) return this.#end(sid)
        const read = this.#reads.find(sid, data, undefined)
        return andThen(read?.saving, () =>
          this.#renew(sid, data, read, idleMs === undefined ? {} : { idleTimeout: idleMs }),
        )
      },
      { waits: () => holdForTurn(data, this.#clock) },
    )
  }

  #renew(sid: string, data: SessionData, read: Read | undefined, lifetime: { idleTimeout?: number }): Soon<void> {
    const known = read?.base
    return andThen(known ? { data: known } : this.#get(sid), (found) => {
      const base = found?.data
      if (base === undefined) return
      const cookie = storedCookie(data.cookie, base.cookie)
      if (cookie === undefined || sameValue(cookie, base.cookie)) return andThen(this.#touch(sid, lifetime), nothing)
      const next = { ...base, cookie } as Data
      return andThen(this.#change(sid, next, { ...lifetime, base }), () => {
        if (read) read.base = next
      })
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
      `a session's cookie asks for ${askedMilliseconds} ms, and session.maxLifetime is ${maxLifetimeMs} ms. The shorter of the two ends the session and the cookie. Shorten cookie.maxAge, or set a longer session.maxLifetime in all regions`,
      { type: 'SojournWarning', code: 'SOJOURN_COOKIE_CUT' },
    )
  }

  /** No cookie asks the browser to keep it for longer than its session can live. */
  #cap(data: SessionData, createdAt: number | undefined): void {
    capCookie(data.cookie, () => this.#latest(createdAt))
  }

  /** When a session is gone at the latest, in milliseconds since the epoch. One that has not begun begins now. */
  #latest(createdAt: number | undefined): number {
    return (createdAt ?? this.#clock.now()) + (this.#lifetimes()?.maxLifetimeMs ?? Number.POSITIVE_INFINITY)
  }

  #answer<T>(callback: Second<T>, work: (progressed: () => void) => Soon<T>, options?: AnswerOptions): Promise<T> {
    return this.#answers.answer(typeof callback === 'function' ? callback : undefined, work, options)
  }
}

const nothing = () => {}
const nothingAssigned: IsAssigned = () => false

/** A session as it is at one moment. */
interface Snapshot {
  readonly data: Data
  readonly sources: Sources
}

/** A session as data: what its middleware's JSON of it would hold. */
const snapshotOf = (session: SessionData, base: Data | undefined): Snapshot => {
  const { toJSON } = session as { toJSON?: unknown }
  const held = (typeof toJSON === 'function' ? toJSON.call(session) : session) as SessionData
  const sources = new Map<object, object>()
  const data = plainFields(held, (copy, original) => sources.set(copy, original), [], 'cookie')
  const cookie = storedCookie(held.cookie, base?.cookie)
  if (cookie !== undefined) data.cookie = cookie
  return { data: data as Data, sources }
}

/**
 * Whether the request put an object in the place of another one, decided by reference. The cookie's objects are made anew each time, and mean nothing
 * by that.
 */
const assignment =
  (before: Sources, after: Sources): IsAssigned =>
  (is, was, path) =>
    path !== '/cookie' && !path.startsWith('/cookie/') && after?.get(is) !== before?.get(was)

/** The request, where koa-session names it: in the call's last argument. */
const contextOf = (...args: readonly unknown[]): object | undefined => {
  for (const arg of args) {
    const ctx = typeof arg === 'object' && arg !== null ? (arg as KoaCall).ctx : undefined
    if (typeof ctx === 'object' && ctx !== null) return ctx
  }
  return undefined
}
