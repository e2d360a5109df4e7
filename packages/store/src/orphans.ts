import type { SessionKey, Storage } from '@sojourn/core'
import { isSojournError } from '@sojourn/core'
import { decodeFeedRow, feedRange, openRecordRow, recordKey } from './keyspace.js'

/**
 * Removes feed rows that belong to no record. A record that rots takes its place in the feed with it: whoever replaces or removes it
 * cannot read where it stood. Places are never given out twice, so what is no record's place now will be none's.
 * @param isUnwritten whether a key's record is newer than the disk: its old place may count again, if the disk refuses the new one
 */
export const dropOrphans = async (storage: Storage, isUnwritten: (key: SessionKey) => boolean): Promise<void> => {
  for await (const rows of storage.scan(feedRange())) {
    const dead = rows.filter(([rowKey, value]) => {
      const row = decodeFeedRow(rowKey, value)
      return row !== undefined && !isUnwritten(row.key) && placeOf(storage, row.key) !== row.sequence
    })
    if (dead.length > 0)
      await storage.write(
        dead.map(([key]) => ({ type: 'del', key })),
        false,
      )
  }
}

/** Whether there are more places than records. Only while nothing is written. */
export const hasOrphans = async (storage: Storage, records: number): Promise<boolean> => {
  let places = 0
  for await (const rows of storage.scan(feedRange())) places += rows.length
  return places > records
}

/** Where a record stands in the feed; undefined where there is none, and of a rotten one: it is committed anew, or dropped. */
const placeOf = (storage: Storage, key: SessionKey): number | undefined => {
  const row = storage.get(recordKey(key))
  if (row === undefined) return undefined
  try {
    return openRecordRow(key, row).sequence
  } catch (error) {
    if (!isSojournError(error, 'STORE_CORRUPT')) throw error
    return undefined
  }
}
