/** Session ids, and the keys by which everything but their users names them. */
import { hash } from 'node:crypto'
import { secretOption, textRule } from './option-rules.js'
import { checkOption } from './options.js'
import type { Random } from './ports.js'

/**
 * How Sojourn names a session everywhere but to its user, as 32 hex digits: the first 16 bytes of SHA-256 of the id, or of its locator where
 * the store made the id. Public, and the same for as long as the session lives: its handle.
 */
export type SessionKey = string

/** The first 16 bytes of SHA-256 of the secret of an id, as 32 hex digits: what a record holds of it. */
export type SecretHash = string

export const KEY_BYTES = 16
/** The longest id of a session, in UTF-16 code units. All other bounds of an id follow from this one. */
export const MAX_ID_CHARS = 512

/** Random bytes of a locator, and of a secret. */
const PART_BYTES = 16
/** Characters of each in the URL-safe Base64 of RFC 4648. */
const PART_CHARS = 22
const MADE_ID = /^[\w-]{22}\.[\w-]{22}$/

/** What can be the id of a session, wherever one is taken. */
export const ID_RULE = secretOption(
  textRule(`a string of 1 to ${MAX_ID_CHARS} characters`, (id) => id !== '' && id.length <= MAX_ID_CHARS),
)

/** What can be the handle of a session. What is none may be an id, and is not shown. */
export const HANDLE_RULE = secretOption(
  textRule('a handle of 32 lower-case hex digits', (handle) => /^[0-9a-f]{32}$/.test(handle)),
)

/** @throws INVALID_OPTION for what can be the id of no session */
export const checkId = (id: string): string => {
  checkOption(id, 'id', ID_RULE)
  return id
}

/** @throws INVALID_OPTION for what can be the handle of no session */
export const checkHandle = (handle: string): SessionKey => {
  checkOption(handle, 'handle', HANDLE_RULE)
  return handle
}

/** What an id says: which session, and what opens it. */
export interface ResolvedId {
  readonly key: SessionKey
  /** Undefined: the id is one that middleware chose, and is a secret as a whole. */
  readonly secret: SecretHash | undefined
}

const digest = (text: string): string => hash('sha256', text, 'hex').slice(0, KEY_BYTES * 2)

const isMade = (id: string): boolean => id.length === 2 * PART_CHARS + 1 && id[PART_CHARS] === '.' && MADE_ID.test(id)

/** @throws INVALID_OPTION for what can be the id of no session */
export const resolveId = (id: string): ResolvedId => {
  checkId(id)
  return isMade(id)
    ? { key: digest(id.slice(0, PART_CHARS)), secret: digest(id.slice(PART_CHARS + 1)) }
    : { key: digest(id), secret: undefined }
}

/**
 * The key of an id, which is the handle of its session. The id is a bearer secret; the key is not, and cannot be turned back into it.
 * @example
 * sessionKey('a-cookie-value') // 32 hex digits: fit for a log, as the id is not
 */
export const sessionKey = (id: string): SessionKey => {
  checkId(id)
  return digest(isMade(id) ? id.slice(0, PART_CHARS) : id)
}

const partOf = (bytes: Uint8Array, from: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, PART_BYTES).toString('base64url')

/** A new id: a locator of 128 random bits, a dot, and a secret of as many, in the URL-safe Base64 of RFC 4648 (45 characters). */
export const newSessionId = (random: Random): string => {
  const bytes = random.bytes(2 * PART_BYTES)
  return `${partOf(bytes, 0)}.${partOf(bytes, PART_BYTES)}`
}

/** An id of the same session with another secret. @param id one that the store made */
export const withNewSecret = (id: string, random: Random): string =>
  `${id.slice(0, PART_CHARS)}.${partOf(random.bytes(PART_BYTES), 0)}`
