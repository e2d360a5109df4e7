/** A bounded map that forgets what was not used for long, by count and by the sizes that its values state. */
export class Cache<V extends { readonly size: number }> {
  readonly #maxEntries: number
  readonly #maxBytes: number
  /**
   * What was used lately. When it is half of what is allowed it becomes the older generation, and what that was is forgotten. (To keep one map in
   * the order of use costs 50 µs an entry where it is full: each look for its oldest one passes all that were deleted.)
   */
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #youngBytes = 0
  #oldBytes = 0

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#young.size + this.#old.size
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key)
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: V): void {
    const young = this.#young.get(key)
    // In its place, where it has room there: a map from which entries are deleted is copied now and then.
    if (young !== undefined && 2 * (this.#youngBytes - young.size + value.size) <= this.#maxBytes)
      this.#youngBytes -= young.size
    else {
      this.delete(key)
      if (2 * (this.#young.size + 1) > this.#maxEntries || 2 * (this.#youngBytes + value.size) > this.#maxBytes)
        this.#age()
    }
    this.#young.set(key, value)
    this.#youngBytes += value.size
    // Where few entries, or hardly one, are allowed, a generation is more than half.
    if (this.#isOver) this.#forgetOld()
    if (this.#isOver) this.delete(key)
  }

  delete(key: string): void {
    const young = this.#young.get(key)
    if (young !== undefined) {
      this.#young.delete(key)
      this.#youngBytes -= young.size
      return
    }
    const old = this.#old.get(key)
    if (old === undefined) return
    this.#old.delete(key)
    this.#oldBytes -= old.size
  }

  get #isOver(): boolean {
    return this.count > this.#maxEntries || this.bytes > this.#maxBytes
  }

  #age(): void {
    this.#old = this.#young
    this.#oldBytes = this.#youngBytes
    this.#young = new Map()
    this.#youngBytes = 0
  }

  #forgetOld(): void {
    this.#old = new Map()
    this.#oldBytes = 0
  }
}
