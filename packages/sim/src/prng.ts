/** The seeded generator from which every draw of a world comes. */
import { createHash } from 'node:crypto'
import type { Random } from '@sojourn/core/internal'

/**
 * A seeded generator: every draw of a simulated world comes from one of these. xoshiro128** (Blackman and Vigna), seeded by
 * SHA-256 of a label. Useless for secrets, which is why sessions of a simulated world have none to keep.
 */
export class Prng implements Random {
  readonly #label: string
  readonly #state: Uint32Array

  constructor(label: string) {
    this.#label = label
    const digest = createHash('sha256').update(label).digest()
    this.#state = new Uint32Array([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)))
  }

  /** A generator of its own, which no other draw moves. */
  fork(label: string): Prng {
    return new Prng(`${this.#label}/${label}`)
  }

  #next(): number {
    const s = this.#state
    const product = Math.imul(s[1]!, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const t = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= t
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return result
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** An integer, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** Most draws are near the mean, a few far above it. */
  exponential(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.fraction() * list.length)]!
  }

  /** One of the names, as often as its weight says. */
  weighted<K extends string>(weights: { readonly [name in K]?: number }): K {
    const entries = Object.entries(weights) as [K, number][]
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries.at(-1)![0]
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[out[i], out[j]] = [out[j]!, out[i]!]
    }
    return out
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.#next() & 0xff)
  }
}
