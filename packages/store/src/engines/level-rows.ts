/** Rows in LevelDB, which is opened anew where it cannot go on: after corruption, and after a disk that was full. */
import { closeSync, fdatasync, openSync, readdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Row, type Rows, type RowWrite, SojournError } from '@sojourn/core/internal'
import { Level } from 'level'
import { ONE_OWNER } from '../directory-lock.js'
import { makeFilesPrivate } from '../private-directory.js'

type Database = Level<Uint8Array, Uint8Array>

const ENCODINGS = { keyEncoding: 'view', valueEncoding: 'view' } as const
const ROWS_A_CHUNK = 1_024

/**
 * A checkpoint writes each record once, so a table in memory need not gather many versions; compressing costs more than it saves
 * (bench/README.md). Bytes; LevelDB holds two such tables at most.
 */
const TUNING = { compression: false, writeBufferSize: 8 * 1024 * 1024 } as const

/** LevelDB writes its log into a table when it is opened, and does not open where it cannot. Bytes. */
const REOPEN_BYTES = 3 * TUNING.writeBufferSize

/** What `level` has where it is LevelDB, and its types leave out. */
interface Compacted {
  compactRange(start: Uint8Array, end: Uint8Array, options: object): Promise<void>
}

/** Before and after every key of a row. */
const FIRST_KEY = Uint8Array.of(0)
const LAST_KEY = Uint8Array.of(0xff)

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code

/** LevelDB's errors as those of the one table. */
const translate = (error: unknown, doing: string): SojournError => {
  if (error instanceof SojournError) return error
  const inner = codeOf(error) === 'LEVEL_DATABASE_NOT_OPEN' ? ((error as Error).cause ?? error) : error
  const text = `${doing}: ${inner instanceof Error ? inner.message : String(inner)}`
  if (codeOf(inner) === 'LEVEL_LOCKED')
    return new SojournError(
      'STORE_LOCKED',
      `${text}. A process in another container or on another machine has it. ${ONE_OWNER}`,
      { cause: error },
    )
  if (codeOf(inner) === 'LEVEL_CORRUPTION') return new SojournError('STORE_CORRUPT', text, { cause: error })
  return new SojournError('STORE_FAILED', text, { cause: error })
}

const openLevel = async (directory: string): Promise<Database> => {
  const level = new Level<Uint8Array, Uint8Array>(directory, { ...ENCODINGS, ...TUNING })
  await level.open()
  return level
}

/** A damaged manifest or table loses no more rows than are corrupt: LevelDB can rebuild from what is left. Those come back from the peers. */
const repairLevel = async (directory: string): Promise<Database> => {
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(directory)
  return openLevel(directory)
}

const syncData = promisify(fdatasync)

/**
 * LevelDB syncs the log that it writes to. When that was begun, the one before was ended without a sync, and what it holds is not in a table
 * for a while: a loss of power would leave the row that waited for the disk, and take rows that were written before it.
 */
const syncLogs = async (directory: string): Promise<void> => {
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.log')) continue
    let file: number
    try {
      file = openSync(join(directory, name), 'r+')
    } catch (error) {
      // It is in a table by now.
      if (codeOf(error) === 'ENOENT') continue
      throw error
    }
    try {
      await syncData(file)
    } finally {
      closeSync(file)
    }
  }
}

export class LevelRows implements Rows {
  readonly #directory: string
  #level: Database
  /** Resolves when everything that was to be written is, or was refused. */
  #writing: Promise<void> = Promise.resolve()
  /** Until it is through, the database cannot be read. */
  #reopening: Promise<void> | undefined
  /** After an error of the disk LevelDB takes no write until it is opened anew. */
  #isBroken = false
  #isRepaired: boolean

  private constructor(directory: string, level: Database, isRepaired: boolean) {
    this.#directory = directory
    this.#level = level
    this.#isRepaired = isRepaired
  }

