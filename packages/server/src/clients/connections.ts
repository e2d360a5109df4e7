/** The connections of clients, all together: which there are, which of them were let in, and how they end. */
import type { Clock, Timer } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { Connected } from './connection-host.js'
import type { ClientLimits } from './limits.js'

export class Connections {
  readonly #clock: Clock
  readonly #limits: ClientLimits
  readonly #connections = new Set<Connected>()
  /** Those that were let in. */
  readonly #known = new Set<Connected>()
  #empty = () => {}
  /** The listener is about to end. */
  isDraining = false

  constructor(clock: Clock, limits: ClientLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get known(): number {
    return this.#known.size
  }

  /** Requests that wait for their answers. */
  get inFlight(): number {
    return [...this.#connections].reduce((sum, { inFlight }) => sum + inFlight, 0)
  }

  add<T extends Connected>(connection: T): T {
    this.#connections.add(connection)
    return connection
  }

  /** A client was recognised. @throws OVERLOADED where there are too many */
  admit(connection: Connected): void {
    const { maxConnections } = this.#limits
    if (this.#known.size >= maxConnections)
      throw new SojournError('OVERLOADED', `${maxConnections} clients are connected (maxConnections)`, {
        limit: maxConnections,
      })
    this.#known.add(connection)
  }

  ended(connection: Connected): void {
    this.#known.delete(connection)
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#empty()
  }

  recheck(): void {
    for (const connection of this.#connections) connection.recheck()
  }

  /** @param now monotonic */
  refuseSilent(now: number): void {
    const { maxSilenceMs } = this.#limits
    for (const connection of this.#connections)
      if (now - connection.heardAt > maxSilenceMs)
        connection.refuse(new SojournError('LINK_TIMEOUT', `the client was silent for ${maxSilenceMs} ms`))
  }

  /** Asks every client to leave, and after `drainMs` at the latest ends what is left. */
  async drain(drainMs: number): Promise<void> {
    for (const connection of this.#connections) connection.drain()
    if (drainMs > 0 && this.#connections.size > 0) {
      let timer: Timer | undefined
      await new Promise<void>((resolve) => {
        this.#empty = resolve
        timer = this.#clock.after(drainMs, resolve)
      })
      timer?.cancel()
    }
    for (const connection of this.#connections) connection.destroy()
  }
}
