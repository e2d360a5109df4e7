/** Lets clients in when the replica is ready for the first time: who asked earlier would miss sessions that there are. */
import type { Clock } from '@sojourn/core/internal'
import type { Part } from '../part.js'
import type { ClientListener } from './listener.js'

/** How often it is looked whether the replica is ready. */
const READY_STEP_MS = 20

export interface ClientDoorOptions {
  readonly clock: Clock
  /** Whether clients may be let in now. */
  readonly mayOpen: () => boolean
  /** Listens; resolves to undefined where no clients are served. */
  readonly open: () => Promise<ClientListener | undefined>
  readonly opened: () => void
  /** It could not be listened on. */
  readonly failed: (error: unknown) => void
  /** How long clients may take to leave, milliseconds. */
  readonly drainMs: number
}

export class ClientDoor implements Part {
  readonly name = 'clients'
  readonly #options: ClientDoorOptions
  #listener: ClientListener | undefined
  #opening: Promise<void> | undefined
  #isStopping = false

  constructor(options: ClientDoorOptions) {
    this.#options = options
  }

  /** Undefined before the first client may come. */
  get listener(): ClientListener | undefined {
    return this.#listener
  }

  start(): void {
    this.#opening = this.#open().catch(this.#options.failed)
  }

  async #open(): Promise<void> {
    const { clock, mayOpen, open, opened } = this.#options
    while (!mayOpen() && !this.#isStopping) await new Promise<void>((resolve) => clock.after(READY_STEP_MS, resolve))
    if (this.#isStopping) return
    this.#listener = await open()
    if (!this.#isStopping) opened()
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#opening
    await this.#listener?.close({ drainMs: this.#options.drainMs })
  }
}
