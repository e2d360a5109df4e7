import type { SessionKey, Storage } from '@sojourn/core'
import { isSojournError } from '@sojourn/core'
import {
  allRecords,
  decodeFeedRow,
  feedKey,
  feedRange,
  keyOfRecordRow,
  openRecordRow,
  recordKey,
  sequenceOfFeedRow,
} from './keyspace.js'

/**
 * Removes feed rows that belong to no record. A record that rots takes its place in the feed with it: whoever replaces or removes it
 * cannot read where it stood. Places are never given out twice, so what is no record's place now will be none's.
 * @param isUnwritten whether a key's record is newer than the disk: its old place may count again, if the disk refuses the new one
 * @returns whether all are gone; what belongs to an unwritten record is left for another time
 */
export const dropOrphans = async (storage: Storage, isUnwritten: (key: SessionKey) => boolean): Promise<boolean> => {
  let isClean = true
  /** Places whose rows do not say whose they are. */
  const unreadable = new Set<number>()
  for await (const rows of storage.scan(feedRange())) {
    const dead = rows.flatMap(([rowKey, value]) => {
      const row = decodeFeedRow(rowKey, value)
      if (row === undefined) unreadable.add(sequenceOfFeedRow(rowKey))
      if (row === undefined || placeOf(storage, row.key) === row.sequence) return []
      if (!isUnwritten(row.key)) return [row.sequence]
      isClean = false
      return []
    })
    await drop(storage, dead)
  }
  if (unreadable.size === 0) return isClean
  for await (const rows of storage.scan(allRecords))
    for (const [rowKey] of rows) unreadable.delete(placeOf(storage, keyOfRecordRow(rowKey)) ?? 0)
  await drop(storage, [...unreadable])
  return isClean
}

const drop = async (storage: Storage, places: readonly number[]): Promise<void> => {
  if (places.length === 0) return
  await storage.write(
    places.map((sequence) => ({ type: 'del', key: feedKey(sequence) })),
    false,
  )
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
