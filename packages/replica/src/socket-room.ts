/** What waits until a link's socket has taken enough of what it was given. */
import type { Clock, Connection } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'

/** Answers of one link that wait. */
const MAX_WAITING = 64

export interface SocketRoomOptions {
  readonly connection: Connection
  readonly clock: Clock
  readonly maxBufferedBytes: number
  /** Who asks on and on and does not read is not a peer: the link is to be closed. */
  readonly overloaded: (error: SojournError) => void
}

export class SocketRoom {
  readonly #options: SocketRoomOptions
  readonly #waiting: (() => void)[] = []
  #closed = false

  constructor(options: SocketRoomOptions) {
    this.#options = options
  }

  /** Whether the socket has taken enough; of a link that is closed, too. */
  get isThere(): boolean {
    return this.#closed || this.#options.connection.bufferedBytes <= this.#options.maxBufferedBytes
  }

  /** Resolves when there is room again, or the link is closed. */
  async wait(): Promise<void> {
    while (!this.isThere) {
      if (this.#waiting.length < MAX_WAITING) await new Promise<void>((resolve) => this.#waiting.push(resolve))
      else {
        const what = `${MAX_WAITING} answers wait for a peer that does not read`
        this.#options.overloaded(new SojournError('LINK_OVERLOADED', what, { limit: MAX_WAITING }))
      }
    }
  }

  /** The socket has drained: one goes on after the other, so that each sees what the one before has sent. */
  drained(): void {
    if (!this.isThere) return
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) this.#options.clock.soon(() => this.drained())
  }

  close(): void {
    this.#closed = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
