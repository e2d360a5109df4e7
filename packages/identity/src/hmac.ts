/** Codes that prove a text was written by who holds the keys: HMAC-SHA-256, under the first key of a list, checked by all of them. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** What is secret: text of high entropy, such as `openssl rand -base64 32` prints, or bytes. */
export type SecretKey = string | Uint8Array

/** The first one signs; each of them verifies. */
export type SecretKeys = readonly SecretKey[]

export const MIN_KEY_LENGTH = 32
export const MAX_KEYS = 16
export const MAC_BYTES = 32

/** Parts hold no zero byte, so that no two lists of them make one text. */
const macOf = (key: SecretKey, parts: readonly string[]): Buffer =>
  createHmac('sha256', key).update(parts.join('\0')).digest()

/** @param parts what it is for, and then what it covers */
export const sign = (keys: SecretKeys, ...parts: readonly string[]): Buffer => macOf(keys[0]!, parts)

/** In a time that depends on how many keys there are, and neither on which of them fits nor on the bytes. */
export const verifies = (keys: SecretKeys, mac: Uint8Array, ...parts: readonly string[]): boolean => {
  let fits = false
  for (const key of keys) if (mac.length === MAC_BYTES && timingSafeEqual(macOf(key, parts), mac)) fits = true
  return fits
}
