/** Notes in a store's directory whose it is, so that a copy of it is not opened as another region. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { SojournError } from '@sojourn/core/internal'

/** One line of JSON: the region, and the CRC-32 of its name. */
const MARKER = 'region'

/**
 * A store continues the feeds of its earlier incarnations under one region's name. Opened as another one it would retire, at third
 * regions, the feed that its true region still writes.
 * @param directory the store's, which this process has locked
 * @throws STORE_FOREIGN where the directory is another region's; STORE_FAILED
 */
export const claimRegion = (directory: string, region: string): void => {
  const path = join(directory, MARKER)
  try {
    const owner = read(path)
    if (owner === region) return
    if (owner === undefined) write(path, region)
    else throw foreign(directory, owner, region)
  } catch (cause) {
    if (cause instanceof SojournError) throw cause
    throw new SojournError('STORE_FAILED', `${path} cannot be read or written (${(cause as Error).message})`, { cause })
  }
}

const foreign = (directory: string, owner: string, region: string): SojournError => {
  const [theirs, ours] = [owner, region].map((name) => JSON.stringify(name))
  return new SojournError(
    'STORE_FOREIGN',
    `${directory} is the store of region ${theirs}, and was to be opened as ${ours}. A new region needs no copy: give it an empty directory, ` +
      `and its peers fill it. To begin ${ours} with the sessions of ${theirs}, take a backup of ${theirs}, ` +
      `and run \`sojourn restore <file> --from-region ${owner}\` for ${ours}.`,
  )
}

/** Undefined where there is none, or it is corrupt: then the directory is taken for what it is opened as. */
const read = (path: string): string | undefined => {
  try {
    const { region, crc } = JSON.parse(readFileSync(path, 'utf8')) as { region: unknown; crc: unknown }
    return typeof region === 'string' && crc32(region) === crc ? region : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole, and on the disk before the store is. */
const write = (path: string, region: string): void => {
  const draft = `${path}.new`
  const file = openSync(draft, 'w', 0o600)
  try {
    writeSync(file, `${JSON.stringify({ region, crc: crc32(region) })}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}
