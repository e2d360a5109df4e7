/** The session API, answered by a server over the network. */
import type {
  AnyData,
  CreateOptions,
  Data,
  EndOptions,
  Level,
  Lifetimes,
  ReadOptions,
  ReplaceOptions,
  Session,
  SessionApi,
  StoredSession,
  TouchOptions,
  Update,
  UpdateOptions,
  WriteOptions,
} from '@sojourn/core/internal'
import {
  assignedIn,
  checkCall,
  checkId,
  checkIncrement,
  checkPointer,
  checkTop,
  optionalDuration,
  runDraft,
  SojournError,
  sessionKey,
  tokensIn,
} from '@sojourn/core/internal'
import {
  type ClientRequest,
  encodeData,
  MAX_ASSIGNED,
  MAX_ATOMIC,
  MAX_COUNTERS,
  type PageAnswer,
  type ReplaceChoices,
  type UpdateChoices,
  type WriteChoices,
} from '@sojourn/wire'
import { type Answered, Calls, type Finish, type Repeat, UNNUMBERED } from './calls.js'
import type { Channel } from './channel.js'
import { checkData, difference } from './difference.js'
import { type CacheStatus, NearCache } from './near-cache.js'
import type { Settings } from './options.js'
import { Route } from './route.js'
import { SessionSnapshot, tokenFor } from './session-snapshot.js'

export interface ClientStatus {
  /** The server that is asked now; undefined while there is none. */
  readonly url: string | undefined
  readonly region: string | undefined
  /** Of the client protocol, as both sides agreed; undefined while there is no server. */
  readonly version: number | undefined
  /** What both sides can do beyond the oldest version. */
  readonly capabilities: readonly string[]
  /** Calls that wait for an answer, or for a connection. */
  readonly inFlight: number
  /** Bytes that wait for the connection. */
  readonly bufferedBytes: number
  readonly nearCache: CacheStatus | undefined
  readonly totals: {
    /** Connections that stood. */
    readonly connections: number
    /** Calls that were asked again after a connection had ended. */
    readonly repeated: number
  }
}

/** The session API, answered by a server over the network. */
export class Client implements SessionApi, AsyncDisposable {
  readonly #settings: Settings
  readonly #calls: Calls
  readonly #cache: NearCache | undefined
  readonly #route: Route
  #connections = 0
  /** As the server said that let the client in last. */
  #lifetimes: Lifetimes = { idleTimeoutMs: 0, maxLifetimeMs: 0 }
  /** Whoever waits for the first connection. */
  #onOpened: (() => void) | undefined
  #onRefused: ((error: SojournError) => void) | undefined
  #isClosed = false

