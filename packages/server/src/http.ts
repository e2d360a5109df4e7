import type { IncomingMessage } from 'node:http'
import { SojournError } from '@sojourn/core/internal'

/** A session may have 64 kB; nothing that is asked or answered as a whole is longer than this. Backups are streamed. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024
/** What comes in is shorter. */
const MAX_REQUEST_BYTES = 64 * 1024

/** The whole body. @throws FRAME_TOO_LARGE, FRAME_INVALID where it breaks off */
export const readBody = async (message: IncomingMessage, maxBytes = MAX_REQUEST_BYTES): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes)
        throw new SojournError('FRAME_TOO_LARGE', `a body of more than ${maxBytes} bytes`, { limit: maxBytes })
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof SojournError) throw cause
    throw new SojournError('FRAME_INVALID', 'the body breaks off', { cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}
