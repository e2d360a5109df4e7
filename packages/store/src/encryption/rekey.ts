/** Seals a store anew while it goes on: a new data key under the ring's active key, and nothing left that needs an older one. */
import type { Clock, SessionKey } from '@sojourn/core/internal'
import { isSojournError, SojournError } from '@sojourn/core/internal'
import type { IndexView } from '../index/index-view.js'
import { recordRowKey, STATE_KEY } from '../record-row.js'
import type { KeysInUse } from './data-keys.js'
import { type Encryption, Ring } from './key-ring.js'
import type { StoreSeal } from './sealed-engine.js'

/** Rows that are sealed anew in one turn: a millisecond or so; others run between two of them. */
const ROWS_A_TURN = 64

/** What is sealed anew. */
export interface Rekeyed {
  readonly index: Pick<IndexView, 'keys' | 'size'>
  checkpoint(): Promise<void>
}

/** How a store is sealed. */
export interface EncryptionStatus extends KeysInUse {
  /** Records that may be sealed with older data keys: a rekey seals them anew. */
  readonly waiting: number
  /** Whether a rekey is under way. */
  readonly isRekeying: boolean
  /** Why the last rekey failed; undefined where none did since the store was opened. */
  readonly failure: string | undefined
}

/**
 * The rekey of an open store: one at a time.
 * @example
 * const rekey = new Rekey(engine.seal, store, clock)
 * await rekey.run({ keys: { '2026-11': before, '2026-12': key }, active: '2026-12' })
 */
export class Rekey {
  readonly #seal: StoreSeal
  readonly #store: Rekeyed
  readonly #clock: Clock
  #running: Promise<void> | undefined
  #done = 0
  #failure: string | undefined
  #closed = false

  constructor(seal: StoreSeal, store: Rekeyed, clock: Clock) {
    this.#seal = seal
    this.#store = store
    this.#clock = clock
  }

  get status(): EncryptionStatus {
    const { keys } = this.#seal
    const { size } = this.#store.index
    const waiting = keys.hasOld ? Math.max(0, size - (this.#running ? this.#done : 0)) : 0
    return { ...keys.inUse, waiting, isRekeying: this.#running !== undefined, failure: this.#failure }
  }

  /**
   * Resolves when the store needs no older key any more, and its files hold nothing that one of them opens. Where a rekey is under way, it is
   * that one; or with a ring of its own the next one. After one that failed, or that a crash ended, all can be read as before, and the next
   * one does what is left.
   * @param encryption the ring from now on; undefined: the one that there is
   * @throws ENCRYPTION_KEY, STORE_FAILED, STORE_CORRUPT, REPLICA_CLOSED
   */
  run(encryption?: Encryption): Promise<void> {
    return this.#begin(encryption && new Ring(encryption))
  }

  #begin(ring: Ring | undefined): Promise<void> {
    if (this.#running && ring) return this.#running.catch(() => {}).then(() => this.#begin(ring))
    this.#running ??= this.#run(ring)
      .catch((error: unknown) => {
        this.#failure = isSojournError(error) ? error.message : 'STORE_FAILED: the rekey met an unexpected error'
        throw error
      })
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  async #run(ring: Ring | undefined): Promise<void> {
    const { keys, rows } = this.#seal
    this.#failure = undefined
    this.#done = 0
    this.#checkOpen()
    await keys.renew(ring)
    const { current } = keys
    await this.#passJournal()
    // Every kind of row: the checkpoint has dropped the copy of the index, and what is left are the state and the records.
    await rows.reseal([STATE_KEY])
    for (const some of this.#store.index.keys())
      for (let start = 0; start < some.length; start += ROWS_A_TURN)
        await this.#rows(some.slice(start, start + ROWS_A_TURN))
    await keys.forgetBefore(current)
    // Who has the old key of the ring could read what was replaced, and the data key that it was sealed with, for as long as files have them.
    this.#checkOpen()
    await rows.compact()
  }

  /** Brings to the rows what the older keys have sealed in the journal, so that nobody reads that any more. */
  async #passJournal(): Promise<void> {
    const { journal } = this.#seal
    await journal.idle()
    const { appended } = journal
    while (journal.dropped < appended) {
      this.#checkOpen()
      // What was appended is the store's only when it is as durable as it shall be.
      await journal.sync()
      await this.#turn()
      await this.#store.checkpoint()
    }
  }

  /** Records that come meanwhile, or change, are sealed with the new key in any case. */
  async #rows(some: readonly SessionKey[]): Promise<void> {
    this.#checkOpen()
    await this.#seal.rows.reseal(some.map(recordRowKey))
    this.#done += some.length
    await this.#turn()
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve))
  }

  #checkOpen(): void {
    if (this.#closed) throw new SojournError('REPLICA_CLOSED', 'the replica was closed')
  }

  /** Ends a rekey that is under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running?.catch(() => {})
  }
}
