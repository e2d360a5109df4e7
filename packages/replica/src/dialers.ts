/** Dials the regions that have an address here, again and again, with growing pauses, while no link with them stands. */
import type {
  Clock,
  Connection,
  ConnectionHandler,
  Random,
  Timer,
  Transport,
  TransportOptions,
} from '@sojourn/core/internal'
import { Backoff } from '@sojourn/net'

/** A first try to dial again; each further one waits up to twice as long. */
const MIN_RECONNECT_DELAY_MS = 50

export interface DialersOptions {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly transportOptions: TransportOptions
  /** The longest pause, milliseconds. */
  readonly maxReconnectDelayMs: number
  /** Whether a region should be dialed now. */
  readonly isWanted: (region: string) => boolean
  /** Follows a connection to a region that was dialed. */
  readonly attend: (connection: Connection, region: string) => ConnectionHandler
}

interface Dialer {
  readonly region: string
  readonly url: string
  readonly backoff: Backoff
  timer: Timer | undefined
  /** When it dials next, milliseconds since the epoch; undefined while it dials, or is linked. */
  nextTryAt: number | undefined
  connection: Connection | undefined
}

export class Dialers {
  readonly #options: DialersOptions
  readonly #dialers = new Map<string, Dialer>()

  constructor(options: DialersOptions) {
    this.#options = options
  }

  /** @param url `null`: the region is not dialed from here */
  add(region: string, url: string | null): void {
    if (url === null) return
    const { random, maxReconnectDelayMs: maxMs } = this.#options
    this.#dialers.set(region, {
      region,
      url,
      backoff: new Backoff({ random, minMs: MIN_RECONNECT_DELAY_MS, maxMs }),
      timer: undefined,
      nextTryAt: undefined,
      connection: undefined,
    })
  }

  has(region: string): boolean {
    return this.#dialers.has(region)
  }

  nextTryAt(region: string): number | undefined {
    return this.#dialers.get(region)?.nextTryAt
  }

  /** Forgets a region. Returns the connection to it, if there is one. */
  drop(region: string): Connection | undefined {
    const dialer = this.#dialers.get(region)
    this.#dialers.delete(region)
    dialer?.timer?.cancel()
    return dialer?.connection
  }

  dialAll(): void {
    for (const dialer of this.#dialers.values()) this.#dial(dialer)
  }

  dial(region: string): void {
    const dialer = this.#dialers.get(region)
    if (dialer) this.#dial(dialer)
  }

  /** Dials no more until {@link dialAll}, and then without a pause. */
  rest(): void {
    for (const dialer of this.#dialers.values()) {
      dialer.timer?.cancel()
      dialer.timer = undefined
      dialer.nextTryAt = undefined
      dialer.backoff.reset()
    }
  }

  /** A link with the region was lost. `wasSteady`: and had stood for a while, so that the next try is made soon. */
  lost(region: string, wasSteady: boolean): void {
    const dialer = this.#dialers.get(region)
    if (dialer === undefined) return
    if (wasSteady) dialer.backoff.reset()
    this.#redial(dialer)
  }

  #dial(dialer: Dialer): void {
    const { isWanted, attend, transport, transportOptions } = this.#options
    if (dialer.connection || dialer.timer || !isWanted(dialer.region)) return
    let connection: Connection | undefined
    const handler = attend(
      {
        send: (frame) => connection?.send(frame),
        get bufferedBytes() {
          return connection?.bufferedBytes ?? 0
        },
        close: (why) => connection?.close(why),
        authenticated: () => connection?.authenticated?.(),
        refusalOf: (region) => connection?.refusalOf?.(region),
      },
      dialer.region,
    )
    const attended: ConnectionHandler = {
      opened: () => handler.opened(),
      received: (frame) => handler.received(frame),
      drained: () => handler.drained(),
      closed: (...why) => {
        dialer.connection = undefined
        handler.closed(...why)
        this.#redial(dialer)
      },
    }
    connection = transport.dial(dialer.url, attended, transportOptions)
    dialer.connection = connection
  }

  #redial(dialer: Dialer): void {
    const { isWanted, clock } = this.#options
    const { region } = dialer
    if (dialer.timer || this.#dialers.get(region) !== dialer || !isWanted(region)) return
    // Full jitter: regions that lost each other at one time must not dial in step for ever.
    const delayMs = 1 + dialer.backoff.next()
    dialer.nextTryAt = clock.now() + Math.ceil(delayMs)
    dialer.timer = clock.after(delayMs, () => {
      dialer.timer = undefined
      dialer.nextTryAt = undefined
      this.#dial(dialer)
    })
  }
}
