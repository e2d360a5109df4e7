/** Files and streams whose bytes are counted on the way, for progress, and whose faults are given a code. */
import { createReadStream } from 'node:fs'
import { SojournError } from '@sojourn/core/internal'

/** Passes chunks on, and says how many bytes have come in all. */
export const counted = async function* (
  stream: AsyncIterable<Uint8Array>,
  came: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    came(bytes)
    yield chunk
  }
}

/** A file, read from its beginning. */
export const readCounted = (file: string, came: (bytes: number) => void): AsyncGenerator<Uint8Array> =>
  counted(createReadStream(file) as AsyncIterable<Buffer>, came)

/** `12.3 MB` */
export const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`

/** `38 %` */
export const percent = (bytes: number, all: number): string => `${all === 0 ? 100 : Math.floor((bytes / all) * 100)} %`

/** Rethrows what a stream failed with, under a code. @throws STORE_FAILED, or the error that has a code already */
export const failed = (what: string) => (cause: Error) => {
  if (cause instanceof SojournError) throw cause
  throw new SojournError('STORE_FAILED', `${what} (${cause.message})`, { cause })
}
