/** Random numbers that are the same in every run (mulberry32, by Tommy Ettinger). */
export interface Seeded {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number
  bytes(count: number): Uint8Array
}

export const seeded = (seed: number): Seeded => {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { below, bytes: (count) => Uint8Array.from({ length: count }, () => below(256)) }
}
