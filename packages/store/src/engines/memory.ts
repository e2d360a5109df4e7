/** The engine that keeps nothing: a journal in an array, rows in a map. */
import type { Journal, JournalEntry, Row, Rows, RowWrite, Storage } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { MemoryLevel } from 'memory-level'

class MemoryJournal implements Journal {
  /** What was dropped is gone; the first one that is left has the number `#dropped + 1`. */
  #entries: Uint8Array[] = []
  #dropped = 0
  #bytes = 0

  get head(): number {
    return this.#dropped + this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  append(after: number, bytes: Uint8Array): undefined {
    if (after !== this.head)
      throw new SojournError('STORE_FENCED', `the journal ends at entry ${this.head}, not at ${after}`)
    this.#entries.push(bytes.slice())
    this.#bytes += bytes.length
  }

  async sync(): Promise<void> {}

  async *read(after: number): AsyncIterable<readonly JournalEntry[]> {
    const from = Math.max(0, after - this.#dropped)
    yield this.#entries.slice(from).map((bytes, index) => ({ number: this.#dropped + from + index + 1, bytes }))
  }

  async drop(through: number): Promise<void> {
    const dropped = this.#entries.splice(0, Math.max(0, through - this.#dropped))
    this.#dropped += dropped.length
    for (const { length } of dropped) this.#bytes -= length
  }
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
