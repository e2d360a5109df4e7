import { crc32 } from 'node:zlib'
import type { FeedId, RecordLimits, SessionKey, SessionRecord } from '@sojourn/core'
import { ByteReader, ByteWriter, decodeRecord, isEndedRecord, KEY_BYTES, SojournError } from '@sojourn/core'

/**
 * The rows of a store, each kind under a first byte of its own (SPEC, "Keyspace"):
 *
 * - `r` key → checksum, sequence, record
 * - `f` sequence → checksum, key, origin        the feed: each key once, at its latest commit
 * - `x` time, key → kind                        the expiry index: when a record has no use any more; where the session
 *                                              expires before that, one more row (kind `expiry`) at that time
 * - `mstate` → checksum, body                    what the store knows of itself
 */
const SPACE = { record: 0x72, feed: 0x66, expiry: 0x78 } as const

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

/** All rows of a kind, from a number on where one is given. */
export const feedRange = (after = 0) => ({ gte: numbered(SPACE.feed, after + 1), lt: Uint8Array.of(SPACE.feed + 1) })
export const expiryRange = (after: number, through: number) => ({
  gte: numbered(SPACE.expiry, Math.max(0, after + 1)),
  lt: numbered(SPACE.expiry, Math.max(0, through + 1)),
})
/** Every row of every kind. */
export const wholeKeyspace = { gte: Uint8Array.of(SPACE.feed), lt: Uint8Array.of(SPACE.expiry + 1) }

/** Whether a key could be that of a row. */
export const isRowKey = (key: Uint8Array): boolean => {
  if (key[0] === SPACE.record) return key.length === 1 + KEY_BYTES
  if (key[0] === SPACE.feed) return key.length === 9
  if (key[0] === SPACE.expiry) return key.length === 9 + KEY_BYTES
  return Buffer.compare(key, STATE_KEY) === 0
}

export const allRecords = { gte: Uint8Array.of(SPACE.record), lt: Uint8Array.of(SPACE.record + 1) }

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

/** The row of what the store knows of itself. */
export const STATE_KEY: Uint8Array = Buffer.from('mstate')

const writer = new ByteWriter(4096)

/** Before every value, so that a rotten bit does not become state: LevelDB hands it back without a word. Little endian. */
const CHECKSUM_BYTES = 4

/** CRC-32 of the key and the value: it must notice rot, not an adversary, for who can write the disk has the data anyway. */
const seal = (key: Uint8Array, body: Uint8Array): Uint8Array => {
  const row = Buffer.allocUnsafe(CHECKSUM_BYTES + body.length)
  row.writeUInt32LE(crc32(body, crc32(key)))
  row.set(body, CHECKSUM_BYTES)
  return row
}

/** Undefined where the row does not pass. */
const unseal = (key: Uint8Array, row: Uint8Array): Uint8Array | undefined => {
  if (row.length <= CHECKSUM_BYTES) return undefined
  const body = row.subarray(CHECKSUM_BYTES)
  const stated = Buffer.from(row.buffer, row.byteOffset, CHECKSUM_BYTES).readUInt32LE()
  return crc32(body, crc32(key)) === stated ? body : undefined
}

export interface RecordRow {
  readonly sequence: number
  readonly record: SessionRecord
  /** Bytes of the encoded record. */
  readonly size: number
}

/** @param rowKey the key of the row, see {@link recordKey} */
export const encodeRecordRow = (rowKey: Uint8Array, sequence: number, record: Uint8Array): Uint8Array =>
  seal(rowKey, writer.uint(sequence).raw(record).borrow())

/** What a row counts as, by its record's first byte; undefined for a rotten one. */
export const kindOfRecordRow = (rowKey: Uint8Array, row: Uint8Array): SessionRecord['kind'] | undefined => {
  const body = unseal(rowKey, row)
  if (body === undefined) return undefined
  const reader = new ByteReader(body, 'STORE_CORRUPT')
  reader.uint()
  return isEndedRecord(body.subarray(reader.offset)) ? 'ended' : 'live'
}

/** A record row's sequence, and the bytes of its record. @throws STORE_CORRUPT */
export const openRecordRow = (key: SessionKey, row: Uint8Array): { sequence: number; encoded: Uint8Array } => {
  const body = unseal(recordKey(key), row)
  if (body === undefined) throw new SojournError('STORE_CORRUPT', `the stored record ${key} fails its checksum`)
  const reader = new ByteReader(body, 'STORE_CORRUPT')
  const sequence = reader.uint()
  return { sequence, encoded: body.subarray(reader.offset) }
}

/** @throws STORE_CORRUPT */
export const decodeRecordRow = (key: SessionKey, row: Uint8Array, limits: RecordLimits): RecordRow => {
  const { sequence, encoded } = openRecordRow(key, row)
  return { sequence, record: decodeRecord(encoded, limits, 'STORE_CORRUPT'), size: encoded.length }
}

/** A feed row's place, which its key tells also where its value is rotten. */
export const sequenceOfFeedRow = (key: Uint8Array): number =>
  Number(Buffer.from(key.buffer, key.byteOffset, key.byteLength).readBigUInt64BE(1))

export const encodeFeedValue = (rowKey: Uint8Array, key: SessionKey, origin: Origin | undefined): Uint8Array => {
  writer.hex(key)
  if (origin) writer.hex(origin.feed).uint(origin.sequence)
  return seal(rowKey, writer.borrow())
}

/** Undefined where the row is rotten. */
export const decodeFeedRow = (key: Uint8Array, value: Uint8Array): FeedRow | undefined => {
  const body = unseal(key, value)
  if (body === undefined) return undefined
  const reader = new ByteReader(body, 'STORE_CORRUPT')
  return {
    sequence: sequenceOfFeedRow(key),
    key: reader.hex(KEY_BYTES),
    origin: reader.left > 0 ? { feed: reader.hex(16), sequence: reader.uint() } : undefined,
  }
}

export const encodeMeta = (body: Uint8Array): Uint8Array => seal(STATE_KEY, body)
/** @throws STORE_CORRUPT */
export const decodeMeta = (row: Uint8Array): Uint8Array => {
  const body = unseal(STATE_KEY, row)
  if (body === undefined) throw new SojournError('STORE_CORRUPT', 'what the store knows of itself fails its checksum')
  return body
}
