/** The rows of a store: a record with what the index needs of it, and what the store knows of itself (SPEC, "Rows"). */
import { crc32 } from 'node:zlib'
import type { SessionKey, SessionRecord, SubjectHash } from '@sojourn/core/internal'
import { ByteReader, ByteWriter, dueAt, expiresAt, isEndedRecord, KEY_BYTES, versionHash } from '@sojourn/core/internal'
import type { Origin } from './index/session-index.js'
import type { VersionSum } from './index/version-sums.js'

/**
 * First bytes of the keys of rows: data keys (`encryption/`), records, what the store knows of itself, copies of the index. A kind that is added
 * must be sealed anew by `encryption/rekey.ts`: it forgets the keys that rows were sealed with before.
 */
const SPACE = { dataKeys: 0x64, index: 0x69, record: 0x72, state: 0x73 } as const

/** The keys of the two copies of the data keys' row: one that rots takes no store with it. */
export const DATA_KEY_ROWS: readonly Uint8Array[] = [0, 1].map((copy) => Uint8Array.of(SPACE.dataKeys, copy))

export const isDataKeyRow = (row: Uint8Array): boolean => row[0] === SPACE.dataKeys && row.length === 2

export const STATE_KEY: Uint8Array = Uint8Array.of(SPACE.state)

/** The key of a part of the index's copy. */
export const indexRowKey = (part: number): Uint8Array => {
  const out = Buffer.alloc(5)
  out[0] = SPACE.index
  out.writeUInt32BE(part, 1)
  return out
}

export const recordRowKey = (key: SessionKey): Uint8Array => {
  const out = Buffer.allocUnsafe(1 + KEY_BYTES)
  out[0] = SPACE.record
  out.write(key, 1, KEY_BYTES, 'hex')
  return out
}

export const keyOfRecordRow = (row: Uint8Array): SessionKey =>
  Buffer.from(row.buffer, row.byteOffset + 1, KEY_BYTES).toString('hex')

export const isRecordRow = (row: Uint8Array): boolean => row[0] === SPACE.record && row.length === 1 + KEY_BYTES

/** Whether a key could be that of a row. */
export const isRowKey = (row: Uint8Array): boolean => isRecordRow(row) || (row.length === 1 && row[0] === SPACE.state)

/** Before every value, so that a flipped bit does not become state: LevelDB hands it back without a word. Little endian. */
const CHECKSUM_BYTES = 4

/** CRC-32 of the key and the value: it must notice rot, not an adversary, for who can write the disk has the data anyway. */
export const seal = (key: Uint8Array, body: Uint8Array): Uint8Array => {
  const row = Buffer.allocUnsafe(CHECKSUM_BYTES + body.length)
  row.writeUInt32LE(crc32(body, crc32(key)))
  row.set(body, CHECKSUM_BYTES)
  return row
}

/** Undefined where the row does not pass its checksum. */
export const unseal = (key: Uint8Array, row: Uint8Array): Uint8Array | undefined => {
  if (row.length < CHECKSUM_BYTES) return undefined
  const body = row.subarray(CHECKSUM_BYTES)
  const stated = Buffer.from(row.buffer, row.byteOffset, CHECKSUM_BYTES).readUInt32LE()
  return crc32(body, crc32(key)) === stated ? body : undefined
}

/** A record as a row has it. The times and the version follow from the record; they spare decoding it when a store is opened. */
export interface RecordRow {
  readonly sequence: number
  readonly origin: Origin | undefined
  readonly version: VersionSum
  /** When it does not show any more, and when no copy of it can: see {@link dueAt}. Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly dueAt: number
  readonly isEnded: boolean
  readonly isCutoff: boolean
  readonly subject: SubjectHash | undefined
  readonly encoded: Uint8Array
}

export const rowOf = (
  key: SessionKey,
  record: SessionRecord,
  encoded: Uint8Array,
  sequence: number,
  origin: Origin | undefined,
): RecordRow => ({
  sequence,
  origin,
  version: versionHash(key, record),
  expiresAt: record.kind === 'live' ? expiresAt(record) : 0,
  dueAt: dueAt(record),
  isEnded: record.kind === 'ended',
  isCutoff: record.kind === 'ended' && record.cutoff !== undefined,
  subject: record.kind === 'live' ? record.identity?.authentication?.subject : undefined,
  encoded,
})

/** What a row has of what not every row has. */
const HAS = { origin: 1, subject: 2, cutoff: 4 } as const

const writer = new ByteWriter(4096)

export const encodeRecordRow = (rowKey: Uint8Array, row: RecordRow): Uint8Array => {
  writer.uint(row.sequence).uint(row.expiresAt).uint(row.dueAt).uint(row.version.high).uint(row.version.low)
  writer.u8((row.origin ? HAS.origin : 0) | (row.subject ? HAS.subject : 0) | (row.isCutoff ? HAS.cutoff : 0))
  if (row.origin) writer.hex(row.origin.feed).uint(row.origin.sequence)
  if (row.subject) writer.hex(row.subject)
  return seal(rowKey, writer.raw(row.encoded).borrow())
}

/** Undefined where the row is corrupt. The record's bytes are a view of the row. */
export const decodeRecordRow = (rowKey: Uint8Array, row: Uint8Array): RecordRow | undefined => {
  const body = unseal(rowKey, row)
  if (body === undefined) return undefined
  const from = new ByteReader(body, 'STORE_CORRUPT')
  const sequence = from.uint()
  const times = { expiresAt: from.uint(), dueAt: from.uint() }
  const version = { high: from.uint(), low: from.uint() }
  const has = from.u8()
  const origin = has & HAS.origin ? { feed: from.hex(16), sequence: from.uint() } : undefined
  const subject = has & HAS.subject ? from.hex(KEY_BYTES) : undefined
  const encoded = body.subarray(from.offset)
  const isCutoff = (has & HAS.cutoff) !== 0
  return { sequence, origin, version, ...times, isEnded: isEndedRecord(encoded), isCutoff, subject, encoded }
}
