import type { Clock, Storage, Timer } from '@sojourn/core'
import { STATE_KEY } from './keyspace.js'
import { encodeState, type StoreState } from './opening.js'

/** How often the state is written, where it changed. With `fsync: 'everysec'` that is also what brings the rest to the disk. */
const INTERVAL_MS = 1_000

export interface StateWriterOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** Whether a write waits for the disk, and with it for everything that was written before. */
  readonly sync: boolean
  readonly state: () => StoreState
  readonly failed: (error: unknown) => void
}

/** Notes about once a second how far a store is, where that has changed. */
export class StateWriter {
  readonly #options: StateWriterOptions
  #dirty = false
  #timer: Timer | undefined
  #closed = false

  constructor(options: StateWriterOptions) {
    this.#options = options
  }

  /** The state is worth writing. */
  touch(): void {
    this.#dirty = true
  }

  start(): void {
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => {
      void this.#write()
        .catch((error: unknown) => this.#options.failed(error))
        .then(() => {
          if (!this.#closed) this.start()
        })
    })
  }

  async #write(): Promise<void> {
    if (!this.#dirty) return
    this.#dirty = false
    const { storage, sync, state } = this.#options
    try {
      await storage.write([{ type: 'put', key: STATE_KEY, value: encodeState(state()) }], sync)
    } catch (error) {
      this.#dirty = true
      throw error
    }
  }

  /** Writes it once more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#write()
  }
}