  /** @throws STORE_LOCKED, STORE_CORRUPT, STORE_FAILED */
  static async open(directory: string): Promise<LevelRows> {
    try {
      return new LevelRows(directory, await openLevel(directory), false)
    } catch (error) {
      const failure = translate(error, `opening ${directory}`)
      if (failure.code !== 'STORE_CORRUPT') throw failure
    }
    try {
      return new LevelRows(directory, await repairLevel(directory), true)
    } catch (error) {
      throw translate(error, `opening ${directory} after a repair`)
    }
  }

  get(key: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (this.#reopening)
      return this.#reopening.then(
        () => this.get(key),
        () => this.get(key),
      )
    try {
      return this.#level.getSync(key)
    } catch (error) {
      throw translate(error, 'reading a row')
    }
  }

  /** One after the other: LevelDB's threads take batches that are under way at one time in any order. */
  write(writes: readonly RowWrite[], sync: boolean): Promise<void> {
    const writing = this.#writing.then(() => this.#take(writes, sync))
    this.#writing = writing.catch(() => {})
    return writing
  }

  async #take(writes: readonly RowWrite[], sync: boolean): Promise<void> {
    if (this.#isBroken) await this.#reopen(openLevel)
    try {
      await this.#write(writes, sync)
    } catch (error) {
      const failure = translate(error, 'writing rows')
      if (failure.code !== 'STORE_CORRUPT' || this.#isRepaired) {
        this.#isBroken = true
        throw failure
      }
      // A compaction met a corrupt table. LevelDB takes no write any more until it is opened again; once we repair it.
      this.#isRepaired = true
      await this.#reopen(repairLevel)
      await this.#write(writes, sync)
    }
  }

  async #write(writes: readonly RowWrite[], sync: boolean): Promise<void> {
    if (sync) await syncLogs(this.#directory)
    // A chained batch costs a quarter of an array: level copies and inspects every operation of those.
    const batch = this.#level.batch()
    for (const write of writes) {
      if (write.type === 'put') batch.put(write.key, write.value)
      else batch.del(write.key)
    }
    await batch.write({ sync } as object)
  }

  #hasRoom(): boolean {
    const { bavail, bsize } = statfsSync(this.#directory)
    return bavail * bsize >= REOPEN_BYTES
  }

  async #reopen(open: (directory: string) => Promise<Database>): Promise<void> {
    if (!this.#hasRoom())
      throw new SojournError(
        'STORE_FAILED',
        `the disk of ${this.#directory} has too little space. The store writes its rows again once the disk has ${REOPEN_BYTES} bytes`,
      )
    const reopening = (async () => {
      await this.#level.close()
      this.#level = await open(this.#directory)
      makeFilesPrivate(this.#directory)
      this.#isBroken = false
    })()
    this.#reopening = reopening
    try {
      await reopening
    } catch (error) {
      this.#isBroken = true
      throw translate(error, `opening ${this.#directory} anew`)
    } finally {
      this.#reopening = undefined
    }
  }

  /** Only before the first write: see ADR 13. */
  async *scan(): AsyncIterable<readonly Row[]> {
    const iterator = this.#level.iterator()
    try {
      for (;;) {
        const rows = (await iterator.nextv(ROWS_A_CHUNK)) as [Uint8Array, Uint8Array][]
        if (rows.length === 0) break
        yield rows
      }
    } catch (error) {
      throw translate(error, 'scanning rows')
    } finally {
      await iterator.close()
    }
    // A scan has mapped every table into memory; opened anew, LevelDB maps what is read.
    if (this.#hasRoom()) await this.#reopen(openLevel)
  }

  async compact(): Promise<void> {
    await this.#writing
    await this.#reopening
    if (!this.#hasRoom())
      throw new SojournError('STORE_FAILED', `the disk of ${this.#directory} has too little space to compact the rows`)
    try {
      await (this.#level as unknown as Compacted).compactRange(FIRST_KEY, LAST_KEY, { keyEncoding: 'view' })
    } catch (error) {
      throw translate(error, 'compacting the rows')
    }
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#level.close()
  }
}
