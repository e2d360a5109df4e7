/** A bounded map that forgets what was used longest ago, by count and by the sizes that its values state. */
export class Cache<V extends { readonly size: number }> {
  readonly #maxEntries: number
  readonly #maxBytes: number
  /** In the order of use: a Map iterates in the order of insertion. */
  readonly #entries = new Map<string, V>()
  #bytes = 0

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined && this.#entries.size * 2 > this.#maxEntries) {
      // Order matters only when something may have to go soon.
      this.#entries.delete(key)
      this.#entries.set(key, value)
    }
    return value
  }

  set(key: string, value: V): void {
    this.delete(key)
    this.#entries.set(key, value)
    this.#bytes += value.size
    for (const [oldest, { size }] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return
      this.#entries.delete(oldest)
      this.#bytes -= size
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key)
    if (value === undefined) return
    this.#entries.delete(key)
    this.#bytes -= value.size
  }
}
