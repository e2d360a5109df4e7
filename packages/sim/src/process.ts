import type { Clock, Journal, Random, StorageEngine, Transport } from '@sojourn/core'
import type { Disk } from './disk.js'
import type { Host, Network } from './network.js'
import type { Prng } from './prng.js'
import type { MachineClock, WorldTime } from './time.js'

/** What a process runs on: it stays when the process goes. */
export interface Machine {
  readonly name: string
  readonly clock: MachineClock
  readonly disk: Disk
  readonly time: WorldTime
  readonly network: Network
}

/** A timer takes a while, however short: for a rest of a billionth of a millisecond, time, which is a floating-point number, would not move. */
const MIN_TIMER_MS = 0.001

/** A process on a machine, with the four ports of a replica. */
export class Process implements Host {
  readonly machine: string
  readonly #machine: Machine
  #alive = true
  #hasPower = true
  #paused = false
  /** What happened while it was paused. */
  #backlog: (() => void)[] = []
  /** Calls of its ports that are left before it dies, where that was decided. */
  #fuse: { calls: number; readonly blow: () => void } | undefined
  readonly ports: {
    readonly clock: Clock
    readonly random: Random
    readonly storage: StorageEngine
    readonly transport: Transport
  }

  constructor(machine: Machine, random: Prng) {
    this.machine = machine.name
    this.#machine = machine
    const { clock, time } = machine
    const disk = machine.disk.engine(this)
    const transport = machine.network.transport(this)
    this.ports = {
      clock: {
        now: () => clock.wall,
        monotonic: () => clock.monotonic,
        after: (delayMs, callback) =>
          time.schedule(Math.max(clock.toWorld(delayMs), MIN_TIMER_MS), () => this.deliver(callback)),
        soon: (callback) => void time.schedule(0, () => this.deliver(callback)),
        endOfTurn: (callback) => void time.schedule(0, () => this.deliver(callback)),
      },
      random,
      storage: {
        open: async (location) => {
          const storage = await disk.open(location)
          const { journal, rows } = storage
          return {
            close: () => storage.close(),
            journal: Object.create(journal, {
              append: { value: this.#burningCall(journal.append) },
              sync: { value: this.#burningCall(journal.sync) },
              drop: { value: this.#burningCall(journal.drop) },
            }) as Journal,
            rows: { ...rows, write: this.#burningCall(rows.write) },
          }
        },
      },
      transport: {
        ...transport,
        dial: (url, handler, options) => this.#burning(transport.dial(url, handler, options)),
        listen: (at, accept, options) =>
          transport.listen(at, (connection) => accept(this.#burning(connection)), options),
      },
    }
  }

  #burning<C extends { send(frame: Uint8Array): void; readonly bufferedBytes: number; close(why: string): void }>(
    connection: C,
  ): C {
    const send = (frame: Uint8Array) => {
      connection.send(frame)
      this.#burn()
    }
    return Object.defineProperties({} as C, {
      send: { value: send },
      bufferedBytes: { get: () => connection.bufferedBytes },
      close: { value: (why: string) => connection.close(why) },
    })
  }

  #burningCall<A extends unknown[], R>(call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      const result = call(...args)
      this.#burn()
      return result
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
    for (const run of backlog) this.#machine.time.schedule(0, () => this.deliver(run))
  }

  /** Dies in the middle of the n-th call of a port that writes or sends: between any two awaits. */
  dieAfter(calls: number, blow: () => void): void {
    this.#fuse = { calls, blow }
  }

  /** Nothing will make it die by itself. */
  defuse(): void {
    this.#fuse = undefined
  }

  #burn(): void {
    if (!this.#alive || this.#fuse === undefined || --this.#fuse.calls > 0) return
    const { blow } = this.#fuse
    this.#fuse = undefined
    blow()
  }

  /** As by SIGKILL; with the power gone, nothing says goodbye. Nothing of it runs any more. */
  kill(hasPower: boolean): void {
    this.#alive = false
    this.#hasPower = hasPower
    this.#machine.network.died(this)
    this.#machine.disk.crashed(this)
  }
}
