/** How an entry of the journal stands in a segment file: length, number, two checksums, bytes (SPEC, "Segments"). */
import { crc32 } from 'node:zlib'
import type { JournalEntry } from '@sojourn/core/internal'

// Where the parts of a frame begin. All integers are little endian.
const NUMBER_AT = 4
const BODY_CHECK_AT = 10
const HEADER_CHECK_AT = 14
export const FRAME_BYTES = 18

const NUMBER_BYTES = BODY_CHECK_AT - NUMBER_AT

/** Numbers that can be missing between two entries of one segment, where bytes between them are damaged. */
const MAX_GAP = 2 ** 20

/** Writes an entry into `out` at `at`; the frame has {@link FRAME_BYTES} more than the entry. */
export const writeFrame = (out: Buffer, at: number, number: number, bytes: Uint8Array): void => {
  out.writeUInt32LE(bytes.length, at)
  out.writeUIntLE(number, at + NUMBER_AT, NUMBER_BYTES)
  out.writeUInt32LE(crc32(bytes), at + BODY_CHECK_AT)
  out.writeUInt32LE(crc32(out.subarray(at, at + HEADER_CHECK_AT)), at + HEADER_CHECK_AT)
  out.set(bytes, at + FRAME_BYTES)
}

interface Header {
  readonly number: number
  readonly start: number
  readonly end: number
}

/** The header has a checksum of its own: where that is right, a damaged entry ends where its length says, whatever its bytes look like. */
const readHeader = (from: Buffer, at: number): Header | undefined => {
  const start = at + FRAME_BYTES
  if (start > from.length) return undefined
  if (crc32(from.subarray(at, at + HEADER_CHECK_AT)) !== from.readUInt32LE(at + HEADER_CHECK_AT)) return undefined
  return { number: numberAt(from, at), start, end: start + from.readUInt32LE(at) }
}

const numberAt = (from: Buffer, at: number): number => from.readUIntLE(at + NUMBER_AT, NUMBER_BYTES)

export interface Frames {
  /** Whole entries, and for each damaged one its number without bytes. */
  readonly entries: readonly JournalEntry[]
  /** Where the last entry ends: what follows is torn. */
  readonly end: number
}

/**
 * Reads the frames of a segment.
 * @param at where the first one begins
 * @param first the number that it should have
 */
export const readFrames = (from: Buffer, at: number, first: number): Frames => {
  const entries: JournalEntry[] = []
  let end = at
  let expected = first
  for (;;) {
    const header = readHeader(from, end) ?? searchHeader(from, end + 1, expected)
    if (header === undefined || header.number < expected || header.end > from.length) return { entries, end }
    for (; expected < header.number; expected++) entries.push({ number: expected, bytes: undefined })
    const bytes = from.subarray(header.start, header.end)
    const isWhole = crc32(bytes) === from.readUInt32LE(header.start - FRAME_BYTES + BODY_CHECK_AT)
    entries.push({ number: header.number, bytes: isWhole ? bytes : undefined })
    expected = header.number + 1
    end = header.end
  }
}

/** The next header that is sound, after one that is not. */
const searchHeader = (from: Buffer, start: number, damaged: number): Header | undefined => {
  for (let at = start; at + FRAME_BYTES <= from.length; at++) {
    const number = numberAt(from, at)
    if (number <= damaged || number > damaged + MAX_GAP) continue
    const header = readHeader(from, at)
    if (header) return header
  }
  return undefined
}
