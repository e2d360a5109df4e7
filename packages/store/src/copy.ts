/** Makes a store of the rows of a backup. */
import type { StorageEngine, StorageRow, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { isRowKey, STATE_KEY, wholeKeyspace } from './keyspace.js'

export interface FillOptions {
  /** Whose store it becomes; default: whoever opens it first. */
  readonly region?: string | undefined
  /**
   * Whether the rows are another region's: their sessions are taken, and not what that region's store knew of itself, so that it continues
   * no feed that somebody else writes. Default false.
   */
  readonly isForeign?: boolean
}

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
  { region, isForeign = false }: FillOptions = {},
): Promise<number> => {
  const storage = await engine.open(location, region)
  try {
    for await (const _ of storage.scan({ ...wholeKeyspace, limit: 1 }))
      throw new SojournError('INVALID_OPTION', `${location} holds a store already; give a place that holds none`, {
        option: 'location',
      })
    let count = 0
    // One chunk behind, so that the last one can wait for the disk, with everything written before.
    let last: StorageWrite[] = []
    for await (const chunk of rows) {
      const writes = chunk.flatMap(([key, value]): StorageWrite[] => {
        if (!isRowKey(key)) throw new SojournError('STORE_FORMAT', 'the copy has a row that no store has')
        return isForeign && Buffer.compare(key, STATE_KEY) === 0 ? [] : [{ type: 'put', key, value }]
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
