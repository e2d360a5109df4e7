/** The default engine: a directory with a journal of segment files and rows in LevelDB. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type StorageEngine, SojournError } from '@sojourn/core'
import { LevelRows, translate } from './level-rows.js'
import { openMemory } from './memory.js'
import { SegmentJournal } from './segment-journal.js'

/** The location of a store that keeps nothing. */
export const IN_MEMORY = ':memory:'

/**
 * Opens a directory, made where it is missing; {@link IN_MEMORY} keeps nothing.
 * @example const store = await levelEngine.open('./sessions')
 */
export const levelEngine: StorageEngine = {
  async open(location) {
    if (location === IN_MEMORY) return openMemory()
    const directory = directoryAt(location)
    const rows = await LevelRows.open(join(directory, 'rows'))
    try {
      const journal = SegmentJournal.open(join(directory, 'journal'))
      return {
        journal,
        rows,
        async close() {
          await journal.close()
          await rows.close()
        },
      }
    } catch (error) {
      await rows.close()
      throw error
    }
  },
}

/** The directory by its real path. @throws STORE_FORMAT, STORE_FAILED */
const directoryAt = (location: string): string => {
  let directory: string
  try {
    mkdirSync(location, { recursive: true, mode: 0o700 })
    directory = realpathSync(location)
  } catch (error) {
    throw translate(error, `opening ${location}`)
  }
  // Version 0.1.0 had LevelDB's files in the directory itself.
  if (existsSync(join(directory, 'CURRENT')))
    throw new SojournError(
      'STORE_FORMAT',
      `${location} was written by version 0.1.0, which this one does not read; give another directory, and peers will fill it`,
    )
  return directory
}
