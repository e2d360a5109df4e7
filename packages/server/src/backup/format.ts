/** The bytes of a backup. */
import { createHash } from 'node:crypto'
import { ByteReader, ByteWriter, type Row, SojournError } from '@sojourn/core/internal'
import { type Encryption, SEAL_BYTES } from '@sojourn/store/keys'
import { z } from 'zod'
import { BackupSeal, type SealedAbout } from './sealing.js'

/**
 * A backup: a line that says what it is, a line of JSON that says whose, and chunks of rows, each after its length (4 bytes, big endian).
 * A length of 0 ends them. The number of rows (8 bytes) follows, and SHA-256 over all that came before. Version 2 is sealed: the JSON says under
 * which key of which ring, each chunk is sealed for its place, and an empty one that is sealed with the number of rows stands after that.
 */
const MAGIC = { clear: Buffer.from('sojourn-backup 1\n'), sealed: Buffer.from('sojourn-backup 2\n') } as const
const MAX_HEADER_BYTES = 4_096
/** A chunk is ended when it has so many bytes. */
const TARGET_CHUNK_BYTES = 1024 * 1024
/** A row can make it longer: limits.maxRecordBytes can be set. */
const MAX_CHUNK_BYTES = 256 * 1024 * 1024
const DIGEST_BYTES = 32

const header = z.object({
  region: z.string(),
  takenAt: z.number(),
  version: z.string(),
  /** Of one that is sealed. */
  sealed: z.object({ key: z.string(), wrapped: z.string() }).optional(),
})
export type BackupHeader = Readonly<z.output<typeof header>>

const be = (bytes: 4 | 8, value: number): Buffer => {
  const out = Buffer.alloc(bytes)
  if (bytes === 4) out.writeUInt32BE(value)
  else out.writeBigUInt64BE(BigInt(value))
  return out
}

/** @param seal undefined: the backup is in the clear */
export const encodeBackup = async function* (
  head: SealedAbout,
  rows: AsyncIterable<readonly Row[]>,
  seal?: BackupSeal,
): AsyncGenerator<Buffer> {
  const sum = createHash('sha256')
  const out = (bytes: Buffer): Buffer => {
    sum.update(bytes)
    return bytes
  }
  const about: BackupHeader = { ...head, ...(seal && { sealed: seal.header }) }
  yield out(Buffer.concat([seal ? MAGIC.sealed : MAGIC.clear, Buffer.from(`${JSON.stringify(about)}\n`)]))
  let count = 0
  let chunk = new ByteWriter()
  let bytes = 0
  const flush = (): Buffer => {
    const payload = seal ? seal.seal(chunk.finish()) : chunk.finish()
    chunk = new ByteWriter()
    bytes = 0
    return out(Buffer.concat([be(4, payload.length), payload]))
  }
  for await (const some of rows)
    for (const [key, value] of some) {
      chunk.bytes(key).bytes(value)
      bytes += key.length + value.length
      count++
      if (bytes >= TARGET_CHUNK_BYTES) yield flush()
    }
  if (bytes > 0) yield flush()
  yield out(Buffer.concat([be(4, 0), be(8, count), ...(seal ? [seal.end(count)] : [])]))
  yield sum.digest()
}

const damaged = (why: string): never => {
  throw new SojournError('STORE_CORRUPT', `the backup is damaged: ${why}`)
}

/** Bytes of a stream, taken in pieces of known length. */
class Taker {
  readonly #stream: AsyncIterator<Uint8Array>
  readonly #sum = createHash('sha256')
  #rest = Buffer.alloc(0)

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#stream = stream[Symbol.asyncIterator]()
  }

  async take(count: number): Promise<Buffer> {
    const parts = [this.#rest]
    let have = this.#rest.length
    while (have < count) {
      const next = await this.#stream.next()
      if (next.done) damaged('it is truncated')
      parts.push(Buffer.from(next.value))
      have += next.value.length
    }
    const all = Buffer.concat(parts)
    this.#rest = all.subarray(count)
    const taken = all.subarray(0, count)
    this.#sum.update(taken)
    return taken
  }

  async line(maxBytes: number): Promise<string> {
    const bytes: number[] = []
    for (;;) {
      const [byte] = await this.take(1)
      if (byte === 0x0a) return Buffer.from(bytes).toString('utf8')
      bytes.push(byte!)
      if (bytes.length > maxBytes) damaged('its header is too long')
    }
  }

  digest(): Buffer {
    return this.#sum.copy().digest()
  }

  /** Whether nothing is left. */
  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && (await this.#stream.next()).done === true
  }
}

