/** Messages as the bytes of frames, packed by msgpackr; and back, where they are plain and have a shape. */
import { SojournError } from '@sojourn/core'
// Without its native part, which would read what anybody sends.
import { Packr, RESET_BUFFER_MODE } from 'msgpackr/pack'
import { endOfPlain, type Grammar, MESSAGE } from './plain.js'
import type { Shape } from './shape.js'

/** Of messages and of data, each for itself: nothing is remembered from one to the next. */
const packr = new Packr({
  useRecords: false,
  structuredClone: false,
  moreTypes: false,
  variableMapSize: true,
  // What a session calls `toJSON` is data.
  useToJSON: false,
})

const copying = new Packr({ useRecords: false, structuredClone: false, moreTypes: false, copyBuffers: true })

/** In memory that is shared with what is packed before and after: for what is soon sent and forgotten. */
export const pack = (value: unknown): Buffer => packr.pack(value)

/** Valid until something else is packed. */
export const packForNow = (value: unknown): Buffer => packr.pack(value, RESET_BUFFER_MODE)

/**
 * The one value that the bytes hold.
 * @param isOwn whether byte strings in it are to be copies, not views
 * @throws FRAME_INVALID
 */
export const unpack = (source: Uint8Array, grammar: Grammar, isOwn = false): unknown => {
  const end = endOfPlain(source, 0, grammar)
  if (end !== source.length) throw new SojournError('FRAME_INVALID', `${source.length - end} bytes are left over`)
  return unpackPlain(source, 0, end, isOwn)
}

const unpackPlain = (source: Uint8Array, start: number, end: number, isOwn: boolean): unknown => {
  try {
    return (isOwn ? copying : packr).unpack(source, { start, end })
  } catch (error) {
    throw new SojournError('FRAME_INVALID', 'it could not be unpacked', { cause: error })
  }
}

/** @throws FRAME_TOO_LARGE */
export const checkSize = (frame: Uint8Array, maxFrameBytes: number): Buffer => {
  if (frame.length > maxFrameBytes)
    throw new SojournError('FRAME_TOO_LARGE', `a frame has ${frame.length} bytes, ${maxFrameBytes} are allowed`, {
      limit: maxFrameBytes,
    })
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
}

/**
 * The messages of a frame, one after the other, each checked as it is taken. Byte strings in them are views of the frame.
 * @throws FRAME_TOO_LARGE, FRAME_INVALID, and nothing else
 */
export function* messagesIn<T>(shape: Shape<T>, frame: Uint8Array, maxFrameBytes: number): Generator<T, undefined> {
  const source = checkSize(frame, maxFrameBytes)
  for (let at = 0; at < source.length; ) {
    const end = endOfPlain(source, at, MESSAGE)
    yield shape.check(unpackPlain(source, at, end, false))
    at = end
  }
  return undefined
}
