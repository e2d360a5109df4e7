/** All keys of an index in their order, in parts of one first byte each. */
import type { SessionKey } from '@sojourn/core/internal'
import type { Columns } from './columns.js'
import { KEY_WORDS, keyOfWords } from './key-table.js'

/** The keys that there are at the first step. @param unused slots from here on were never used @param slice a first byte; undefined: all */
export const keysInOrder = function* (
  { flags, words: all }: Columns,
  unused: number,
  slice: number | undefined,
): Iterable<readonly SessionKey[]> {
  const [from, to] = slice === undefined ? [0, 256] : [slice, slice + 1]
  const ends = new Uint32Array(257)
  for (let slot = 0; slot < unused; slot++) if (flags[slot] !== 0) ends[(all[slot * KEY_WORDS]! >>> 24) + 1]!++
  for (let byte = 1; byte <= 256; byte++) ends[byte]! += ends[byte - 1]!
  const base = ends[from]!
  // The words, not the slots: a slot can be another session's by the time that it is come to.
  const words = new Uint32Array((ends[to]! - base) * KEY_WORDS)
  const fill = ends.slice()
  for (let slot = 0; slot < unused; slot++) {
    const at = slot * KEY_WORDS
    const byte = all[at]! >>> 24
    if (flags[slot] === 0 || byte < from || byte >= to) continue
    words.set(all.subarray(at, at + KEY_WORDS), (fill[byte]!++ - base) * KEY_WORDS)
  }
  for (let byte = from; byte < to; byte++) {
    const keys: SessionKey[] = []
    for (let place = ends[byte]! - base; place < ends[byte + 1]! - base; place++)
      keys.push(keyOfWords(words, place * KEY_WORDS))
    if (keys.length > 0) yield keys.sort()
  }
}