/**
 * Reads a backup. The rows are those of a whole one only if the scan ends without an error: the sum stands at its end.
 * @param encryption the key ring of one that is sealed; `'closed'`: such a one is read without being opened, and gives no rows
 * @throws STORE_CORRUPT, STORE_FORMAT, ENCRYPTION_KEY
 */
export const decodeBackup = async (
  stream: AsyncIterable<Uint8Array>,
  encryption?: Encryption | 'closed',
): Promise<{ readonly header: BackupHeader; readonly rows: AsyncGenerator<Row[], number> }> => {
  const taker = new Taker(stream)
  const magic = await taker.take(MAGIC.clear.length)
  const isSealed = magic.equals(MAGIC.sealed)
  if (!isSealed && !magic.equals(MAGIC.clear))
    throw new SojournError(
      'STORE_FORMAT',
      'the file is not a Sojourn backup, or has a version that this one cannot read',
    )
  const parsed = header.safeParse(parseJson(await taker.line(MAX_HEADER_BYTES)))
  const about = parsed.data ?? damaged('its header is malformed')
  const { sealed } = about
  if ((sealed !== undefined) !== isSealed) damaged('its header does not fit its version')
  if (sealed === undefined) return { header: about, rows: rowsOf(taker) }
  const seal = encryption === 'closed' ? encryption : await BackupSeal.open(encryption, sealed, about)
  return { header: about, rows: rowsOf(taker, seal) }
}

/** @returns how many rows there are */
const rowsOf = async function* (taker: Taker, seal?: BackupSeal | 'closed'): AsyncGenerator<Row[], number> {
  const opener = seal === 'closed' ? undefined : seal
  let count = 0
  for (;;) {
    const length = (await taker.take(4)).readUInt32BE()
    if (length === 0) break
    if (length > MAX_CHUNK_BYTES) damaged('a chunk is too long')
    const chunk = await taker.take(length)
    if (seal === 'closed') continue
    const rows = rowsIn(opener ? opener.unseal(chunk) : chunk)
    count += rows.length
    yield rows
  }
  const stated = Number((await taker.take(8)).readBigUInt64BE())
  if (seal !== 'closed' && stated !== count) damaged('rows are missing')
  const end = seal && (await taker.take(SEAL_BYTES))
  if (end) opener?.checkEnd(stated, end)
  await checkSum(taker)
  return stated
}

const rowsIn = (chunk: Uint8Array): Row[] => {
  const from = new ByteReader(chunk, 'STORE_CORRUPT')
  const rows: Row[] = []
  while (from.left > 0) rows.push([from.bytes(from.left), from.bytes(from.left)])
  return rows
}

const checkSum = async (taker: Taker): Promise<void> => {
  const sum = taker.digest()
  if (!(await taker.take(DIGEST_BYTES)).equals(sum)) damaged('checksum mismatch')
  if (!(await taker.isAtEnd())) damaged('bytes follow its end')
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads all of it and keeps nothing. @param encryption as of {@link decodeBackup} @throws STORE_CORRUPT, STORE_FORMAT, ENCRYPTION_KEY */
export const checkBackup = async (
  stream: AsyncIterable<Uint8Array>,
  encryption?: Encryption | 'closed',
): Promise<{ readonly header: BackupHeader; readonly rows: number }> => {
  const { header, rows } = await decodeBackup(stream, encryption)
  for (;;) {
    const next = await rows.next()
    if (next.done) return { header, rows: next.value }
  }
}
