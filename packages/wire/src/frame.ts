/** Messages as the bytes of frames, packed by msgpackr; and back, where they are plain and have a shape. */
import { type ByteWriter, SojournError } from '@sojourn/core/internal'
// Without its native part, which would read what anybody sends.
import { Packr, RESET_BUFFER_MODE } from 'msgpackr/pack'
import { endOfPlain, type Grammar, MESSAGE } from './plain.js'
import { type Messages, type OutgoingTail, refuse } from './shape.js'

const PLAIN = { useRecords: false, structuredClone: false, moreTypes: false } as const

/** Of messages and of data, each for itself: nothing is remembered from one to the next. What a session calls `toJSON` is data. */
const packr = new Packr({ ...PLAIN, variableMapSize: true, useToJSON: false })

/** Makes copies of byte strings, not views. */
const copying = new Packr({ ...PLAIN, copyBuffers: true })

/** A value's bytes. Valid until something else is packed. */
export const pack = (value: unknown): Uint8Array => packr.pack(value, RESET_BUFFER_MODE)

/**
 * The one value that the bytes hold, in memory of its own.
 * @throws FRAME_INVALID
 */
export const unpack = (source: Uint8Array, grammar: Grammar): unknown => {
  const end = endOfPlain(source, 0, grammar)
  if (end !== source.length) refuse(`${source.length - end} bytes are left over`)
  return unpackPlain(copying, source, 0, end)
}

const unpackPlain = (unpacker: Packr, source: Uint8Array, start: number, end: number): unknown => {
  try {
    return unpacker.unpack(source, { start, end })
  } catch (error) {
    throw new SojournError('FRAME_INVALID', 'the frame cannot be decompressed', { cause: error })
  }
}

/** Arrays of fewer items have a first byte that says how many. Messages have. */
const SHORT_ARRAY = 0x90
const [BIN_8, BIN_16, BIN_32] = [0xc4, 0xc5, 0xc6]

/** Puts one more message into a frame that is being written. */
export const writeMessage = <T>(out: ByteWriter, messages: Messages<T>, said: T): void => {
  const values: unknown[] = []
  const tail: OutgoingTail = []
  messages.pack(said, values, tail)
  const head = pack(values)
  let tailBytes = 0
  for (const part of tail) tailBytes += typeof part === 'string' ? part.length / 2 : part.length
  if (tailBytes > 0) head[0] = SHORT_ARRAY | (values.length + 1)
  out.raw(head)
  if (tailBytes > 0) writeTail(out, tail, tailBytes)
}

/** As msgpackr would, of one byte string. */
const writeTail = (out: ByteWriter, tail: OutgoingTail, size: number): void => {
  if (size < 0x100) out.u8(BIN_8)
  else if (size < 0x1_0000) out.u8(BIN_16)
  else
    out
      .u8(BIN_32)
      .u8(size >>> 24)
      .u8((size >>> 16) & 0xff)
  if (size >= 0x100) out.u8((size >>> 8) & 0xff)
  out.u8(size & 0xff)
  for (const part of tail) {
    if (typeof part === 'string') out.hex(part)
    else out.raw(part)
  }
}

/**
 * The messages of a frame, one after the other, each checked as it is taken. Byte strings in them are views of the frame.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export function* messagesIn<T>(
  messages: Messages<T>,
  frame: Uint8Array,
  maxFrameBytes: number,
): Generator<T, undefined> {
  const source = checkSize(frame, maxFrameBytes)
  for (let at = 0; at < source.length; ) {
    const end = endOfPlain(source, at, MESSAGE)
    yield messages.check(unpackPlain(packr, source, at, end))
    at = end
  }
  return undefined
}

/**
 * The only message of a frame.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export const messageIn = <T>(messages: Messages<T>, frame: Uint8Array, maxFrameBytes: number): T => {
  const source = checkSize(frame, maxFrameBytes)
  const end = endOfPlain(source, 0, MESSAGE)
  if (end !== source.length) refuse(`${source.length - end} bytes are left over`)
  return messages.check(unpackPlain(packr, source, 0, end))
}

const checkSize = (frame: Uint8Array, maxFrameBytes: number): Buffer => {
  if (frame.length > maxFrameBytes)
    throw new SojournError(
      'FRAME_TOO_LARGE',
      `a frame has ${frame.length} bytes, and maxFrameBytes is ${maxFrameBytes}`,
      {
        limit: maxFrameBytes,
      },
    )
  return Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
}
