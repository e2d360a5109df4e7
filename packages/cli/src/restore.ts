/** `sojourn restore`: makes a data directory of a backup. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SojournError, systemRandom } from '@sojourn/core/internal'
import { checkBackup, decodeBackup, placesIn, syncDirectory, writeWhole } from '@sojourn/server/parts'
import { fillStore, type KeyRing, levelEngine, lockDirectory, makePrivateDirectory, SealedEngine } from '@sojourn/store'
import { type AgeIdentities, openAge } from './age.js'
import { failed, percent, readCounted } from './counted.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'

export interface RestoreTarget {
  readonly region: string
  readonly data: string
  /** Opens a backup that is sealed, and seals the store; undefined: neither is. */
  readonly keys: KeyRing | undefined
  /** The region that the backup was taken of, where it is another one. */
  readonly fromRegion?: string | undefined
}

export interface RestoreOptions {
  /** Open a backup that is encrypted to age recipients. */
  readonly identities?: AgeIdentities | undefined
  readonly isJson: boolean
  readonly isQuiet: boolean
}

/**
 * Makes a data directory of a backup. `sojourn serve` then lets nobody in before every peer has reported what happened since, so that no
 * session that ended shows again.
 */
export const restore = async (
  file: string,
  { region, data, keys, fromRegion = region }: RestoreTarget,
  { identities, isJson, isQuiet }: RestoreOptions,
  out: Output,
): Promise<number> => {
  const places = placesIn(data)
  if (places.restored === undefined)
    throw new SojournError('INVALID_OPTION', 'data is :memory:, which keeps nothing. Give a directory', {
      option: 'data',
    })
  if (existsSync(places.store))
    throw new SojournError('INVALID_OPTION', `${places.store} exists already. Move it away first`, { option: 'data' })
  const progress = out.progress(isQuiet)
  const read = (what: string) =>
    openAge(
      readCounted(file, (bytes) => progress.report(() => `${file}: ${percent(bytes, statSync(file).size)} ${what}`)),
      identities,
    )
  const { header, rows } = await checkBackup(read('checked'), keys)
    .catch(failed(`${file} cannot be read`))
    .finally(progress.end)
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
    const engine = new SealedEngine(levelEngine, { encryption: keys, random: systemRandom })
    await fillStore(engine, draft, (await decodeBackup(read('restored'), keys)).rows, { region, isForeign })
    // First the note, then the store: never the store without it.
    writeWhole(places.restored, `${JSON.stringify({ takenAt: header.takenAt })}\n`)
    try {
      renameSync(draft, places.store)
    } catch (cause) {
      failed(`${places.store} was made by another process meanwhile`)(cause as Error)
    }
    syncDirectory(data)
  } finally {
    progress.end()
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
