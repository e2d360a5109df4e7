/** An engine that seals what another one keeps. Whoever uses it knows nothing of that; without a key ring it refuses what is sealed. */
import type { Random, Storage, StorageEngine } from '@sojourn/core/internal'
import { readDataKeys, type WrappedKey } from './data-key-row.js'
import { DataKeys, type SealLimits } from './data-keys.js'
import { type Encryption, keyRefused, Ring } from './key-ring.js'
import { SealedJournal } from './sealed-journal.js'
import { SealedRows } from './sealed-rows.js'

/** The seal of an open store, for whoever changes its keys. */
export interface StoreSeal {
  readonly keys: DataKeys
  readonly journal: SealedJournal
  readonly rows: SealedRows
}

export interface SealedEngineOptions extends SealLimits {
  /** Undefined: the store is in the clear. */
  readonly encryption: Encryption | undefined
  /** Data keys and nonces are made of it. */
  readonly random: Random
}

/**
 * Decorates an engine: with a key ring, rows and journal are sealed with AES-256-GCM; without one, a store that is sealed is refused.
 * @example
 * const engine = new SealedEngine(levelEngine, { encryption: { keys: { '2026-11': key }, active: '2026-11' }, random: systemRandom })
 * const store = await engine.open('./sessions')
 */
export class SealedEngine implements StorageEngine {
  readonly #engine: StorageEngine
  readonly #options: SealedEngineOptions
  #seal: StoreSeal | undefined

  constructor(engine: StorageEngine, options: SealedEngineOptions) {
    this.#engine = engine
    this.#options = options
  }

  /** Of the store that was opened last; undefined where that is in the clear. */
  get seal(): StoreSeal | undefined {
    return this.#seal
  }

  /** @throws ENCRYPTION_KEY; what the engine throws */
  async open(location: string, region?: string): Promise<Storage> {
    const storage = await this.#engine.open(location, region)
    this.#seal = undefined
    try {
      const held = await readDataKeys(storage.rows)
      const { encryption } = this.#options
      if (encryption) return await this.#sealed(storage, encryption, held)
      if (held) throw lacksRing(held)
      return storage
    } catch (error) {
      await storage.close()
      throw error
    }
  }

  async #sealed(storage: Storage, encryption: Encryption, held: readonly WrappedKey[] | undefined): Promise<Storage> {
    if (held === undefined) await refuseClear(storage)
    const keys = await DataKeys.open(new Ring(encryption), held ?? [], { ...this.#options, rows: storage.rows })
    const rows = new SealedRows(storage.rows, keys)
    const journal = new SealedJournal(storage.journal, keys)
    this.#seal = { keys, journal, rows }
    return {
      journal,
      rows,
      async close() {
        await rows.idle()
        await keys.idle()
        await storage.close()
      },
    }
  }
}

const lacksRing = (held: readonly WrappedKey[]): Error => {
  const ids = [...new Set(held.map(({ ring }) => JSON.stringify(ring)))].join(', ')
  return keyRefused(`the store is encrypted, and no key ring was given. Give the encryption keys ${ids}`)
}

/**
 * A store in the clear is refused, not sealed on the way: what it wrote before would stay readable in its files until the engine drops them.
 * A restored backup leaves nothing behind.
 * @throws ENCRYPTION_KEY
 */
const refuseClear = async ({ journal, rows }: Storage): Promise<void> => {
  let isEmpty = journal.head === 0
  if (isEmpty)
    for await (const some of rows.scan())
      if (some.length > 0) {
        isEmpty = false
        break
      }
  if (!isEmpty)
    throw keyRefused(
      'the store is in the clear, and encryption keys were given. Take a backup without them, move the directory away, ' +
        'and run `sojourn restore` with them. Or give an empty directory, and the peers fill it',
    )
}
