/** LevelDB behind the Storage port, and a store in memory. */
import type { Storage, StorageEngine, StorageRange, StorageRow, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import type { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level'
import { type DirectoryLock, lockDirectory, ONE_OWNER } from './directory-lock.js'
import { claimRegion } from './region-marker.js'

/** The location of a store that keeps nothing. */
export const IN_MEMORY = ':memory:'

type Level = AbstractLevel<Uint8Array | Buffer | string, Uint8Array, Uint8Array>

const ENCODINGS = { keyEncoding: 'view', valueEncoding: 'view' } as const
const ROWS_A_CHUNK = 256

/**
 * Sessions are small and live for hours: larger tables in memory mean fewer compactions of what is overwritten soon anyway, and
 * compressing costs more than it saves (bench/README.md). Bytes; LevelDB holds two such tables at most.
 */
const TUNING = { compression: false, writeBufferSize: 16 * 1024 * 1024 } as const

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code

const translate = (error: unknown, doing: string): SojournError => {
  const inner = codeOf(error) === 'LEVEL_DATABASE_NOT_OPEN' ? ((error as Error).cause ?? error) : error
  const text = `${doing}: ${inner instanceof Error ? inner.message : String(inner)}`
  if (codeOf(inner) === 'LEVEL_LOCKED')
    return new SojournError(
      'STORE_LOCKED',
      `${text}; a process that cannot be seen from here has it, in another container or on another machine. ${ONE_OWNER}`,
      { cause: error },
    )
  if (codeOf(inner) === 'LEVEL_CORRUPTION') return new SojournError('STORE_CORRUPT', text, { cause: error })
  return new SojournError('STORE_FAILED', text, { cause: error })
}

class LevelStorage implements Storage {
  #level: Level
  /** Opens the store anew after a repair; undefined where there is nothing to repair. */
  readonly #reopen: (() => Promise<Level>) | undefined
  /** Held until the level is closed; undefined in memory. */
  readonly #lock: DirectoryLock | undefined
  #isRepaired = false

  constructor(level: Level, reopen?: () => Promise<Level>, lock?: DirectoryLock) {
    this.#level = level
    this.#reopen = reopen
    this.#lock = lock
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
      await this.#write(writes, sync)
    } catch (error) {
      const failure = translate(error, 'writing a batch')
      if (failure.code !== 'STORE_CORRUPT' || this.#reopen === undefined || this.#isRepaired) throw failure
      // A compaction met a rotten table, and LevelDB takes no write any more until it is opened again. Once in an opening we mend it.
      this.#isRepaired = true
      try {
        await this.#level.close()
        this.#level = await this.#reopen()
        await this.#write(writes, sync)
      } catch (cause) {
        throw translate(cause, 'writing a batch after a repair')
      }
    }
  }

  async #write(writes: readonly StorageWrite[], sync: boolean): Promise<void> {
    // A chained batch costs a quarter of an array: level copies and inspects every operation of those.
    const batch = this.#level.batch()
    for (const write of writes) {
      if (write.type === 'put') batch.put(write.key, write.value)
      else batch.del(write.key)
    }
    await batch.write({ sync } as object)
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

  async close(): Promise<void> {
    try {
      await this.#level.close()
    } finally {
      // Where closing failed, too: nothing is read or written through this one any more.
      this.#lock?.release()
    }
  }
}

/** LevelDB, through classic-level; memory-level for {@link IN_MEMORY}. */
export const levelEngine: StorageEngine = {
  async open(location, region) {
    if (location === IN_MEMORY) {
      const memory = new MemoryLevel<Uint8Array, Uint8Array>({ ...ENCODINGS, storeEncoding: 'view' })
      await memory.open()
      return new LevelStorage(memory as unknown as Level)
    }
    const lock = lockDirectory(location)
    try {
      if (region !== undefined) claimRegion(lock.directory, region)
      const storage = await openLocked(lock)
      lock.confirm()
      return storage
    } catch (error) {
      lock.release()
      throw error
    }
  },
}

const openLocked = async (lock: DirectoryLock): Promise<Storage> => {
  const { directory } = lock
  const open = async (): Promise<Level> => {
    const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, { ...ENCODINGS, ...TUNING })
    await level.open()
    return level as unknown as Level
  }
  // A damaged manifest or table loses no more rows than rotted: LevelDB can rebuild from what is left. Those come back from the peers.
  const reopen = async () => {
    await ClassicLevel.repair(directory)
    return open()
  }
  try {
    return new LevelStorage(await open(), reopen, lock)
  } catch (error) {
    const failure = translate(error, `opening ${directory}`)
    if (failure.code !== 'STORE_CORRUPT') throw failure
  }
  try {
    return new LevelStorage(await reopen(), reopen, lock)
  } catch (error) {
    throw translate(error, `opening ${directory} after a repair`)
  }
}
