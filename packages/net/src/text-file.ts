/** Reads a file that an option names, whole. */
import { readFileSync } from 'node:fs'
import { SojournError } from '@sojourn/core/internal'

const MAX_SHOWN_CHARS = 200

/**
 * The text of a file that an option names.
 * @example const pem = readText('/etc/sojourn/ca.crt', 'links.tls.caFile')
 * @throws INVALID_OPTION, which names the option, the path and the system's code
 */
export const readText = (path: string, option: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const shown = JSON.stringify(path).slice(0, MAX_SHOWN_CHARS)
    throw new SojournError('INVALID_OPTION', `${option} is ${shown}, which cannot be read (${code})`, { option, cause })
  }
}
