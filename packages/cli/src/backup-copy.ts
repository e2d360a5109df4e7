/** How a backup gets into a file, and how it is known that all of it is there. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { SojournError } from '@sojourn/core/internal'
import { checkBackup } from '@sojourn/server/parts'
import type { AgeRecipients } from './age.js'

type Bytes = AsyncIterable<Uint8Array>
type Checked = Awaited<ReturnType<typeof checkBackup>>

export interface BackupCopy {
  /** What the file gets of what the region sends. */
  written(from: Bytes): Bytes
  /** Whether the file, read back, is that. @throws STORE_CORRUPT */
  check(file: Bytes): Promise<Checked>
}

/** The file is what the region sends. */
export const plainCopy: BackupCopy = {
  written: (from) => from,
  check: (file) => checkBackup(file, 'closed'),
}

/** Passes chunks on, and gives them to a second reader in step: neither gets ahead of the other by more than a buffer. */
const shared = async function* <T>(from: Bytes, read: (copy: Bytes) => Promise<T>, done: (result: T) => void) {
  const copy = new PassThrough()
  const reading = read(copy)
  // If the first one fails, the second one does, too, and nobody awaits it.
  reading.catch(() => {})
  try {
    for await (const chunk of from) {
      if (!copy.write(chunk)) await Promise.race([once(copy, 'drain'), reading])
      yield chunk
    }
    copy.end()
    done(await reading)
  } finally {
    copy.destroy()
  }
}

/** Whoever backs up cannot open the file: what the region sends is checked on the way, and what is read back is compared with what was written. */
export const encryptedCopy = (recipients: AgeRecipients): BackupCopy => {
  const sum = createHash('sha256')
  let checked: Checked | undefined
  return {
    async *written(from) {
      const read = (copy: Bytes) => checkBackup(copy, 'closed')
      const noted = (result: Checked): void => {
        if (result.header.sealed)
          throw new SojournError(
            'UNAVAILABLE',
            'the server is older than --age-recipient, and sealed the backup with its key ring. Update the server first',
          )
        checked = result
      }
      for await (const chunk of recipients.encrypt(shared(from, read, noted))) {
        sum.update(chunk)
        yield chunk
      }
    },
    async check(file) {
      const again = createHash('sha256')
      for await (const chunk of file) again.update(chunk)
      if (checked !== undefined && again.digest().equals(sum.digest())) return checked
      throw new SojournError('STORE_CORRUPT', 'the file is not what was written. Check the disk, and back up again')
    },
  }
}
