/** The keys of encryption at rest, as a file or a variable has them. */
import { SojournError } from '@sojourn/core/internal'
import { isKeyId, KEY_IDS, type KeyRing, ringKeyBytes } from '@sojourn/store/keys'

export const KEY_LIST = 'id=key, where key is 32 bytes in base64url or hex, as `sojourn keygen` writes it'

/**
 * `id=key` entries, separated by white space or commas; a `#` begins a comment that runs to the end of the line. What is wrong is reported by
 * its place: the text is secret.
 * @param active the id of the active key; undefined: that of the last entry
 * @example
 * parseKeys('2026-11=9Xn…\n2026-12=pQ4…') // 2026-12 is active
 * @throws INVALID_OPTION
 */
export const parseKeys = (text: string, active?: string, option = 'encryptionKeys'): KeyRing => {
  const fail = (why: string): never => {
    throw new SojournError('INVALID_OPTION', `${option}: ${why}`, { option })
  }
  const keys = new Map<string, Uint8Array>()
  const entries = text
    .replace(/#.*$/gm, '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
  for (const [index, entry] of entries.entries()) {
    const at = entry.indexOf('=')
    const id = entry.slice(0, Math.max(0, at))
    const bytes = ringKeyBytes(entry.slice(at + 1))
    if (at < 0 || !isKeyId(id)) fail(`entry ${index + 1} is not ${KEY_LIST}. Ids are ${KEY_IDS}`)
    if (bytes === undefined) fail(`entry ${index + 1}, of key ${id}, is not 32 bytes in base64url or hex`)
    if (keys.has(id)) fail(`entry ${index + 1} has the id of another entry, ${id}`)
    keys.set(id, bytes!)
  }
  const last = [...keys.keys()].at(-1) ?? fail('there is no key in it. Run `sojourn keygen` to make one')
  if (active !== undefined && !keys.has(active))
    throw new SojournError('INVALID_OPTION', `encryptionActive is ${active}, and ${option} has no such key`, {
      option: 'encryptionActive',
    })
  return { keys: Object.fromEntries(keys), active: active ?? last }
}

export const isKeyList = (text: string): boolean => {
  try {
    parseKeys(text)
    return true
  } catch {
    return false
  }
}
