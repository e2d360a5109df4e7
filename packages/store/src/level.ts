import type { Storage, StorageEngine, StorageRange, StorageRow, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'

/** The location of a store that keeps nothing. */
export const IN_MEMORY = ':memory:'

type Level = AbstractLevel<Uint8Array | Buffer | string, Uint8Array, Uint8Array>

const ENCODINGS = { keyEncoding: 'view', valueEncoding: 'view' } as const
const ROWS_A_CHUNK = 256

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code

const translate = (error: unknown, doing: string): SojournError => {
  const inner = codeOf(error) === 'LEVEL_DATABASE_NOT_OPEN' ? ((error as Error).cause ?? error) : error
  const text = `${doing}: ${inner instanceof Error ? inner.message : String(inner)}`
  if (codeOf(inner) === 'LEVEL_LOCKED') return new SojournError('STORE_LOCKED', text, { cause: error })
  if (codeOf(inner) === 'LEVEL_CORRUPTION') return new SojournError('STORE_CORRUPT', text, { cause: error })
  return new SojournError('STORE_FAILED', text, { cause: error })
}

class LevelStorage implements Storage {
  readonly #level: Level

  constructor(level: Level) {
    this.#level = level
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#level.getSync(key)
    } catch (error) {
      throw translate(error, 'reading a row')
    }
  }

  async write(writes: readonly StorageWrite[], sync: boolean): Promise<void> {
    try {
      // A chained batch costs a quarter of an array: level copies and inspects every operation of those.
      const batch = this.#level.batch()
      for (const write of writes) {
        if (write.type === 'put') batch.put(write.key, write.value)
        else batch.del(write.key)
      }
      await batch.write({ sync } as object)
    } catch (error) {
      throw translate(error, 'writing a batch')
    }
  }

  async *scan(range: StorageRange): AsyncIterable<readonly StorageRow[]> {
    const { gte, lt, limit = -1, reverse = false } = range
    const iterator = this.#level.iterator({ gte, lt, limit, reverse })
    try {
      for (;;) {
        const rows = (await iterator.nextv(ROWS_A_CHUNK)) as [Uint8Array, Uint8Array][]
        if (rows.length === 0) return
        yield rows
      }
    } catch (error) {
      throw error instanceof SojournError ? error : translate(error, 'scanning rows')
    } finally {
      await iterator.close()
    }
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

/** LevelDB, through classic-level; memory-level for {@link IN_MEMORY}. */
export const levelEngine: StorageEngine = {
  async open(location) {
    if (location === IN_MEMORY) {
      const memory = new MemoryLevel<Uint8Array, Uint8Array>({ ...ENCODINGS, storeEncoding: 'view' })
      await memory.open()
      return new LevelStorage(memory as unknown as Level)
    }
    const open = async () => {
      const level = new ClassicLevel<Uint8Array, Uint8Array>(location, {
        ...ENCODINGS,
        compression: false,
        writeBufferSize: 16 * 1024 * 1024,
      })
      await level.open()
      return new LevelStorage(level as unknown as Level)
    }
    try {
      return await open()
    } catch (error) {
      const failure = translate(error, `opening ${location}`)
      if (failure.code !== 'STORE_CORRUPT') throw failure
    }
    // A damaged manifest loses no rows: LevelDB can rebuild it from the tables. What is lost comes back from the peers.
    try {
      await ClassicLevel.repair(location)
      return await open()
    } catch (error) {
      throw translate(error, `opening ${location} after a repair`)
    }
  },
}
