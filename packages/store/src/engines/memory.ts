/** The engine that keeps nothing: rows in a map, and a journal that only counts. */
import type { Journal, JournalEntry, Row, Rows, RowWrite, Storage } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { MemoryLevel } from 'memory-level'

/** Entries are numbered and forgotten: a journal is read when a store is opened, and this one is never opened again. */
class MemoryJournal implements Journal {
  #head = 0
  readonly bytes = 0

  get head(): number {
    return this.#head
  }

  append(after: number): undefined {
    if (after !== this.#head)
      throw new SojournError('STORE_FENCED', `the journal ends at entry ${this.#head}, not at ${after}`)
    this.#head++
  }

  async sync(): Promise<void> {}

  async *read(): AsyncIterable<readonly JournalEntry[]> {}

  async drop(): Promise<void> {}
}

const ROWS_A_CHUNK = 1_024

class MemoryRows implements Rows {
  readonly #level = new MemoryLevel<Uint8Array, Uint8Array>({
    keyEncoding: 'view',
    valueEncoding: 'view',
    storeEncoding: 'view',
  })

  open(): Promise<void> {
    return this.#level.open()
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#level.getSync(key)
  }

  async write(writes: readonly RowWrite[]): Promise<void> {
    const batch = this.#level.batch()
    for (const write of writes) {
      if (write.type === 'put') batch.put(write.key, write.value)
      else batch.del(write.key)
    }
    await batch.write()
  }

  async *scan(): AsyncIterable<readonly Row[]> {
    const iterator = this.#level.iterator()
    try {
      for (;;) {
        const rows = (await iterator.nextv(ROWS_A_CHUNK)) as [Uint8Array, Uint8Array][]
        if (rows.length === 0) return
        yield rows
      }
    } finally {
      await iterator.close()
    }
  }

  close(): Promise<void> {
    return this.#level.close()
  }
}

export const openMemory = async (): Promise<Storage> => {
  const rows = new MemoryRows()
  await rows.open()
  return { journal: new MemoryJournal(), rows, close: () => rows.close() }
}
