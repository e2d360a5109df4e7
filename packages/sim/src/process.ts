/** A region's process: a machine's, with the four ports of a replica, which dies in a call where that was decided. */
import type { Clock, Journal, Random, StorageEngine, Transport } from '@sojourn/core/internal'
import type { Disk } from './disk.js'
import { type Place, RunningHost } from './host.js'
import type { Prng } from './prng.js'

/** What a region's process runs on. */
export interface Machine extends Place {
  readonly disk: Disk
}

export class Process extends RunningHost {
  /** Which one of the machine it is. */
  readonly incarnation: number
  readonly #machine: Machine
  /** Calls of its ports that are left before it dies, where that was decided. */
  #fuse: { calls: number; readonly blow: () => void } | undefined
  readonly ports: {
    readonly clock: Clock
    readonly random: Random
    readonly storage: StorageEngine
    readonly transport: Transport
  }

  constructor(machine: Machine, random: Prng, incarnation = 1) {
    super(machine)
    this.incarnation = incarnation
    this.#machine = machine
    const disk = machine.disk.engine(this)
    const transport = machine.network.transport(this)
    this.ports = {
      clock: this.clock,
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

  /** Dies in the middle of the n-th call of a port that writes or sends: between any two awaits. */
  dieAfter(calls: number, blow: () => void): void {
    this.#fuse = { calls, blow }
  }

  /** Nothing will make it die by itself. */
  defuse(): void {
    this.#fuse = undefined
  }

  #burn(): void {
    if (!this.isAlive() || this.#fuse === undefined || --this.#fuse.calls > 0) return
    const { blow } = this.#fuse
    this.#fuse = undefined
    blow()
  }

  override kill(hasPower: boolean): void {
    super.kill(hasPower)
    this.#machine.disk.crashed(this)
  }
}
