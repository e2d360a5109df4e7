/** Finds the slot of a session's key: an open hash table over 16-byte keys in flat arrays. */
import type { SessionKey } from '@sojourn/core/internal'

/** 32-bit words of a key. */
export const KEY_WORDS = 4

/** Above this share of used places, probing gets long. */
const MAX_LOAD = 0.8
const MIN_PLACES = 1_024

const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(digit) ? 0 : digit
})
const BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Writes the words of a key (32 lower-case hex digits) into `out`, from `at` on. */
export const writeKeyWords = (key: SessionKey, out: Uint32Array, at: number): void => {
  for (let word = 0, digit = 0; word < KEY_WORDS; word++) {
    let value = 0
    for (let end = digit + 8; digit < end; digit++) value = (value << 4) | DIGITS[key.charCodeAt(digit)]!
    out[at + word] = value
  }
}

const hexOf = (word: number): string =>
  BYTES[word >>> 24]! + BYTES[(word >>> 16) & 0xff]! + BYTES[(word >>> 8) & 0xff]! + BYTES[word & 0xff]!

/** The key whose words stand in `words` from `at` on. */
export const keyOfWords = (words: Uint32Array, at: number): SessionKey =>
  hexOf(words[at]!) + hexOf(words[at + 1]!) + hexOf(words[at + 2]!) + hexOf(words[at + 3]!)

/** Key → slot. The words of the keys belong to the caller; the table holds slots only. */
export class KeyTable {
  /** Slot + 1; 0 where a place is free. Places of one probe sequence are next to each other (linear probing). */
  #places = new Int32Array(MIN_PLACES)
  #count = 0
  /** Who may choose ids could otherwise choose keys that stand side by side. */
  readonly #seed: number
  /** The words of the key that is looked for. */
  readonly #wanted = new Uint32Array(KEY_WORDS)

  /** @param seed 32 random bits */
  constructor(seed: number) {
    this.#seed = seed
  }

  /** Bytes of the table. */
  get bytes(): number {
    return this.#places.byteLength
  }

  /** The slot of a key; -1 where it has none. */
  find(key: SessionKey, words: Uint32Array): number {
    writeKeyWords(key, this.#wanted, 0)
    const place = this.#placeOf(words)
    return this.#places[place]! - 1
  }

  /** Adds a key that is not there. Its words must stand at its slot. */
  add(slot: number, words: Uint32Array): void {
    if (this.#count + 1 > this.#places.length * MAX_LOAD) this.#grow(words)
    this.#count++
    this.#put(slot, words)
  }

  /** Removes a key that is there. Its words must still stand at its slot. */
  remove(slot: number, words: Uint32Array): void {
    for (let word = 0; word < KEY_WORDS; word++) this.#wanted[word] = words[slot * KEY_WORDS + word]!
    const size = this.#places.length
    let hole = this.#placeOf(words)
    this.#count--
    // What stands after the hole moves up, unless it stands at or after its own first place: no markers of deletion are left.
    for (let place = (hole + 1) % size; this.#places[place] !== 0; place = (place + 1) % size) {
      const home = this.#home(words, this.#places[place]! - 1)
      if ((place - home + size) % size < (place - hole + size) % size) continue
      this.#places[hole] = this.#places[place]!
      hole = place
    }
    this.#places[hole] = 0
  }

  #hash(first: number, second: number): number {
    let hash = Math.imul(first ^ this.#seed, 0x9e3779b1)
    hash = Math.imul(hash ^ (hash >>> 15) ^ second, 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  /** A hash's place, by multiplication: the table need not be a power of two, so it grows by a part. */
  #placeFor(hash: number): number {
    return Math.floor((hash * this.#places.length) / 2 ** 32)
  }

  #home(words: Uint32Array, slot: number): number {
    return this.#placeFor(this.#hash(words[slot * KEY_WORDS]!, words[slot * KEY_WORDS + 1]!))
  }

  /** Where the wanted key stands, or the free place that ends the search. */
  #placeOf(words: Uint32Array): number {
    const [a, b, c, d] = [this.#wanted[0]!, this.#wanted[1]!, this.#wanted[2]!, this.#wanted[3]!]
    const size = this.#places.length
    let place = this.#placeFor(this.#hash(a, b))
    for (;;) {
      const found = this.#places[place]!
      if (found === 0) return place
      const at = (found - 1) * KEY_WORDS
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return place
      if (++place === size) place = 0
    }
  }

  #put(slot: number, words: Uint32Array): void {
    const size = this.#places.length
    let place = this.#home(words, slot)
    while (this.#places[place] !== 0) if (++place === size) place = 0
    this.#places[place] = slot + 1
  }

  #grow(words: Uint32Array): void {
    const before = this.#places
    this.#places = new Int32Array(Math.ceil(before.length * 1.25))
    for (const found of before) if (found !== 0) this.#put(found - 1, words)
  }
}
