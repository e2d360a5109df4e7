/** A store's directory is for its owner alone: sessions are in it. */
import { chmodSync, type Dirent, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SojournError } from '@sojourn/core/internal'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/**
 * Makes a directory that its owner alone can enter, or makes one that is there so. That is what protects the files in it: engines create them
 * as the process's umask says, and nobody else reaches them.
 * @example
 * makePrivateDirectory('/var/lib/sojourn') // mode 0700
 * @throws STORE_FAILED where it cannot be made
 */
export const makePrivateDirectory = (path: string): void => {
  try {
    mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE })
  } catch (cause) {
    throw new SojournError('STORE_FAILED', `${path} cannot be made a directory (${(cause as Error).message})`, {
      cause,
    })
  }
  restrict(path, DIRECTORY_MODE)
}

/**
 * Takes from everybody else the files that are in a directory now: whoever copies or moves them on keeps their modes. Those of its own
 * that a store makes later are protected by the directory.
 */
export const makeFilesPrivate = (directory: string): void => {
  for (const entry of entriesOf(directory)) if (entry.isFile()) restrict(join(directory, entry.name), FILE_MODE)
}

const entriesOf = (directory: string): Dirent[] => {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return []
  }
}

/** A volume may belong to another user, or know no modes; then who mounted it decides who reads it, and the store opens all the same. */
const restrict = (path: string, mode: number): void => {
  try {
    chmodSync(path, mode)
  } catch {
    // EPERM, ENOTSUP, EROFS; ENOENT where LevelDB has just removed the file.
  }
}
