/** Copies of a store: rows read key by key while it goes on, and a new store filled with them. */
import type { Clock, Row, RowWrite, SessionKey, StorageEngine } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { IndexView } from './index/index-view.js'
import type { Reading } from './record-reader.js'
import { encodeRecordRow, isRowKey, recordRowKey, rowOf, STATE_KEY } from './record-row.js'
import { encodeState, type StoreState } from './store-state.js'

/** What is copied. */
export interface Snapshotted {
  readonly committed: number
  readonly index: IndexView
  stateAt(checkpoint: number): StoreState
  journaled(key: SessionKey): Reading | Promise<Reading>
  encoded(key: SessionKey): Uint8Array | undefined
}

/** Records of one chunk; others run between two of them. */
const ROWS_A_CHUNK = 256

/**
 * The rows of a store: all keys that there are at the first step, then, as long as there are any, those that changed meanwhile, and what the
 * store held of other feeds at the first step. So the copy holds all that was committed before it began, and claims no more than that.
 */
export const snapshotRows = async function* (store: Snapshotted, clock: Clock): AsyncGenerator<readonly Row[]> {
  const state = { ...store.stateAt(0), head: store.committed }
  const cursor = store.index.openFeed(store.committed)
  try {
    for (const keys of store.index.keys())
      for (let start = 0; start < keys.length; start += ROWS_A_CHUNK) {
        yield await rowsOf(store, keys.slice(start, start + ROWS_A_CHUNK))
        await new Promise<void>((resolve) => clock.soon(resolve))
      }
    for (;;) {
      const changed: SessionKey[] = []
      while (changed.length < ROWS_A_CHUNK) {
        const next = store.index.nextInFeed(cursor)
        if (next === undefined) break
        changed.push(next.key)
      }
      if (changed.length > 0) yield await rowsOf(store, changed)
      // What is committed faster than it is copied need not be in the copy: it was not there when the copy began.
      if (changed.length < ROWS_A_CHUNK) break
    }
    yield [[STATE_KEY, encodeState(state)]]
  } finally {
    store.index.closeFeed(cursor)
  }
}

const rowsOf = async (store: Snapshotted, keys: readonly SessionKey[]): Promise<Row[]> => {
  const rows: Row[] = []
  for (const key of keys) {
    // Nothing is copied that the disk may yet refuse.
    const reading = await store.journaled(key)
    const encoded = reading.state === 'held' ? store.encoded(key) : undefined
    if (reading.state !== 'held' || encoded === undefined) continue
    const rowKey = recordRowKey(key)
    const row = rowOf(key, reading.record, encoded, reading.sequence, store.index.originOf(key))
    rows.push([rowKey, encodeRecordRow(rowKey, row)])
  }
  return rows
}

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
 * @example
 * await fillStore(levelEngine, './data/copy', replica.rows(), { region: 'eu' })
 * @param location where no store is yet
 * @returns how many rows
 * @throws INVALID_OPTION where there is one; STORE_FORMAT for a row that no store has; STORE_LOCKED, STORE_FAILED
 */
export const fillStore = async (
  engine: StorageEngine,
  location: string,
  rows: AsyncIterable<readonly Row[]>,
  { region, isForeign = false }: FillOptions = {},
): Promise<number> => {
  const storage = await engine.open(location, region)
  try {
    for await (const found of storage.rows.scan())
      if (found.length > 0)
        throw new SojournError('INVALID_OPTION', `${location} holds a store already; give a place that holds none`, {
          option: 'location',
        })
    let count = 0
    // One chunk is held back, so that the last one can wait for the disk, with everything written before.
    let last: RowWrite[] = []
    for await (const chunk of rows) {
      const writes = chunk.flatMap(([key, value]): RowWrite[] => {
        if (!isRowKey(key)) throw new SojournError('STORE_FORMAT', 'the copy has a row that no store has')
        return isForeign && Buffer.compare(key, STATE_KEY) === 0 ? [] : [{ type: 'put', key, value }]
      })
      count += writes.length
      if (last.length > 0) await storage.rows.write(last, false)
      last = writes
    }
    await storage.rows.write(last, true)
    return count
  } finally {
    await storage.close()
  }
}
