import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { FeedId, RecordLimits, SessionKey, SessionRecord } from '@sojourn/core'
import { ByteReader, ByteWriter, decodeRecord, KEY_BYTES, SojournError } from '@sojourn/core'

/**
 * The rows of a store, each kind under a first byte of its own (SPEC, "Keyspace"):
 *
 * - `r` key → checksum, sequence, record
 * - `f` sequence → checksum, key, origin        the feed: each key once, at its latest commit
 * - `x` time, key → kind                        the expiry index: when a record has no use any more; where the session
 *                                              expires before that, one more row (kind `expiry`) at that time
 * - `m` name → checksum, body                   what the store knows of itself
 */
const SPACE = { record: 0x72, feed: 0x66, expiry: 0x78, meta: 0x6d } as const

/** Of whom, and as what, a commit first came to this store, where the record holds nothing that did not come so. */
export interface Origin {
  readonly feed: FeedId
  readonly sequence: number
}

export interface FeedRow {
  readonly sequence: number
  readonly key: SessionKey
  readonly origin: Origin | undefined
}

export type ExpiryKind = SessionRecord['kind'] | 'expiry'

export interface ExpiryRow {
  readonly at: number
  readonly key: SessionKey
  readonly kind: ExpiryKind
}

const numbered = (space: number, value: number, tail = 0): Buffer => {
  const key = Buffer.alloc(9 + tail)
  key[0] = space
  key.writeBigUInt64BE(BigInt(value), 1)
  return key
}

const bounds = (space: number) => ({ gte: Uint8Array.of(space), lt: Uint8Array.of(space + 1) })

/** All rows of a kind, from a number on where one is given. */
export const feedRange = (after = 0) => ({ gte: numbered(SPACE.feed, after + 1), lt: Uint8Array.of(SPACE.feed + 1) })
export const expiryRange = (after: number, through: number) => ({
  gte: numbered(SPACE.expiry, Math.max(0, after + 1)),
  lt: numbered(SPACE.expiry, Math.max(0, through + 1)),
})
export const allExpiry = bounds(SPACE.expiry)
export const allRecords = bounds(SPACE.record)

/** The records whose keys start with a byte. */
export const sliceRange = (slice: number) => ({
  gte: Uint8Array.of(SPACE.record, slice),
  lt: slice === 0xff ? Uint8Array.of(SPACE.record + 1) : Uint8Array.of(SPACE.record, slice + 1),
})

export const recordKey = (key: SessionKey): Uint8Array => {
  const out = Buffer.allocUnsafe(1 + KEY_BYTES)
  out[0] = SPACE.record
  out.write(key, 1, KEY_BYTES, 'hex')
  return out
}
export const keyOfRecordRow = (key: Uint8Array): SessionKey =>
  Buffer.from(key.buffer, key.byteOffset + 1, KEY_BYTES).toString('hex')

export const feedKey = (sequence: number): Uint8Array => numbered(SPACE.feed, sequence)

export const expiryKey = (at: number, key: SessionKey): Uint8Array => {
  const out = numbered(SPACE.expiry, at, KEY_BYTES)
  out.write(key, 9, KEY_BYTES, 'hex')
  return out
}
const KINDS: readonly ExpiryKind[] = ['live', 'ended', 'expiry']
export const expiryValue = (kind: ExpiryKind): Uint8Array => Uint8Array.of(KINDS.indexOf(kind))
export const decodeExpiryRow = (key: Uint8Array, value: Uint8Array): ExpiryRow => {
  const row = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  return { at: Number(row.readBigUInt64BE(1)), key: row.toString('hex', 9), kind: KINDS[value[0]!] ?? 'live' }
}

export const metaKey = (name: string): Uint8Array => Buffer.from(`m${name}`)

/** Bytes of SHA-256 before a record: a rotten bit must not become state, and LevelDB hands it back without a word. */
const CHECKSUM_BYTES = 8

const checksum = (key: SessionKey, body: Uint8Array): Uint8Array =>
  hash('sha256', Buffer.concat([Buffer.from(key, 'hex'), body]), 'buffer').subarray(0, CHECKSUM_BYTES)

const writer = new ByteWriter(4096)

export interface RecordRow {
  readonly sequence: number
  readonly record: SessionRecord
  /** Bytes of the encoded record. */
  readonly size: number
}

export const encodeRecordRow = (key: SessionKey, sequence: number, record: Uint8Array): Uint8Array => {
  const body = writer.uint(sequence).raw(record).finish()
  const row = new Uint8Array(CHECKSUM_BYTES + body.length)
  row.set(checksum(key, body))
  row.set(body, CHECKSUM_BYTES)
  return row
}

/** @throws STORE_CORRUPT */
export const decodeRecordRow = (key: SessionKey, row: Uint8Array, limits: RecordLimits): RecordRow => {
  const body = row.subarray(CHECKSUM_BYTES)
  if (row.length <= CHECKSUM_BYTES || Buffer.compare(checksum(key, body), row.subarray(0, CHECKSUM_BYTES)) !== 0)
    throw new SojournError('STORE_CORRUPT', `the stored record ${key} fails its checksum`)
  const reader = new ByteReader(body, 'STORE_CORRUPT')
  const sequence = reader.uint()
  const record = body.subarray(reader.offset)
  return { sequence, record: decodeRecord(record, limits, 'STORE_CORRUPT'), size: record.length }
}

/** For a checksum that must notice a rotten bit, not an adversary: who can write the disk has the data anyway. */
const withCrc = (body: Uint8Array): Uint8Array => {
  const row = Buffer.allocUnsafe(4 + body.length)
  row.writeUInt32LE(crc32(body))
  row.set(body, 4)
  return row
}
const withoutCrc = (row: Uint8Array): Uint8Array | undefined => {
  const body = row.subarray(4)
  return row.length > 4 && crc32(body) === Buffer.from(row.buffer, row.byteOffset, 4).readUInt32LE() ? body : undefined
}

export const encodeFeedValue = (key: SessionKey, origin: Origin | undefined): Uint8Array => {
  writer.hex(key)
  if (origin) writer.hex(origin.feed).uint(origin.sequence)
  return withCrc(writer.finish())
}

/** Undefined where the row is rotten. */
export const decodeFeedRow = (key: Uint8Array, value: Uint8Array): FeedRow | undefined => {
  const body = withoutCrc(value)
  if (body === undefined) return undefined
  const reader = new ByteReader(body, 'STORE_CORRUPT')
  return {
    sequence: Number(Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE(1)),
    key: reader.hex(KEY_BYTES),
    origin: reader.left > 0 ? { feed: reader.hex(16), sequence: reader.uint() } : undefined,
  }
}

export const encodeMeta = withCrc
/** @throws STORE_CORRUPT */
export const decodeMeta = (row: Uint8Array): Uint8Array => {
  const body = withoutCrc(row)
  if (body === undefined) throw new SojournError('STORE_CORRUPT', 'what the store knows of itself fails its checksum')
  return body
}
