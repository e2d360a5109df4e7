/** `sojourn rekey` and `sojourn keygen`: seals a region anew under another key of its ring, and makes keys. */
import { ERROR_CODES, type ErrorCode, type Random, SojournError } from '@sojourn/core/internal'
import { isKeyId, KEY_BYTES, KEY_IDS } from '@sojourn/store/keys'
import type { AdminClient } from './admin-client.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'

export interface RekeyOptions {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly pause: (ms: number) => Promise<void>
}

const STEP_MS = 200

/** Begins a rekey, or joins the one that is under way, and waits for its end: the region does it by itself, whoever waits. */
export const rekey = async (
  client: AdminClient,
  { isJson, isQuiet, pause }: RekeyOptions,
  out: Output,
): Promise<number> => {
  await client.ask('rekey', {})
  const progress = out.progress(isQuiet)
  try {
    for (;;) {
      const { region, replica } = await client.ask('status', {})
      const { encryption } = replica
      if (encryption === undefined) throw new SojournError('UNAVAILABLE', `${client.url.origin} shows no encryption`)
      if (encryption.isRekeying) {
        progress.report(
          () => `${region}: ${encryption.waiting} records wait to be sealed with key ${encryption.active}`,
        )
        await pause(STEP_MS)
        continue
      }
      if (encryption.failure !== undefined) throw failureOf(encryption.failure)
      progress.end()
      const { active, ringKeys } = encryption
      if (isJson) out.json({ region, active, ringKeys })
      else out.text(`${JSON.stringify(region)} is sealed with key ${active}, and needs no other key`)
      return EXIT.ok
    }
  } finally {
    progress.end()
  }
}

const failureOf = (failure: string): SojournError => {
  const [, code = '', why = failure] = /^([A-Z_]+): (.*)$/s.exec(failure) ?? []
  return new SojournError(Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'STORE_FAILED', why)
}

/** One line, `id=key`, for a file of keys. @param id undefined: the day, and something that tells two of a day apart */
export const newKeyLine = (id: string | undefined, now: number, random: Random): string => {
  const name = id ?? `${new Date(now).toISOString().slice(0, 10)}-${Buffer.from(random.bytes(2)).toString('hex')}`
  if (!isKeyId(name))
    throw new SojournError('INVALID_OPTION', `--id is ${JSON.stringify(name)}; give ${KEY_IDS}`, { option: 'id' })
  return `${name}=${Buffer.from(random.bytes(KEY_BYTES)).toString('base64url')}`
}
