/** Files that are read if they are there, and written whole. */
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SojournError } from '@sojourn/core/internal'

/** The text of a file; undefined where there is none. @throws STORE_FAILED */
export const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new SojournError('STORE_FAILED', `${path} cannot be read (${(cause as Error).message})`, { cause })
  }
}

/** Group and others. */
const OTHERS_MODE = 0o077

/**
 * The text of a file, and whether others than its owner may read or write it; undefined where it is longer.
 * @throws the system's error
 */
export const readUpTo = (path: string, maxBytes: number): { text: string; isShared: boolean } | undefined => {
  const file = openSync(path, 'r')
  try {
    const { mode } = fstatSync(file)
    const bytes = Buffer.alloc(maxBytes + 1)
    const length = readSync(file, bytes, 0, bytes.length, 0)
    if (length > maxBytes) return undefined
    // Windows has no such modes.
    const isShared = process.platform !== 'win32' && (mode & OTHERS_MODE) !== 0
    return { text: bytes.toString('utf8', 0, length), isShared }
  } finally {
    closeSync(file)
  }
}

/** All or nothing, and on the disk when it returns. @throws STORE_FAILED */
export const writeWhole = (path: string, text: string): void => {
  try {
    const draft = `${path}.new`
    const file = openSync(draft, 'w', 0o600)
    try {
      // A draft that a crash left behind keeps the mode that it had.
      fchmodSync(file, 0o600)
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(draft, path)
    syncDirectory(dirname(path))
  } catch (cause) {
    throw new SojournError('STORE_FAILED', `${path} cannot be written (${(cause as Error).message})`, { cause })
  }
}

/** Makes what was named anew in a directory outlast a power cut. Where the system cannot do that, it is left to it. */
export const syncDirectory = (path: string): void => {
  let directory: number | undefined
  try {
    directory = openSync(path, 'r')
    fsyncSync(directory)
  } catch {
    // Windows opens no directories.
  } finally {
    if (directory !== undefined) closeSync(directory)
  }
}

/** Bytes of the files of a directory; those that go while it looks count for nothing. */
export const directoryBytes = async (path: string): Promise<number> => {
  const names = await readdir(path).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(path, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
