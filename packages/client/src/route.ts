/** Which server is asked: the nearest that can be reached, dialed and dialed again. */
import type { ErrorCode, SessionKey, Timer } from '@sojourn/core/internal'
import { ERROR_CODES, SojournError } from '@sojourn/core/internal'
import { Backoff, jittered } from '@sojourn/net'
import type { Answer } from '@sojourn/wire'
import { Channel, type ChannelHandler } from './channel.js'
import type { LinkChange, Settings } from './options.js'

/** What the route reports to whoever asks over it. */
export interface RouteHandler {
  /** From now on this is the channel to ask on. */
  opened(channel: Channel): void
  answered(channel: Channel, answer: Answer): void
  changed(channel: Channel, keys: readonly SessionKey[]): void
  settled(): number
  /** What was asked on the channel and is not answered will not be. */
  lost(channel: Channel, why: string): void
  /** All servers were tried, and none lets the client in: see {@link Route.away}. */
  away(): void
}

/** The server forgets what it keeps for the case that the client comes back. */
const CLIENT_CLOSES = 'CLIENT_CLOSED: the client closes'

/** A first further try; each one after it waits up to twice as long. */
const MIN_DELAY_MS = 50
/** Clients that lost one server must not all come at one moment; half of a pause is waited for in any case. */
const LEAST_SHARE = 0.5

/** What is said where nothing else was. */
const ENDED = 'the connection ended'

/** Refusals that another try does not change. */
const FINAL: readonly ErrorCode[] = ['TOKEN_REFUSED', 'LINK_VERSION']

/** Why there is no server to ask. */
export interface Away {
  /** The code of a refusal that another try does not change, or UNAVAILABLE. */
  readonly error: SojournError
  readonly isFinal: boolean
}

/** Keeps one channel to the nearest server that can be reached: dials, waits, fails over, and goes back. */
export class Route {
  readonly #client: string
  readonly #settings: Settings
  readonly #handler: RouteHandler
  #current: Channel | undefined
  /** Channels on which answers are still awaited, but nothing is asked any more. */
  readonly #retired = new Set<Channel>()
  /** Being dialed: to have a channel, or a nearer one. */
  #attempt: Channel | undefined
  #timer: Timer | undefined
  readonly #backoff: Backoff
  /** What each address said since there was a channel. */
  readonly #refusals = new Map<string, string>()
  /** Whether all of them were tried since. */
  #isAway = false
  #isClosed = false

  constructor(client: string, settings: Settings, handler: RouteHandler) {
    this.#client = client
    this.#settings = settings
    this.#handler = handler
    const { random, maxReconnectDelayMs: maxMs } = settings
    this.#backoff = new Backoff({ random, minMs: MIN_DELAY_MS, maxMs, leastShare: LEAST_SHARE })
    this.#search(settings.urls)
  }

  get current(): Channel | undefined {
    return this.#current
  }