  /** @internal Use `connect`. */
  constructor(settings: Settings) {
    this.#settings = settings
    const { clock, timeoutMs } = settings
    this.#calls = new Calls({ clock, timeoutMs, unavailable: (how) => this.#route.unavailable(how) })
    this.#cache = settings.nearCache && new NearCache(settings.nearCache)
    this.#route = new Route(Buffer.from(settings.random.bytes(16)).toString('hex'), settings, {
      opened: (channel) => {
        this.#connections++
        this.#lifetimes = lifetimesIn(channel.welcome)
        // Invalidations for the old connection will never arrive, so what it brought goes.
        this.#cache?.clear()
        this.#calls.resume(channel)
        this.#onOpened?.()
      },
      answered: (channel, answer) => this.#calls.answered(channel, answer),
      changed: (_channel, keys) => {
        for (const key of keys) this.#cache?.delete(key)
      },
      settled: () => this.#calls.settled,
      lost: (channel, why) => {
        this.#calls.lost(channel, why)
        const { current } = this.#route
        if (current) this.#calls.resume(current)
        else this.#cache?.clear()
      },
      away: () => {
        const { error, isFinal } = this.#route.away!
        const fails = this.#settings.whenUnavailable === 'fail'
        if (isFinal || fails) this.#calls.refuse(error, fails)
        if (isFinal) this.#onRefused?.(error)
      },
    })
  }

  lifetimes(): Lifetimes {
    return this.#lifetimes
  }

  /** @internal Resolves when a server has let the client in. @throws UNAVAILABLE, TOKEN_REFUSED, LINK_VERSION */
  async ready(): Promise<void> {
    const { clock, connectTimeoutMs } = this.#settings
    const opened = new Promise<void>((resolve, reject) => {
      this.#onOpened = resolve
      this.#onRefused = reject
    })
    const timer = clock.after(connectTimeoutMs, () =>
      this.#onRefused?.(this.#route.unavailable(` within ${connectTimeoutMs} ms`)),
    )
    timer.hold()
    try {
      await opened
    } finally {
      timer.cancel()
      this.#onOpened = undefined
      this.#onRefused = undefined
    }
  }

  /** As `timeout` says. */
  get answersWithinMs(): number {
    return this.#settings.timeoutMs
  }

  async create<T extends object = Data>(data: T, options: CreateOptions = {}): Promise<Session<T>> {
    checkCall('create', options)
    const id = options.id === undefined ? undefined : checkId(options.id)
    const choices = {
      ...writeChoices(options),
      ...objectChoices(options),
      id,
      idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
      maxLifetimeMs: optionalDuration(options.maxLifetime, 'maxLifetime'),
    }
    const packed = encodeData(checkData(data))
    return this.#made<T>({ type: 'create', number: UNNUMBERED, data: packed, choices }, choices.timeoutMs, id)
  }

  get<T extends object = AnyData>(id: string, options: ReadOptions = {}): Promise<Session<T> | undefined> {
    try {
      checkId(id)
      checkCall('get', options)
      const { read } = options
      const timeoutMs = optionalDuration(options.timeout, 'timeout')
      const deadline = this.#deadline(timeoutMs)
      return this.#read(id, read, timeoutMs, deadline, (snapshot) => snapshot?.session<T>(id))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #read<R>(
    id: string,
    read: Level | undefined,
    timeoutMs: number | undefined,
    deadline: number,
    finish: (snapshot: SessionSnapshot | undefined) => R,
  ): Promise<R> {
    const cache = read === undefined || read === 'local' || read === 1 ? this.#cache : undefined
    const choices = { read, timeoutMs }
    if (cache === undefined)
      return this.#call(
        { type: 'get', number: UNNUMBERED, id, watch: false, choices },
        'anywhere',
        deadline,
        (answer) => finish(foundIn(answer)),
      )
    const key = sessionKey(id)
    const kept = cache.get(key, read === undefined, this.#latestTime())
    if (kept) return Promise.resolve(finish(kept))
    const request = { type: 'get', number: UNNUMBERED, id, watch: true, choices } as const
    return this.#call(request, 'anywhere', deadline, (answer, from) => {
      const snapshot = foundIn(answer)
      if (snapshot && answer.type === 'found' && answer.watched && from === this.#route.current)
        cache.set(key, snapshot, read === undefined)
      return finish(snapshot)
    })
  }

  /** For the near cache: the server's clock is not later than this. Later than all where nothing that is kept can be relied on. */
  #latestTime(): number {
    const { clock, nearCache } = this.#settings
    const channel = this.#route.current
    const isFresh = channel !== undefined && clock.monotonic() - channel.freshAt <= nearCache!.maxStaleMs
    return isFresh ? channel.latestServerTime : Number.POSITIVE_INFINITY
  }

  /**
   * A draft function is run here, on what the server holds, and what it changed is sent with what it was changed from: fields that
   * others write meanwhile stay. Unlike in an embedded replica others can write between the two, so what a function makes of a field's
   * value it may make of an old one: count with `increment`.
   */
  async update<T extends object = AnyData>(
    id: string,
    update: Update<T>,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkId(id)
    checkCall('update', options)
    const choices = updateChoices(options)
    const deadline = this.#deadline(choices.timeoutMs)
    if (typeof update !== 'function') {
      const patch = encodeData(checkData(checkTop(update)))
      const more = { ...choices, ...objectChoices(options) }
      return this.#found<T>(id, { type: 'patch', number: UNNUMBERED, id, patch, choices: more }, deadline)
    }
    const read = await this.#read(id, 'local', undefined, deadline, (snapshot) => snapshot)
    if (read === undefined) throw new SojournError('SESSION_NOT_FOUND', 'no live session has this id here')
    const { next, isAssigned } = runDraft(read.data, update)
    const more = { ...choices, ...objectChoices({ ...options, assigned: assignedIn(read.data, next, isAssigned) }) }
    return this.#replace<T>(id, read.data, next, [], more, deadline)
  }

  async replace<T extends object = AnyData>(id: string, next: T, options: ReplaceOptions = {}): Promise<Session<T>> {
    checkId(id)
    checkCall('replace', options)
    const counters = pointersIn('counters', options.counters ?? [], MAX_COUNTERS)
    const choices = updateChoices(options)
    const deadline = this.#deadline(choices.timeoutMs)
    const more = { ...choices, ...objectChoices(options) }
    return this.#replace<T>(id, options.base, checkTop(next), counters, more, deadline)
  }

  #replace<T extends object>(
    id: string,
    base: unknown,
    next: object,
    counters: readonly string[],
    choices: ReplaceChoices,
    deadline: number,
  ): Promise<Session<T>> {
    const whole = new Set([...(choices.assigned ?? []), ...(choices.atomic ?? []), ...(this.#lifetimes.atomic ?? [])])
    const written = base === undefined || base === null ? { next: checkData(next) } : difference(base, next, whole)
    const within = 'base' in written ? tokensIn(base as object, written.base, tokenFor).slice(0, MAX_ASSIGNED) : []
    return this.#found<T>(
      id,
      {
        type: 'replace',
        number: UNNUMBERED,
        id,
        base: 'base' in written ? encodeData(written.base) : undefined,
        next: encodeData(written.next),
        counters,
        choices: {
          ...choices,
          ...(within.length > 0 && { within: within.map(([path, object]) => ({ path, object })) }),
        },
      },
      deadline,
    )
  }

  async increment<T extends object = AnyData>(
    id: string,
    path: string,
    by = 1,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkId(id)
    checkPointer(path)
    checkIncrement(by)
    checkCall('increment', options)
    const choices = updateChoices(options)
    return this.#found<T>(
      id,
      { type: 'increment', number: UNNUMBERED, id, path, by, choices },
      this.#deadline(choices.timeoutMs),
    )
  }

  async touch<T extends object = AnyData>(id: string, options: TouchOptions = {}): Promise<Session<T> | undefined> {
    checkId(id)
    checkCall('touch', options)
    const choices = { ...writeChoices(options), idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout') }
    const request = { type: 'touch', number: UNNUMBERED, id, choices } as const
    return this.#call(request, 'anywhere', this.#deadline(choices.timeoutMs), (answer) =>
      foundIn(answer)?.session<T>(id),
    )
  }

  async end(id: string, options: EndOptions = {}): Promise<boolean> {
    checkId(id)
    checkCall('end', options)
    const choices = { ...writeChoices(options), reason: options.reason }
    const request = { type: 'end', number: UNNUMBERED, id, choices } as const
    return (await this.#call(request, 'anywhere', this.#deadline(choices.timeoutMs), countedIn)) === 1
  }

  async rotate<T extends object = AnyData>(id: string, options: WriteOptions = {}): Promise<Session<T>> {
    checkId(id)
    checkCall('rotate', options)
    const choices = writeChoices(options)
    return this.#made<T>({ type: 'rotate', number: UNNUMBERED, id, choices }, choices.timeoutMs)
  }

  async *sessions(): AsyncIterable<StoredSession> {
    let on: Channel | undefined
    const begin = { type: 'scan', number: UNNUMBERED } as const
    let page = await this.#call(begin, 'never', this.#deadline(), (answer, from) => {
      on = from
      return pageIn(answer)
    })
    const { number: scan } = page
    try {
      for (;;) {
        for (const { key, createdAt, expiresAt, data } of page.sessions)
          yield {
            key,
            data: new SessionSnapshot({ data, objects: [], createdAt, expiresAt }).data,
            createdAt,
            expiresAt,
          }
        if (page.isLast) return
        if (this.#route.current !== on)
          throw new SojournError('CONNECTION_LOST', 'sessions: the connection of this scan has ended; begin again')
        const step = { type: 'step', number: UNNUMBERED, scan } as const
        page = await this.#call(step, 'never', this.#deadline(), pageIn)
      }
    } finally {
      if (!page.isLast) on?.send({ type: 'leave', scan })
    }
  }

  async count(): Promise<number> {
    return this.#call({ type: 'count', number: UNNUMBERED }, 'anywhere', this.#deadline(), countedIn)
  }

  async endAll(options: EndOptions = {}): Promise<number> {
    checkCall('endAll', options)
    const choices = { ...writeChoices(options), reason: options.reason }
    const request = { type: 'endAll', number: UNNUMBERED, choices } as const
    return this.#call(request, 'same server', this.#deadline(choices.timeoutMs), countedIn)
  }

  status(): ClientStatus {
    const { current } = this.#route
    return {
      url: current?.url,
      region: current?.welcome.region,
      version: current?.welcome.version,
      capabilities: current?.welcome.capabilities ?? [],
      inFlight: this.#calls.size,
      bufferedBytes: current?.bufferedBytes ?? 0,
      nearCache: this.#cache?.status,
      totals: { connections: this.#connections, repeated: this.#calls.repeated },
    }
  }

  #found<T extends object>(id: string, request: ClientRequest, deadline: number): Promise<Session<T>> {
    return this.#call(request, 'same server', deadline, (answer) => {
      if (answer.type !== 'found') throw unexpected(answer)
      return new SessionSnapshot(answer).session<T>(id)
    })
  }

  #made<T extends object>(request: ClientRequest, timeoutMs: number | undefined, id?: string): Promise<Session<T>> {
    return this.#call(request, 'same server', this.#deadline(timeoutMs), (answer) => {
      if (answer.type !== 'made') throw unexpected(answer)
      return new SessionSnapshot(answer).session<T>(id ?? answer.id)
    })
  }

  #deadline(timeoutMs = 0): number {
    return this.#settings.clock.monotonic() + this.#settings.timeoutMs + timeoutMs
  }

  /** Rejects with what the server says, and CLIENT_CLOSED, OVERLOADED, UNAVAILABLE, CONNECTION_LOST, TIMEOUT. */
  #call<R>(request: ClientRequest, repeat: Repeat, deadline: number, finish: Finish<R>): Promise<R> {
    const channel = this.#route.current
    const refusal = this.#refusal(channel)
    return refusal ? Promise.reject(refusal) : this.#calls.begin(request, repeat, deadline, channel, finish)
  }

  /** Why no call can be made now. */
  #refusal(channel: Channel | undefined): SojournError | undefined {
    if (this.#isClosed) return new SojournError('CLIENT_CLOSED', 'the client was closed')
    if (channel === undefined) {
      const { away } = this.#route
      if (away && (away.isFinal || this.#settings.whenUnavailable === 'fail')) return away.error
    }
    const { maxInFlight, maxBufferedBytes } = this.#settings.limits
    const limit = Math.min(maxInFlight, channel?.welcome.maxInFlight ?? maxInFlight)
    if (this.#calls.size >= limit)
      return new SojournError('OVERLOADED', `${limit} calls wait for an answer (limits.maxInFlight)`, { limit })
    if (channel && channel.bufferedBytes >= maxBufferedBytes)
      return new SojournError(
        'OVERLOADED',
        `${maxBufferedBytes} bytes wait for the connection (limits.maxBufferedBytes)`,
        { limit: maxBufferedBytes },
      )
    return undefined
  }

  /** Ends the connection. Calls that wait for an answer are refused with CLIENT_CLOSED, or, where they may have been done, CONNECTION_LOST. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#calls.close(new SojournError('CLIENT_CLOSED', 'the client was closed'))
    this.#route.close()
    this.#cache?.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const lifetimesIn = ({ idleTimeoutMs, maxLifetimeMs, atomic }: Lifetimes): Lifetimes => ({
  idleTimeoutMs,
  maxLifetimeMs,
  ...(atomic && atomic.length > 0 && { atomic }),
})

const writeChoices = ({ write, timeout }: WriteOptions): WriteChoices => ({
  write,
  timeoutMs: optionalDuration(timeout, 'timeout'),
})

const updateChoices = (options: UpdateOptions): UpdateChoices => ({
  ...writeChoices(options),
  touch: options.touch === false ? false : undefined,
  idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
})

/** What a write says of objects in its data. @throws INVALID_OPTION */
const objectChoices = ({ atomic, assigned }: Pick<ReplaceOptions, 'atomic' | 'assigned'>): ObjectChoices => {
  return {
    ...(atomic && { atomic: pointersIn('atomic', atomic, MAX_ATOMIC) }),
    ...(assigned && assigned.length > 0 && { assigned: pointersIn('assigned', assigned, MAX_ASSIGNED) }),
  }
}

type ObjectChoices = Pick<ReplaceChoices, 'atomic' | 'assigned'>

const pointersIn = (option: string, pointers: readonly string[], max: number): string[] => {
  if (pointers.length > max) throw new SojournError('INVALID_OPTION', `${option}: at most ${max}`, { option })
  return pointers.map(checkPointer)
}

const unexpected = ({ type }: Answered): SojournError =>
  new SojournError('FRAME_UNEXPECTED', `the server gave an answer (${type}) that does not fit the question`)

/** @throws FRAME_UNEXPECTED */
const foundIn = (answer: Answered): SessionSnapshot | undefined => {
  if (answer.type === 'found') return new SessionSnapshot(answer)
  if (answer.type === 'none') return undefined
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
const countedIn = (answer: Answered): number => {
  if (answer.type === 'counted') return answer.count
  throw unexpected(answer)
}

/** @throws FRAME_UNEXPECTED */
const pageIn = (answer: Answered): PageAnswer => {
  if (answer.type === 'page') return answer
  throw unexpected(answer)
}
