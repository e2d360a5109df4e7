/** The key ring of a store: the keys that its data keys are wrapped with, given as they are or asked of a provider. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { SojournError } from '@sojourn/core/internal'
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

/** Whether something is a key ring, or a provider of keys. */
export const isEncryption = (value: unknown): value is Encryption => {
  if (typeof value !== 'object' || value === null) return false
  const { active, keys, key } = value as { active?: unknown; keys?: unknown; key?: unknown }
  if (!isKeyId(active)) return false
  if (key !== undefined) return typeof key === 'function' && keys === undefined
  if (typeof keys !== 'object' || keys === null || !Object.hasOwn(keys, active)) return false
  return Object.entries(keys).every(([id, each]) => isKeyId(id) && ringKeyBytes(each) !== undefined)
}

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