  /** Undefined while there is a channel, and for as long as it is not known that there is none to be had. */
  get away(): Away | undefined {
    if (!this.#isAway) return undefined
    const refusals = [...this.#refusals].map(([url, why]) => refusalOf(url, why))
    // Another one may come back, and let the client in.
    const isFinal = refusals.length > 0 && refusals.every(({ code }) => FINAL.includes(code))
    return { error: isFinal ? refusals[0]! : this.unavailable(), isFinal }
  }

  /**
   * What each address said.
   * @param how how long it was waited for, where it was
   */
  unavailable(how = ''): SojournError {
    const { urls } = this.#settings
    const said = urls.map((url) => `${shown(url)} (${this.#refusals.get(url) ?? 'no answer yet'})`)
    return new SojournError('UNAVAILABLE', `the client reaches no server${how}: ${said.join('; ')}`)
  }

  /** Tries these addresses one after the other; where none can be reached, all of them again after a while. */
  #search(urls: readonly string[]): void {
    const [url, ...rest] = urls
    if (this.#isClosed) return
    if (url === undefined) this.#rest()
    else this.#dial(url, () => this.#search(rest))
  }

  #rest(): void {
    this.#isAway = true
    this.#handler.away()
    this.#timer = this.#settings.clock.after(this.#backoff.next(), () => this.#search(this.#settings.urls))
  }

  /** Uses the server if it lets the client in, and else calls `failed`. */
  #dial(url: string, failed: () => void): void {
    let isIn = false
    const handler: ChannelHandler = {
      welcomed: (channel) => {
        isIn = true
        this.#attempt = undefined
        this.#adopt(channel)
      },
      proven: (channel) => {
        // A server that lets clients in and then fails is not to be stormed.
        if (channel === this.#current) this.#backoff.reset()
      },
      answered: (channel, answer) => {
        this.#handler.answered(channel, answer)
        if (channel.waiting === 0 && this.#retired.has(channel)) channel.close('nothing is asked here any more')
      },
      changed: (channel, keys) => {
        if (channel === this.#current) this.#handler.changed(channel, keys)
      },
      drain: (channel) => {
        if (channel !== this.#current) return
        this.#retire(channel)
        this.#report({
          state: 'down',
          url,
          region: channel.welcome.region,
          why: 'LINK_CLOSED: the server is stopping',
        })
        this.#seek([...this.#settings.urls.filter((other) => other !== url), url])
      },
      settled: () => this.#handler.settled(),
      closed: (channel, why) => {
        if (isIn) return this.#lost(channel, why)
        this.#attempt = undefined
        if (this.#isClosed) return
        if (!this.#current) this.#refusals.set(url, why || ENDED)
        this.#report({ state: 'refused', url, why })
        failed()
      },
    }
    this.#attempt = new Channel(url, this.#client, this.#settings, handler)
  }

  #adopt(channel: Channel): void {
    const before = this.#current
    this.#current = channel
    this.#refusals.clear()
    this.#isAway = false
    if (before) this.#retire(before)
    // What waits is asked before anybody hears of the channel: a call that is made on hearing it has a higher number, and comes after.
    this.#handler.opened(channel)
    this.#lookNearerLater()
    this.#report({ state: 'up', url: channel.url, region: channel.welcome.region })
    if (before)
      this.#report({
        state: 'down',
        url: before.url,
        region: before.welcome.region,
        why: 'a nearer server is there again',
      })
  }

  /** What the handler throws is its own affair: it ends neither a channel nor a search. */
  #report(change: LinkChange): void {
    try {
      this.#settings.linkChanged(change)
    } catch (error) {
      this.#settings.clock.soon(() => {
        throw error
      })
    }
  }

  #retire(channel: Channel): void {
    if (this.#current === channel) this.#current = undefined
    if (channel.waiting > 0) this.#retired.add(channel)
    // On a turn of its own: it may be the one that is being read from.
    else this.#settings.clock.soon(() => channel.close('nothing is asked here any more'))
  }

  #lookNearerLater(): void {
    this.#timer?.cancel()
    const { urls, clock, random, failbackMs } = this.#settings
    const at = this.#current ? urls.indexOf(this.#current.url) : 0
    if (at <= 0) return
    const delayMs = jittered(failbackMs, random, LEAST_SHARE)
    this.#timer = clock.after(delayMs, () => this.#lookNearer(urls.slice(0, at)))
  }

  #lookNearer(urls: readonly string[]): void {
    const [url, ...rest] = urls
    if (this.#isClosed || this.#current === undefined || this.#attempt) return
    if (url === undefined) this.#lookNearerLater()
    else this.#dial(url, () => this.#lookNearer(rest))
  }

  #lost(channel: Channel, why: string): void {
    this.#retired.delete(channel)
    const isCurrent = this.#current === channel
    if (isCurrent) {
      this.#current = undefined
      this.#timer?.cancel()
      this.#refusals.set(channel.url, why || ENDED)
    }
    this.#handler.lost(channel, why)
    if (isCurrent) this.#report({ state: 'down', url: channel.url, region: channel.welcome.region, why })
    if (!isCurrent || this.#isClosed) return
    // The same server first: it knows what it was asked.
    this.#seek([channel.url, ...this.#settings.urls.filter((other) => other !== channel.url)])
  }

  /** Another channel is needed; at once, unless the last ones did not last. */
  #seek(urls: readonly string[]): void {
    this.#timer?.cancel()
    // A nearer one was being tried: what comes of it is not waited for.
    this.#attempt?.close('another server is needed at once')
    if (this.#backoff.isFresh) {
      this.#backoff.skip()
      this.#search(urls)
    } else this.#timer = this.#settings.clock.after(this.#backoff.next(), () => this.#search(urls))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#attempt?.close(CLIENT_CLOSES)
    for (const channel of [...this.#retired]) channel.close(CLIENT_CLOSES)
    this.#current?.close(CLIENT_CLOSES)
  }
}

/** @param why as the other side gave it, or the system: what begins with one of our codes keeps it */
const refusalOf = (url: string, why: string): SojournError => {
  const code = /^[A-Z_]+(?=: )/.exec(why)?.[0]
  return code !== undefined && Object.hasOwn(ERROR_CODES, code)
    ? new SojournError(code as ErrorCode, `${why.slice(code.length + 2)} (${shown(url)})`)
    : new SojournError('UNAVAILABLE', `${why} (${shown(url)})`)
}

/** An address without what may be secret in it. */
const shown = (url: string): string => {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
}
