/** A part of memory with a bound, within another one with a bound of its own: a connection's, within its token's, within that of all. */

/** Bytes, mostly; of what has no size that matters, how many. */
export class Budget {
  /** The limit of `clients.limits` that bounds it, for messages. */
  readonly limit: string
  readonly max: number
  readonly #within: Budget | undefined
  /** Ends whoever holds this one, to make room. */
  readonly #giveWay: ((over: Budget) => void) | undefined
  readonly #parts = new Set<Budget>()
  #used = 0
  /** What still comes back later was given back with all the rest. */
  #isClosed = false

  constructor(limit: string, max: number, within?: Budget, giveWay?: (over: Budget) => void) {
    this.limit = limit
    this.max = max
    this.#within = within
    this.#giveWay = giveWay
    if (within) within.#parts.add(this)
  }

  get used(): number {
    return this.#used
  }

  /** Takes so much, if this one and those around it have it left. Returns the first that has not; then nothing is taken. */
  take(amount: number): Budget | undefined {
    for (let each: Budget | undefined = this; each; each = each.#within) if (each.#used + amount > each.max) return each
    this.#add(amount)
    return undefined
  }

  give(amount: number): void {
    this.#add(-amount)
  }

  /** Notes what is there already. Where that exceeds a bound around this one, whoever holds most gives way. */
  set(amount: number): void {
    if (amount === this.#used) return
    this.#add(amount - this.#used)
    for (let each = this.#within; each; each = each.#within)
      while (each.#used > each.max) {
        const largest = each.#largest()
        if (largest.#giveWay === undefined || largest.#used === 0) break
        largest.#giveWay(each)
        largest.set(0)
      }
  }

  #largest(): Budget {
    let found: Budget = this
    let most = -1
    for (const part of this.#parts) {
      const each = part.#largest()
      if (each.#used <= most) continue
      most = each.#used
      found = each
    }
    return found
  }

  #add(amount: number): void {
    if (this.#isClosed) return
    for (let each: Budget | undefined = this; each; each = each.#within) each.#used += amount
  }

  /** Gives all of it back. */
  close(): void {
    this.#add(-this.#used)
    this.#isClosed = true
    if (this.#within) this.#within.#parts.delete(this)
  }
}
