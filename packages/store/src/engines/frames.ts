/** How an entry of the journal stands in a segment file: length, checksum, number, bytes (SPEC, "Segments"). */
import { crc32 } from 'node:zlib'
import type { JournalEntry } from '@sojourn/core'

const LENGTH_BYTES = 4
const CHECKSUM_BYTES = 4
const NUMBER_BYTES = 6
export const FRAME_BYTES = LENGTH_BYTES + CHECKSUM_BYTES + NUMBER_BYTES

/** Numbers that can be missing between two entries of one segment, where bytes between them are damaged. */
const MAX_GAP = 2 ** 20

/** Writes an entry into `out` at `at`; the frame has {@link FRAME_BYTES} more than the entry. All integers are little endian. */
export const writeFrame = (out: Buffer, at: number, number: number, bytes: Uint8Array): void => {
  out.writeUInt32LE(bytes.length, at)
  out.writeUIntLE(number, at + LENGTH_BYTES + CHECKSUM_BYTES, NUMBER_BYTES)
  out.set(bytes, at + FRAME_BYTES)
  out.writeUInt32LE(
    crc32(out.subarray(at + LENGTH_BYTES + CHECKSUM_BYTES, at + FRAME_BYTES + bytes.length)),
    at + LENGTH_BYTES,
  )
}

interface Frame {
  readonly number: number
  readonly bytes: Uint8Array
  readonly end: number
}

const readFrame = (from: Buffer, at: number): Frame | undefined => {
  if (at + FRAME_BYTES > from.length) return undefined
  const end = at + FRAME_BYTES + from.readUInt32LE(at)
  if (end > from.length) return undefined
  const checked = from.subarray(at + LENGTH_BYTES + CHECKSUM_BYTES, end)
  if (crc32(checked) !== from.readUInt32LE(at + LENGTH_BYTES)) return undefined
  return {
    number: from.readUIntLE(at + LENGTH_BYTES + CHECKSUM_BYTES, NUMBER_BYTES),
    bytes: from.subarray(at + FRAME_BYTES, end),
    end,
  }
}

export interface Frames {
  /** Whole entries, and for each damaged one its number without bytes. */
  readonly entries: readonly JournalEntry[]
  /** Where the last whole entry ends: what follows is torn. */
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
    const frame = readFrame(from, end) ?? nextFrame(from, end, expected)
    if (frame === undefined || frame.number < expected) return { entries, end }
    for (; expected < frame.number; expected++) entries.push({ number: expected, bytes: undefined })
    entries.push({ number: frame.number, bytes: frame.bytes })
    expected = frame.number + 1
    end = frame.end
  }
}

/** The next whole frame behind damaged bytes, wherever it begins. */
const nextFrame = (from: Buffer, damaged: number, expected: number): Frame | undefined => {
  for (let at = damaged + 1; at + FRAME_BYTES <= from.length; at++) {
    const number = from.readUIntLE(at + LENGTH_BYTES + CHECKSUM_BYTES, NUMBER_BYTES)
    if (number < expected || number > expected + MAX_GAP) continue
    const frame = readFrame(from, at)
    if (frame) return frame
  }
  return undefined
}
