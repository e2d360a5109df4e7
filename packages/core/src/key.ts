/** Session ids, and the keys by which everything but their users names them. */
import { hash } from 'node:crypto'
import { secretOption, textRule } from './option-rules.js'
import { checkOption } from './options.js'
import type { Random } from './ports.js'

/** How Sojourn names a session everywhere but to its user: the first 16 bytes of SHA-256 of the id, as 32 hex digits. */
export type SessionKey = string

export const KEY_BYTES = 16
/** The longest id of a session, in UTF-16 code units. All other bounds of an id follow from this one. */
export const MAX_ID_CHARS = 512

/** What can be the id of a session, wherever one is taken. */
export const ID_RULE = secretOption(
  textRule(`a string of 1 to ${MAX_ID_CHARS} characters`, (id) => id !== '' && id.length <= MAX_ID_CHARS),
)

/** @throws INVALID_OPTION for what can be the id of no session */
export const checkId = (id: string): string => {
  checkOption(id, 'id', ID_RULE)
  return id
}

/**
 * The key of an id. The id is a bearer secret; the key is not, and cannot be turned back into it.
 * @example
 * sessionKey('a-cookie-value') // 32 hex digits: fit for a log, as the id is not
 */
export const sessionKey = (id: string): SessionKey => {
  checkId(id)
  return hash('sha256', id, 'hex').slice(0, KEY_BYTES * 2)
}

/** A new id: 256 random bits, in the URL-safe Base64 of RFC 4648 (43 characters). */
export const newSessionId = (random: Random): string => Buffer.from(random.bytes(32)).toString('base64url')
