/** The index in rows of its own, written at a clean close: a store opens from it without reading its records. */
import type { Rows, RowWrite } from '@sojourn/core/internal'
import type { SessionIndex } from './index/session-index.js'
import { indexRowKey, seal, unseal } from './record-row.js'

/** Writes the copy. Returns of how many rows it is: the store's state says so. @throws STORE_FAILED */
export const writeIndexCopy = async (rows: Rows, index: SessionIndex): Promise<number> => {
  let count = 0
  for (const part of index.dump()) {
    const key = indexRowKey(count++)
    await rows.write([{ type: 'put', key, value: seal(key, part) }], false)
  }
  return count
}

/** Fills an index from a copy. False where a row of it is missing or corrupt: the index is to be built anew then. */
export const readIndexCopy = async (rows: Rows, index: SessionIndex, count: number): Promise<boolean> => {
  for (let part = 0; part < count; part++) {
    const key = indexRowKey(part)
    const row = await rows.get(key)
    const body = row && unseal(key, row)
    if (body === undefined) return false
    index.load(body, part === 0)
  }
  return true
}

/** Removes a copy that is out of date. */
export const droppedIndexCopy = (count: number): RowWrite[] =>
  Array.from({ length: count }, (_, part) => ({ type: 'del', key: indexRowKey(part) }))
