/** `sojourn backup` and `sojourn restore`. */
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { SojournError } from '@sojourn/core/internal'
import { fillStore, levelEngine, lockDirectory, makePrivateDirectory } from '@sojourn/store'
import { checkBackup, decodeBackup } from '../backup/format.js'
import { EXIT } from '../exit-codes.js'
import { syncDirectory, writeWhole } from '../files.js'
import { placesIn } from '../places.js'
import type { AdminClient } from './admin-client.js'
import type { Output } from './output.js'

const failed = (what: string) => (cause: Error) => {
  if (cause instanceof SojournError) throw cause
  throw new SojournError('STORE_FAILED', `${what} (${cause.message})`, { cause })
}

/** Takes a copy of a region that goes on meanwhile. The file has its name only when it is whole and was read back. */
export const backUp = async (client: AdminClient, file: string, isJson: boolean, out: Output): Promise<number> => {
  if (existsSync(file))
    throw new SojournError('INVALID_OPTION', `${file} is there already; give another name`, { option: 'file' })
  const draft = `${file}.part`
  const from = await client.open('GET', '/backup')
  // Sessions are in it, though no ids: it is for its owner alone. One that was left behind by a crash, or that somebody put there, is none of ours.
  rmSync(draft, { force: true })
  const to = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true })
  try {
    await pipeline(from, to).catch(failed(`${draft} cannot be written`))
    const { header, rows } = await checkBackup(createReadStream(draft)).catch(failed(`${draft} cannot be read back`))
    renameSync(draft, file)
    syncDirectory(dirname(file))
    if (isJson) out.json({ file, ...header, rows, bytes: to.bytesWritten })
    else out.text(`${file}: ${rows} rows of ${JSON.stringify(header.region)}, ${to.bytesWritten} bytes`)
    return EXIT.ok
  } catch (error) {
    to.destroy()
    rmSync(draft, { force: true })
    throw error
  }
}

export interface RestoreTarget {
  readonly region: string
  readonly data: string
  /** The region that the backup was taken of, where it is another one. */
  readonly fromRegion?: string | undefined
}

/**
 * Makes a data directory of a backup. `sojourn serve` then lets nobody in before every peer has told what happened since, so that no
 * session that ended shows again.
 */
export const restore = async (
  file: string,
  { region, data, fromRegion = region }: RestoreTarget,
  isJson: boolean,
  out: Output,
): Promise<number> => {
  const places = placesIn(data)
  if (places.restored === undefined)
    throw new SojournError('INVALID_OPTION', 'data is :memory:, which keeps nothing; give a directory', {
      option: 'data',
    })
  if (existsSync(places.store))
    throw new SojournError('INVALID_OPTION', `${places.store} is there already; move it away first`, { option: 'data' })
  const read = () => createReadStream(file)
  const { header, rows } = await checkBackup(read()).catch(failed(`${file} cannot be read`))
  if (header.region !== fromRegion)
    throw new SojournError(
      'INVALID_OPTION',
      `the backup is of region ${JSON.stringify(header.region)}, and region is ${JSON.stringify(fromRegion)}; ` +
        'a new region needs no backup, for its peers fill it; to begin it with these sessions all the same, ' +
        `give --from-region ${header.region}`,
      { option: 'region' },
    )
  makeData(data)
  // Two restores into one place would write into each other's draft.
  const lock = lockDirectory(data)
  lock.confirm()
  try {
    const draft = join(data, 'store.restoring')
    rmSync(draft, { recursive: true, force: true })
    const isForeign = fromRegion !== region
    await fillStore(levelEngine, draft, (await decodeBackup(read())).rows, { region, isForeign })
    // First the note, then the store: never the store without it.
    writeWhole(places.restored, `${JSON.stringify({ takenAt: header.takenAt })}\n`)
    try {
      renameSync(draft, places.store)
    } catch (cause) {
      failed(`${places.store} came to be there meanwhile`)(cause as Error)
    }
    syncDirectory(data)
  } finally {
    lock.release()
  }
  if (isJson) out.json({ data, ...header, rows })
  else out.text(`${data}: ${rows} rows of ${JSON.stringify(region)}, as of ${new Date(header.takenAt).toISOString()}`)
  return EXIT.ok
}

const makeData = (data: string): void => {
  try {
    makePrivateDirectory(data)
  } catch (cause) {
    failed(`data is ${JSON.stringify(data)}, which cannot be written`)(cause as Error)
  }
}
