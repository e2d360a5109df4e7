/** `sojourn backup`: copies what a region holds to a file. */
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { SojournError } from '@sojourn/core/internal'
import { syncDirectory } from '@sojourn/server/parts'
import type { AdminClient } from './admin-client.js'
import type { AgeRecipients } from './age.js'
import { encryptedCopy, plainCopy } from './backup-copy.js'
import { counted, failed, megabytes, percent, readCounted } from './counted.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'

export interface BackupOptions {
  /** Where to; it must not be there yet. */
  readonly file: string
  /** Who can open the file; undefined: it is sealed with the region's key ring, if it has one. */
  readonly recipients?: AgeRecipients | undefined
  readonly isJson: boolean
  readonly isQuiet: boolean
}

/** Takes a copy of a region that goes on meanwhile. The file has its name only when it is whole and was read back. */
export const backUp = async (
  client: AdminClient,
  { file, recipients, isJson, isQuiet }: BackupOptions,
  out: Output,
): Promise<number> => {
  if (existsSync(file))
    throw new SojournError('INVALID_OPTION', `${file} exists already. Give another name`, { option: 'file' })
  const draft = `${file}.part`
  const from = await client.open('backup', recipients ? { seal: 'none' } : {})
  // Sessions are in it, though no ids: it is for its owner alone. One that was left behind by a crash, or that somebody put there, is none of ours.
  rmSync(draft, { force: true })
  const copy = recipients ? encryptedCopy(recipients) : plainCopy
  const progress = out.progress(isQuiet)
  const to = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true })
  try {
    const copied = (bytes: number) => progress.report(() => `${file}: ${megabytes(bytes)} copied`)
    await pipeline(from, (stream) => copy.written(counted(stream, copied)), to).catch(
      failed(`${draft} cannot be written`),
    )
    const readBack = (bytes: number) => progress.report(() => `${file}: ${percent(bytes, to.bytesWritten)} read back`)
    const { header, rows } = await copy
      .check(readCounted(draft, readBack))
      .catch(failed(`${draft} cannot be read back`))
    progress.end()
    renameSync(draft, file)
    syncDirectory(dirname(file))
    if (isJson)
      out.json({ file, ...header, rows, bytes: to.bytesWritten, ...(recipients && { recipients: recipients.count }) })
    else {
      const sealed = header.sealed ? `, sealed with key ${header.sealed.key}` : ''
      const encrypted = recipients ? `, encrypted to age recipients: ${recipients.count}` : ''
      out.text(
        `${file}: ${rows} rows of ${JSON.stringify(header.region)}, ${to.bytesWritten} bytes${sealed}${encrypted}`,
      )
    }
    return EXIT.ok
  } catch (error) {
    progress.end()
    to.destroy()
    rmSync(draft, { force: true })
    throw error
  }
}
