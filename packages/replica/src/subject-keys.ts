/** Subjects under the cluster's key: hashed, so that regions find them, and sealed, so that only who has the key reads them. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { KEY_BYTES, type Random, type SubjectHash } from '@sojourn/core/internal'

const ALGORITHM = 'aes-256-gcm'
const DERIVED_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** HKDF (RFC 5869): keys for two uses that say nothing of each other, nor of what they come from. */
const derived = (key: string, use: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, 'sojourn subjects', use, DERIVED_BYTES))

/** What is done with subjects, under a key that all regions share. */
export class SubjectKeys {
  readonly #random: Random
  readonly #hashing: Uint8Array
  readonly #sealing: Uint8Array

  constructor(key: string, random: Random) {
    this.#random = random
    this.#hashing = derived(key, 'hash')
    this.#sealing = derived(key, 'seal')
  }

  hashOf(subject: string): SubjectHash {
    return createHmac('sha256', this.#hashing)
      .update(subject)
      .digest('hex')
      .slice(0, 2 * KEY_BYTES)
  }

  /** A nonce, the ciphertext, and its tag. Random nonces do for far more logins than a key will see: 2^32 (NIST SP 800-38D, 8.3). */
  seal(subject: string): Uint8Array {
    const nonce = this.#random.bytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#sealing, nonce)
    return Buffer.concat([nonce, cipher.update(subject, 'utf8'), cipher.final(), cipher.getAuthTag()])
  }

  /** Undefined: it was sealed under another key, or is no such thing. */
  open(sealed: Uint8Array): string | undefined {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined
    const tagAt = sealed.length - TAG_BYTES
    const decipher = createDecipheriv(ALGORITHM, this.#sealing, sealed.subarray(0, NONCE_BYTES))
    decipher.setAuthTag(sealed.subarray(tagAt))
    try {
      return decipher.update(sealed.subarray(NONCE_BYTES, tagAt), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }
}
