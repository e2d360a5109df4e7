/** A process on a machine, as far as any process is one: it runs, stands still, or is gone, and goes by the machine's clock. */
import type { Clock } from '@sojourn/core/internal'
import type { Host, Network } from './network.js'
import type { MachineClock, WorldTime } from './time.js'

/** What any process runs on: it stays when the process goes. */
export interface Place {
  readonly name: string
  readonly clock: MachineClock
  readonly time: WorldTime
  readonly network: Network
}

/** A timer takes a while, however short: for a rest of a billionth of a millisecond, time, which is a floating-point number, would not move. */
const MIN_TIMER_MS = 0.001

export class RunningHost implements Host {
  readonly machine: string
  readonly clock: Clock
  readonly #place: Place
  #alive = true
  #hasPower = true
  #paused = false
  /** What happened while it was paused. */
  #backlog: (() => void)[] = []

  constructor(place: Place) {
    this.machine = place.name
    this.#place = place
    const { clock, time } = place
    this.clock = {
      now: () => clock.wall,
      monotonic: () => clock.monotonic,
      after: (delayMs, callback) =>
        time.schedule(Math.max(clock.toWorld(delayMs), MIN_TIMER_MS), () => this.deliver(callback)),
      soon: (callback) => void time.schedule(0, () => this.deliver(callback)),
      endOfTurn: (callback) => void time.schedule(0, () => this.deliver(callback)),
    }
  }

  isAlive(): boolean {
    return this.#alive
  }

  isOn(): boolean {
    return this.#hasPower
  }

  get isPaused(): boolean {
    return this.#paused
  }

  deliver(run: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#backlog.push(run)
    else run()
  }

  /** As by SIGSTOP: nothing of it runs, and time goes on. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const backlog = this.#backlog
    this.#backlog = []
    // Each on a turn of its own, as an event loop would take them.
    for (const run of backlog) this.#place.time.schedule(0, () => this.deliver(run))
  }

  /** As by SIGKILL; with the power gone, nothing says goodbye. Nothing of it runs any more. */
  kill(hasPower: boolean): void {
    this.#alive = false
    this.#hasPower = hasPower
    this.#place.network.died(this)
  }
}
