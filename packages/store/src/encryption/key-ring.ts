/** The key ring of a store: the keys that its data keys are wrapped with, given as they are or asked of a provider. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { nearestName, quoted, quotedList, SojournError } from '@sojourn/core/internal'
import { KEY_BYTES } from './aes-gcm.js'

/** A key of a ring: 32 bytes, as they are, or as text in hex or base64url. */
export type RingKey = Uint8Array | string

/**
 * Keys that are there. Ids have 1 to 64 of the characters `A-Z a-z 0-9 . _ -`; they stand in the store, its backups and its status, in clear.
 * @example
 * const encryption: KeyRing = { keys: { '2026-11': process.env.SESSIONS_KEY! }, active: '2026-11' }
 */
export interface KeyRing {
  /** Keys by id. One is needed for as long as the status names it. */
  readonly keys: { readonly [id: string]: RingKey }
  /** The key that wraps new data keys. */
  readonly active: string
}

/**
 * Keys that are asked for, such as of a KMS: each id once for each opening of a store.
 * @example
 * const encryption: KeyProvider = { active: '2026-11', key: async (id) => decrypt(await readFile(`./keys/${id}`)) }
 */
export interface KeyProvider {
  /** The key that wraps new data keys. */
  readonly active: string
  /** The key of an id; a rejection refuses the opening with ENCRYPTION_KEY, which names the id. */
  key(id: string): Promise<RingKey>
}

export type Encryption = KeyRing | KeyProvider

const MAX_ID_CHARS = 64

export const KEY_IDS = `1 to ${MAX_ID_CHARS} of the characters A-Z, a-z, 0-9, ., _ and -`

export const isKeyId = (id: unknown): id is string =>
  typeof id === 'string' && id.length <= MAX_ID_CHARS && /^[A-Za-z0-9._-]+$/.test(id)

const HEX = /^[0-9a-f]{64}$/i
const BASE64URL = /^[A-Za-z0-9_-]{43}=?$/

/** The bytes of a key; undefined where it is none. */
export const ringKeyBytes = (key: unknown): Uint8Array | undefined => {
  if (key instanceof Uint8Array) return key.length === KEY_BYTES ? key : undefined
  if (typeof key !== 'string') return undefined
  if (HEX.test(key)) return Buffer.from(key, 'hex')
  return BASE64URL.test(key) ? Buffer.from(key, 'base64url') : undefined
}

const isProvider = (encryption: Encryption): encryption is KeyProvider => 'key' in encryption

/** What is wrong with a part of what ought to be a key ring, or a provider of keys. No part of a key is in it. */
export interface EncryptionFault {
  /** Such as `keys.2026-11`. */
  readonly option: string
  readonly what: string
}

const PARTS = ['keys', 'key', 'active']

/** Undefined: it is one. */
export const encryptionFault = (value: object): EncryptionFault | undefined => {
  const { active, keys, key, ...others } = value as { active?: unknown; keys?: unknown; key?: unknown }
  const [odd] = Object.keys(others)
  // A provider may have fields of its own.
  if (odd !== undefined && typeof key !== 'function') {
    const near = nearestName(odd, PARTS)
    return fault(odd, `is no part of a key ring. ${near ? `Did you mean ${near}? ` : ''}Give keys, or key, and active`)
  }
  if (!isKeyId(active))
    return fault('active', `is ${active === undefined ? 'not set' : 'no id'}. Give the id of a key, of ${KEY_IDS}`)
  if (key !== undefined && keys !== undefined) return fault('key', 'stands beside keys. Give one of them')
  if (key !== undefined)
    return typeof key === 'function'
      ? undefined
      : fault('key', 'is no function. Give one that resolves with the key of an id')
  if (typeof keys !== 'object' || keys === null)
    return fault('keys', 'is no object. Give keys by their ids, of 32 bytes each')
  const ids = Object.keys(keys)
  const bad = ids.find((id) => !isKeyId(id))
  if (bad !== undefined) return fault('keys', `has an id that is none. Give ids of ${KEY_IDS}`)
  const wrong = Object.entries(keys).find(([, each]) => ringKeyBytes(each) === undefined)
  if (wrong)
    return fault(`keys.${wrong[0]}`, `is ${sizeOf(wrong[1])}. Give ${KEY_BYTES} bytes, or their hex or base64url`)
  if (!ids.includes(active))
    return fault(
      'active',
      `is ${quoted(active)}, and keys has ${quotedList(ids) || 'none'}. Give the id of one of them`,
    )
  return undefined
}

const fault = (option: string, what: string): EncryptionFault => ({ option, what })

const sizeOf = (key: unknown): string =>
  key instanceof Uint8Array
    ? `${key.length} bytes`
    : typeof key === 'string'
      ? `a string of ${key.length} characters`
      : 'no bytes'

/** A failure that names the id of a key, and nothing else of it. */
export const keyRefused = (what: string, cause?: unknown): SojournError =>
  new SojournError('ENCRYPTION_KEY', what, { cause })

/** A key ring in use: every key is asked for once. */
export class Ring {
  readonly active: string
  readonly #encryption: Encryption
  readonly #keys = new Map<string, Promise<KeyObject>>()

  constructor(encryption: Encryption) {
    this.active = encryption.active
    this.#encryption = encryption
  }

  /** @throws ENCRYPTION_KEY where the ring lacks it */
  key(id: string): Promise<KeyObject> {
    let key = this.#keys.get(id)
    if (key === undefined) {
      key = this.#ask(id)
      this.#keys.set(id, key)
    }
    return key
  }

  async #ask(id: string): Promise<KeyObject> {
    const bytes = ringKeyBytes(await this.#given(id))
    if (bytes === undefined)
      throw keyRefused(`the key provider gave something else than ${KEY_BYTES} bytes for key ${JSON.stringify(id)}`)
    return createSecretKey(bytes)
  }

  async #given(id: string): Promise<unknown> {
    const encryption = this.#encryption
    if (isProvider(encryption))
      try {
        return await encryption.key(id)
      } catch (cause) {
        throw keyRefused(`the key provider gave no key ${JSON.stringify(id)}`, cause)
      }
    if (!Object.hasOwn(encryption.keys, id))
      throw keyRefused(`the key ring has no key ${JSON.stringify(id)}. Add it: data is sealed with it`)
    return encryption.keys[id]
  }
}
