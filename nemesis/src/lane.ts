import type { Socket } from 'node:net'

/** One direction of a proxied connection: bytes come out in the order in which they went in, late, or never. */

/** What may be wrong with a direction. */
export type LaneFault =
  /** Bytes take so long, milliseconds, and a little longer at random. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** No more than so many bytes a millisecond come through. */
  | { readonly kind: 'slow'; readonly bytesPerMs: number }
  /** Nobody reads: the sender's socket fills. */
  | { readonly kind: 'stall' }
  /** Everything is taken and thrown away, as when whoever was there has gone. What lost bytes is no good any more, and is destroyed afterwards. */
  | { readonly kind: 'swallow' }

/** Bytes that a lane holds before it stops reading. */
const MAX_HELD_BYTES = 1024 * 1024
/** What is added to a delay, as a share of it. */
const JITTER = 0.3

/** What is carried: bytes, the end of the stream, or that the socket has closed. */
type Cargo = Buffer | 'end' | 'close'

interface Held {
  dueAt: number
  readonly cargo: Cargo
}

export class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #faults: () => Iterable<LaneFault>
  readonly #carried: (bytes: number) => void
  readonly #held: Held[] = []
  #heldBytes = 0
  #lastDueAt = 0
  #timer: NodeJS.Timeout | undefined
  #hasLost = false
  #isAbandoned = false

  constructor(from: Socket, to: Socket, faults: () => Iterable<LaneFault>, carried: (bytes: number) => void) {
    this.#from = from
    this.#to = to
    this.#faults = faults
    this.#carried = carried
    from.setNoDelay(true)
    from.on('data', (chunk) => this.#take(chunk))
    from.on('end', () => this.#take('end'))
    from.on('error', () => {})
    from.on('close', () => this.#take('close'))
    to.on('drain', () => this.#flow())
    this.#flow()
  }

  #has(kind: LaneFault['kind']): boolean {
    for (const fault of this.#faults()) if (fault.kind === kind) return true
    return false
  }

  get #swallows(): boolean {
    return this.#isAbandoned || this.#has('swallow')
  }

  /** From now on nothing comes through, not even that a side has gone; the side that is left finds out by itself. */
  abandon(): void {
    this.#isAbandoned = true
    this.#flow()
  }

  /** What is wrong with the lane has changed. */
  changed(): void {
    if (this.#hasLost && !this.#swallows) {
      this.#from.destroy()
      this.#to.destroy()
    }
    // What was slowed down, or delayed, comes at once where nothing does that any more: else it would, for minutes after all was healed.
    if (!this.#has('slow') && !this.#has('delay')) {
      this.#lastDueAt = 0
      for (const held of this.#held) held.dueAt = 0
    }
    this.#pump()
  }

  #take(cargo: Cargo): void {
    if (this.#swallows) {
      this.#hasLost = true
      return
    }
    const bytes = bytesOf(cargo)
    this.#carried(bytes)
    const dueAt = this.#dueAt(bytes)
    if (dueAt === undefined && this.#held.length === 0) {
      this.#give(cargo)
      return
    }
    this.#lastDueAt = Math.max(this.#lastDueAt, dueAt ?? 0)
    this.#held.push({ dueAt: this.#lastDueAt, cargo })
    this.#heldBytes += bytes
    this.#pump()
  }

  /** When bytes that come now arrive; undefined: at once. */
  #dueAt(bytes: number): number | undefined {
    const now = performance.now()
    let dueAt: number | undefined
    for (const fault of this.#faults())
      if (fault.kind === 'delay') dueAt = Math.max(dueAt ?? 0, now + fault.ms * (1 + JITTER * Math.random()))
      else if (fault.kind === 'slow')
        dueAt = Math.max(dueAt ?? 0, Math.max(now, this.#lastDueAt) + bytes / fault.bytesPerMs)
    return dueAt
  }

  #pump(): void {
    clearTimeout(this.#timer)
    while (this.#held.length > 0 && !this.#has('stall')) {
      const { dueAt, cargo } = this.#held[0]!
      const wait = dueAt - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait)
        break
      }
      this.#held.shift()
      this.#heldBytes -= bytesOf(cargo)
      this.#give(cargo)
    }
    this.#flow()
  }

  #give(cargo: Cargo): void {
    if (this.#swallows) this.#hasLost = true
    else if (cargo === 'end') this.#to.end()
    else if (cargo === 'close') this.#to.destroySoon()
    else if (!this.#to.write(cargo)) this.#from.pause()
  }

  #flow(): void {
    const isBlocked = this.#has('stall') || this.#heldBytes > MAX_HELD_BYTES || this.#to.writableNeedDrain
    if (isBlocked && !this.#swallows) this.#from.pause()
    else this.#from.resume()
  }
}

const bytesOf = (cargo: Cargo): number => (typeof cargo === 'string' ? 0 : cargo.length)
