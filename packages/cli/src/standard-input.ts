/** What commands read from standard input: one line, which is then in no list of processes and no history of a shell. */
import { SojournError } from '@sojourn/core/internal'
import { STANDARD_INPUT } from './flags.js'

/** Of UTF-8, a character has so many at most. */
const BYTES_A_CHAR = 4

export interface LineWords {
  /** What it is, for an error: `session id`. */
  readonly what: string
  /** What the error says is wrong. */
  readonly option: string
  readonly maxChars: number
}

/**
 * What was given, or, where that is `-`, the first line of standard input.
 * @throws INVALID_OPTION, which does not repeat it
 */
export const givenOrRead = async (
  given: string,
  input: AsyncIterable<Uint8Array>,
  { what, option, maxChars }: LineWords,
): Promise<string> => {
  if (given !== STANDARD_INPUT) return given
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of input) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxChars * BYTES_A_CHAR || chunk.includes(10)) break
  }
  const line = Buffer.concat(chunks).toString('utf8').split(/\r?\n/)[0]!
  if (line.trim() === '' || line.length > maxChars)
    throw new SojournError('INVALID_OPTION', `standard input holds no ${what} in its first line`, { option })
  return line
}
