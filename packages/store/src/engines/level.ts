/** The default engine: a directory with a journal of segment files and rows in LevelDB. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SojournError, type Storage, type StorageEngine } from '@sojourn/core/internal'
import { type DirectoryLock, lockDirectory } from '../directory-lock.js'
import { makeFilesPrivate, makePrivateDirectory } from '../private-directory.js'
import { claimRegion } from '../region-marker.js'
import { LevelRows } from './level-rows.js'
import { openMemory } from './memory.js'
import { SegmentJournal } from './segment-journal.js'

/** The location of a store that keeps nothing. */
export const IN_MEMORY = ':memory:'

/**
 * Opens a directory, made where it is missing; {@link IN_MEMORY} keeps nothing.
 * @example const store = await levelEngine.open('./sessions')
 */
export const levelEngine: StorageEngine = {
  async open(location, region) {
    if (location === IN_MEMORY) return openMemory()
    makePrivateDirectory(location)
    const lock = lockDirectory(location)
    try {
      refuseOldFormat(lock.directory)
      if (region !== undefined) claimRegion(lock.directory, region)
      const storage = await openParts(lock)
      lock.confirm()
      return storage
    } catch (error) {
      lock.release()
      throw error
    }
  },
}

const openParts = async (lock: DirectoryLock): Promise<Storage> => {
  const [rowsAt, journalAt] = [join(lock.directory, 'rows'), join(lock.directory, 'journal')]
  for (const part of [rowsAt, journalAt]) makePrivateDirectory(part)
  const rows = await LevelRows.open(rowsAt)
  try {
    const journal = SegmentJournal.open(journalAt)
    for (const part of [lock.directory, rowsAt, journalAt]) makeFilesPrivate(part)
    return {
      journal,
      rows,
      async close() {
        try {
          await journal.close()
          await rows.close()
        } finally {
          // Where closing failed, too: nothing is read or written through this one any more.
          lock.release()
        }
      },
    }
  } catch (error) {
    await rows.close()
    throw error
  }
}

/** Version 0.1.0 had LevelDB's files in the directory itself. @throws STORE_FORMAT */
const refuseOldFormat = (directory: string): void => {
  if (existsSync(join(directory, 'CURRENT')))
    throw new SojournError(
      'STORE_FORMAT',
      `${directory} was written by version 0.1.0, and this version cannot read it. Give another directory, and peers will fill it`,
    )
}
