/** The way from a client to its servers: the route, the calls that are on it, and copies of what was read over it. */
import type { Lifetimes } from '@sojourn/core/internal'
import { hasWrite, SojournError } from '@sojourn/core/internal'
import type { ClientRequest, ReadChoices } from '@sojourn/wire'
import { foundIn } from './answers.js'
import { type Answered, Calls, type Finish, type Repeat, UNNUMBERED } from './calls.js'
import type { Channel } from './channel.js'
import { type CacheStatus, NearCache } from './near-cache.js'
import type { Settings } from './options.js'
import { Route } from './route.js'
import type { SessionSnapshot } from './session-snapshot.js'

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

/** Asks whichever server the route leads to, and keeps copies only for as long as that server says when they change. */
export class Uplink {
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

  get lifetimes(): Lifetimes {
    return this.#lifetimes
  }

  /** The connection that calls are made on now; undefined while there is none. */
  get channel(): Channel | undefined {
    return this.#route.current
  }

  /** Resolves when a server has let the client in. @throws UNAVAILABLE, TOKEN_REFUSED, LINK_VERSION */
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

  /**
   * Reads a session: from the near cache where that may answer at this level, else at the server, and keeps what it says.
   * @param finish makes of what was found what the caller gets
   */
  read<R>(
    id: string,
    choices: ReadChoices,
    deadline: number,
    finish: (snapshot: SessionSnapshot | undefined) => R,
  ): Promise<R> {
    const { read, after } = choices
    const cache = read === undefined || read === 'local' || read === 1 ? this.#cache : undefined
    const kept = cache?.get(id, read === undefined, this.#latestTime())
    if (kept && (after === undefined || hasWrite(kept.written ?? '', after))) return Promise.resolve(finish(kept))
    // What waited for other regions may change without a word of the server's.
    const keeps = after === undefined ? cache : undefined
    const request = { type: 'get', number: UNNUMBERED, id, watch: keeps !== undefined, choices } as const
    return this.call(request, 'anywhere', deadline, (answer, from) => {
      const snapshot = foundIn(answer)
      if (snapshot && keeps && isWatched(answer) && from === this.#route.current)
        keeps.set(id, snapshot, read === undefined)
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

  /** When a call that begins now is over, monotonic. @param timeoutMs how much longer than others it may take */
  deadline(timeoutMs = 0): number {
    return this.#settings.clock.monotonic() + this.#settings.timeoutMs + timeoutMs
  }

  /** Rejects with what the server says, and CLIENT_CLOSED, OVERLOADED, UNAVAILABLE, CONNECTION_LOST, TIMEOUT. */
  call<R>(request: ClientRequest, repeat: Repeat, deadline: number, finish: Finish<R>): Promise<R> {
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

  get status(): ClientStatus {
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

  /** Calls that wait for an answer are refused with CLIENT_CLOSED, or, where they may have been done, CONNECTION_LOST. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#calls.close(new SojournError('CLIENT_CLOSED', 'the client was closed'))
    this.#route.close()
    this.#cache?.clear()
  }
}

const isWatched = (answer: Answered): boolean =>
  (answer.type === 'found' || answer.type === 'foundWho') && answer.watched

const lifetimesIn = ({ idleTimeoutMs, maxLifetimeMs, atomic }: Lifetimes): Lifetimes => ({
  idleTimeoutMs,
  maxLifetimeMs,
  ...(atomic && atomic.length > 0 && { atomic }),
})
