import type { StorageEngine, StorageRow, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { isRowKey, wholeKeyspace } from './keyspace.js'

/**
 * Fills a new store with the rows of a copy (see `RecordStore.rows`). Opened afterwards, it is what any old copy of a directory is: it
 * goes on under a feed of its own and catches up with its peers. Every record is checked when it is read, as always.
 * @param location where no store is yet
 * @throws INVALID_OPTION where there is one; STORE_FORMAT for a row that no store has; STORE_LOCKED, STORE_FAILED
 */
export const fillStore = async (
  engine: StorageEngine,
  location: string,
  rows: AsyncIterable<readonly StorageRow[]>,
): Promise<number> => {
  const storage = await engine.open(location)
  try {
    for await (const _ of storage.scan({ ...wholeKeyspace, limit: 1 }))
      throw new SojournError('INVALID_OPTION', `${location} holds a store already; give a place that holds none`, {
        option: 'location',
      })
    let count = 0
    // One chunk behind, so that the last one can wait for the disk, with everything written before.
    let last: StorageWrite[] = []
    for await (const chunk of rows) {
      const writes: StorageWrite[] = chunk.map(([key, value]) => {
        if (!isRowKey(key)) throw new SojournError('STORE_FORMAT', 'the copy has a row that no store has')
        return { type: 'put', key, value }
      })
      count += writes.length
      if (last.length > 0) await storage.write(last, false)
      last = writes
    }
    await storage.write(last, true)
    return count
  } finally {
    await storage.close()
  }
}
