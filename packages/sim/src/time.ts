/** The one queue of what is to happen in a world. */
import type { Timer } from '@sojourn/core/internal'

interface Happening {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

const HAPPENINGS_A_TURN = 64

const EPOCH_MS = Date.UTC(2030, 0, 1)

/** The one queue of what is to happen in a world. Two happenings of one moment run in the order in which they were asked for. */
export class WorldTime {
  /** Milliseconds since the world began. */
  #now = 0
  #order = 0
  #happened = 0
  /** A binary heap, the next on top. */
  readonly #heap: Happening[] = []

  get now(): number {
    return this.#now
  }

  /** How many things have happened. What promises lead to belongs to the same happening as what they waited for. */
  get happened(): number {
    return this.#happened
  }

  /** True time, as a clock without any fault would show it: milliseconds since the Unix epoch. */
  get wall(): number {
    return EPOCH_MS + this.#now
  }

  schedule(delayMs: number, run: () => void): Timer {
    const happening: Happening = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    this.#push(happening)
    return {
      cancel: () => {
        happening.run = undefined
      },
      // A world lasts as long as it is advanced.
      hold() {},
      release() {},
    }
  }

  /**
   * Lets everything happen that is due within `ms`, or until somebody says that it is enough.
   *
   * Everything that promises lead to has run before the next thing happens: the replica awaits nothing but ports, and the ports of a
   * world resolve only in happenings. Each happening is an immediate of its own, between two of which Node empties its queue of
   * promises; many in one turn of the event loop, since a turn costs more than most of them.
   */
  advance(ms: number, isEnough: () => boolean = () => false): Promise<void> {
    const until = this.#now + ms
    return new Promise((resolve, reject) => {
      let isOver = false
      const step = () => {
        if (isOver) return
        const next = this.#heap[0]
        try {
          if (isEnough()) isOver = true
          else if (next === undefined || next.at > until) {
            this.#now = until
            isOver = true
          } else this.#happen()
        } catch (error) {
          isOver = true
          reject(error)
        }
        if (isOver) resolve()
      }
      const turn = () => {
        if (isOver) return
        for (let i = 0; i < HAPPENINGS_A_TURN; i++) setImmediate(step)
        setImmediate(turn)
      }
      turn()
    })
  }

  #happen(): void {
    const next = this.#pop()
    if (next.run === undefined) return
    this.#now = next.at
    this.#happened++
    next.run()
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(happening)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(happening, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = happening
  }

  #pop(): Happening {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return top
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A machine's clocks: they drift, and the wall clock steps. */
export class MachineClock {
  readonly #time: WorldTime
  /** Where the monotonic clock and the world were when the rate last changed. */
  #base = 0
  #since: number
  #rate = 1
  /** What the wall clock shows beyond the monotonic one. */
  #offset: number

  constructor(time: WorldTime, offsetMs: number) {
    this.#time = time
    this.#since = time.now
    this.#offset = time.wall + offsetMs
  }

  get monotonic(): number {
    return this.#base + (this.#time.now - this.#since) * this.#rate
  }

  get wall(): number {
    return Math.floor(this.#offset + this.monotonic)
  }

  /** How far the wall clock is ahead of true time. */
  get error(): number {
    return this.wall - this.#time.wall
  }

  step(byMs: number): void {
    this.#offset += byMs
  }

  /** Seconds of this clock in a second of the world. */
  drift(rate: number): void {
    this.#base = this.monotonic
    this.#since = this.#time.now
    this.#rate = rate
  }

  /** How long something that takes so long by this clock takes in the world. */
  toWorld(delayMs: number): number {
    return delayMs / this.#rate
  }
}
