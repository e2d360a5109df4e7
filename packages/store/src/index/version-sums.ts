/** Sums of version hashes over ranges of keys, kept as records change: two stores with equal sums hold the same records. */

/** Ranges of keys whose sums are kept: by the first ten bits of the key. */
export const RANGE_BITS = 10
const RANGES = 2 ** RANGE_BITS

/** The sum of version hashes, in two halves of 32 bits, each modulo 2^32. */
export interface VersionSum {
  readonly high: number
  readonly low: number
}

export class VersionSums {
  readonly #high = new Uint32Array(RANGES)
  readonly #low = new Uint32Array(RANGES)
  #totalHigh = 0
  #totalLow = 0

  /** Adds a version hash to the range of a key, whose first word is given. */
  add(word: number, high: number, low: number): void {
    const range = word >>> (32 - RANGE_BITS)
    this.#high[range]! += high
    this.#low[range]! += low
    this.#totalHigh = (this.#totalHigh + high) >>> 0
    this.#totalLow = (this.#totalLow + low) >>> 0
  }

  subtract(word: number, high: number, low: number): void {
    this.add(word, -high >>> 0, -low >>> 0)
  }

  /** Over all keys. */
  get total(): VersionSum {
    return { high: this.#totalHigh, low: this.#totalLow }
  }

  /** The low halves of all ranges: enough to find where two stores differ. */
  get ranges(): Uint32Array {
    return this.#low
  }
}
