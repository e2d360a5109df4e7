/** What takes faults back: each at its time, or all at once. */
import type { Timer } from '@sojourn/core/internal'
import type { WorldTime } from './time.js'

export class Remedies {
  readonly #time: WorldTime
  /** What is to be taken back, and when. */
  readonly #active = new Map<Timer, () => void>()

  constructor(time: WorldTime) {
    this.#time = time
  }

  later(ms: number, undo: () => void): void {
    const timer = this.#time.schedule(ms, () => {
      this.#active.delete(timer)
      undo()
    })
    this.#active.set(timer, undo)
  }

  /** Something that is left out when the world is healed first. */
  at(ms: number, run: () => void): void {
    const timer = this.#time.schedule(ms, () => {
      this.#active.delete(timer)
      run()
    })
    this.#active.set(timer, () => {})
  }

  /** Takes back at once whatever is not taken back yet. */
  all(): void {
    for (const [timer, undo] of [...this.#active]) {
      timer.cancel()
      undo()
    }
    this.#active.clear()
  }
}
