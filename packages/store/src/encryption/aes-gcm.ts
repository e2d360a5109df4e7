/** AES-256-GCM (NIST SP 800-38D): bytes sealed with a nonce, and opened only where nothing about them has changed. */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

/** A key, bytes. */
export const KEY_BYTES = 32
/** 96 bits, as GCM wants it. */
export const NONCE_BYTES = 12
/** The whole tag. A shorter one is never taken. */
const TAG_BYTES = 16

const ALGORITHM = 'aes-256-gcm'
/** What is opened must say so; what is sealed has the whole tag in any case, and giving the option costs a tenth of the time. */
const WHOLE_TAG = { authTagLength: TAG_BYTES }

/** What sealing adds to the bytes. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * Seals bytes behind `before`, which stands in clear: nonce, ciphertext, tag.
 * @param nonce never the same twice under one key
 * @param place what the bytes belong to: they open for the same place alone
 */
export const sealBytes = (
  key: KeyObject,
  nonce: Uint8Array,
  place: Uint8Array,
  body: Uint8Array,
  before?: Uint8Array,
): Buffer => {
  const cipher = createCipheriv(ALGORITHM, key, nonce)
  cipher.setAAD(place)
  const start = before?.length ?? 0
  const out = Buffer.allocUnsafe(start + SEAL_BYTES + body.length)
  if (before) out.set(before)
  out.set(nonce, start)
  out.set(cipher.update(body), start + NONCE_BYTES)
  cipher.final()
  out.set(cipher.getAuthTag(), out.length - TAG_BYTES)
  return out
}

/** Undefined where these are not the bytes that were sealed, or another key, or another place. */
export const openBytes = (key: KeyObject, place: Uint8Array, sealed: Uint8Array): Buffer | undefined => {
  if (sealed.length < SEAL_BYTES) return undefined
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), WHOLE_TAG)
  decipher.setAAD(place)
  decipher.setAuthTag(sealed.subarray(end))
  const body = decipher.update(sealed.subarray(NONCE_BYTES, end))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return body
}
