/** What the index holds of each session, column by column in flat arrays: at most 80 bytes a session with all that finds it, and 12 more once there are subjects. */
import type { FeedId, SessionKey } from '@sojourn/core/internal'
import { KEY_WORDS, keyOfWords } from './key-table.js'

/** Of whom, and as what, a commit first came to this store, where the record holds nothing that did not come so. */
export interface Origin {
  readonly feed: FeedId
  readonly sequence: number
}

/** Feeds that can be named as origins; of what comes from others the origin is not kept, which costs sending it again. */
const MAX_FEEDS = 0xffff
const FEED_BYTES = 16

/** Bytes of one slot in a copy: key, sequence, version, origin, flags, due, subject. */
export const SLOT_BYTES = 16 + 8 + 8 + 2 + 8 + 1 + 8 + 4
export const SUBJECT_AT = SLOT_BYTES - 4

export class Columns {
  /** Four for each slot. */
  words = new Uint32Array(0)
  sequences = new Float64Array(0)
  /** Two halves for each slot. */
  versions = new Uint32Array(0)
  flags = new Uint8Array(0)
  /** 0: none; else the place in `#feeds`, and one. */
  #originFeeds = new Uint16Array(0)
  #originSequences = new Float64Array(0)
  readonly #feeds: FeedId[] = []
  readonly #places = new Map<FeedId, number>()

  grow(capacity: number): void {
    const grown = <A extends Uint32Array | Float64Array | Uint16Array | Uint8Array>(array: A, into: A): A => {
      into.set(array)
      return into
    }
    this.words = grown(this.words, new Uint32Array(capacity * KEY_WORDS))
    this.sequences = grown(this.sequences, new Float64Array(capacity))
    this.versions = grown(this.versions, new Uint32Array(capacity * 2))
    this.flags = grown(this.flags, new Uint8Array(capacity))
    this.#originFeeds = grown(this.#originFeeds, new Uint16Array(capacity))
    this.#originSequences = grown(this.#originSequences, new Float64Array(capacity))
  }

  get bytes(): number {
    const { words, sequences, versions, flags } = this
    const all = [words, sequences, versions, flags, this.#originFeeds, this.#originSequences]
    return all.reduce((sum, array) => sum + array.byteLength, 0)
  }

  keyAt(slot: number): SessionKey {
    return keyOfWords(this.words, slot * KEY_WORDS)
  }

  originAt(slot: number): Origin | undefined {
    const place = this.#originFeeds[slot]!
    return place === 0 ? undefined : { feed: this.#feeds[place - 1]!, sequence: this.#originSequences[slot]! }
  }

  setOrigin(slot: number, origin: Origin | undefined): void {
    this.#originFeeds[slot] = origin ? this.#placeOf(origin.feed) : 0
    this.#originSequences[slot] = origin?.sequence ?? 0
  }

  #placeOf(feed: FeedId): number {
    const known = this.#places.get(feed)
    if (known !== undefined) return known
    if (this.#feeds.length >= MAX_FEEDS) return 0
    const place = this.#feeds.push(feed)
    this.#places.set(feed, place)
    return place
  }

  /** The table of feeds, for a copy. */
  packFeeds(): Buffer {
    return Buffer.from(this.#feeds.join(''), 'hex')
  }

  unpackFeeds(from: Buffer): void {
    for (let at = 0; at < from.length; at += FEED_BYTES) this.#placeOf(from.toString('hex', at, at + FEED_BYTES))
  }

  /** Writes a slot and its time into a copy, little endian. */
  pack(slot: number, dueAt: number, into: Buffer, start: number): void {
    let at = start
    for (let word = 0; word < KEY_WORDS; word++) at = into.writeUInt32LE(this.words[slot * KEY_WORDS + word]!, at)
    at = into.writeDoubleLE(this.sequences[slot]!, at)
    at = into.writeUInt32LE(this.versions[2 * slot]!, at)
    at = into.writeUInt32LE(this.versions[2 * slot + 1]!, at)
    at = into.writeUInt16LE(this.#originFeeds[slot]!, at)
    at = into.writeDoubleLE(this.#originSequences[slot]!, at)
    at = into.writeUInt8(this.flags[slot]!, at)
    into.writeDoubleLE(dueAt, at)
  }

  /** The flags are returned and not set. */
  unpack(slot: number, from: Buffer, start: number): { readonly flags: number; readonly dueAt: number } {
    for (let word = 0; word < KEY_WORDS; word++)
      this.words[slot * KEY_WORDS + word] = from.readUInt32LE(start + 4 * word)
    this.sequences[slot] = from.readDoubleLE(start + 16)
    this.versions[2 * slot] = from.readUInt32LE(start + 24)
    this.versions[2 * slot + 1] = from.readUInt32LE(start + 28)
    this.#originFeeds[slot] = from.readUInt16LE(start + 32)
    this.#originSequences[slot] = from.readDoubleLE(start + 34)
    return { flags: from[start + 42]!, dueAt: from.readDoubleLE(start + 43) }
  }
}
