/** What a session's cookie holds: the id, where its last write is, and a signature over both. */
import { MAX_ID_CHARS, SojournError } from '@sojourn/core/internal'
import { MAC_BYTES, type SecretKeys, sign, verifies } from './hmac.js'
import { isAfter } from './options.js'

/** What came with a request. */
export interface CookieValue {
  /** The secret that opens the session, if one lives. */
  readonly id: string
  /** Where the session's last write is: for `get(id, { after })`. */
  readonly after?: string
}

/** Neither an id that is percent-encoded nor an `after` nor a signature has one; cookies may (RFC 6265, cookie-octet). */
const SEPARATOR = ':'
const PURPOSE = 'sojourn cookie'
const MAX_ENCODED_CHARS = MAX_ID_CHARS * 9

/**
 * `id`, `id:after`, `id::signature` or `id:after:signature`.
 * @param name the cookie's, which is signed as well: no other cookie's value is good here
 * @throws INVALID_OPTION for an id that UTF-8 cannot write
 */
export const writeValue = (name: string, { id, after = '' }: CookieValue, keys: SecretKeys | undefined): string => {
  if (!id.isWellFormed())
    throw new SojournError('INVALID_OPTION', 'the id has half a character (a lone surrogate); give well-formed text', {
      option: 'id',
    })
  const encoded = encodeURIComponent(id)
  const parts = keys
    ? [encoded, after, sign(keys, PURPOSE, name, encoded, after).toString('base64url')]
    : after === ''
      ? [encoded]
      : [encoded, after]
  return parts.join(SEPARATOR)
}

/** Undefined for what was not written so, and, where there are keys, for what none of them signed. */
export const readValue = (name: string, value: string, keys: SecretKeys | undefined): CookieValue | undefined => {
  const parts = value.split(SEPARATOR)
  const [encoded = '', after = '', signature = ''] = parts
  const id = decoded(encoded)
  if (id === undefined || parts.length > 3 || (after !== '' && !isAfter(after))) return undefined
  if (keys && !verifies(keys, macIn(signature), PURPOSE, name, encoded, after)) return undefined
  return after === '' ? { id } : { id, after }
}

/** No bytes for what is written in another way than `writeValue` does, so that a value has one signature under a key. */
const macIn = (text: string): Uint8Array => {
  const mac = Buffer.from(text, 'base64url')
  return mac.length === MAC_BYTES && mac.toString('base64url') === text ? mac : new Uint8Array()
}

const decoded = (encoded: string): string | undefined => {
  if (encoded === '' || encoded.length > MAX_ENCODED_CHARS) return undefined
  try {
    const id = decodeURIComponent(encoded)
    return id.length <= MAX_ID_CHARS && encodeURIComponent(id) === encoded ? id : undefined
  } catch {
    return undefined
  }
}
