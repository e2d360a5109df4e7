/** What can be kept in {@link ByNumber}. */
export interface Numbered {
  readonly number: number
  /** Another one in the same slot; belongs to the table. */
  next: this | undefined
}

/**
 * A table of things whose numbers rise by one with each that is added. Not a Map: one that is filled and emptied without end leaves its old
 * tables behind, each of which holds what it held and the table after it, so nothing of that is collected while it is young (V8).
 */
export class ByNumber<T extends Numbered> {
  readonly #slots: (T | undefined)[]
  readonly #mask: number
  #size = 0
  /** All that are here have this number at least. */
  #oldest = 1
  #newest = 0

  /** @param slots a power of two; it works best where fewer than that are here at a time */
  constructor(slots: number) {
    this.#slots = new Array<T | undefined>(slots).fill(undefined)
    this.#mask = slots - 1
  }

  get size(): number {
    return this.#size
  }

  /** The lowest number here, or else the next one to come. */
  get oldest(): number {
    if (this.#size === 0) this.#oldest = this.#newest + 1
    else while (this.get(this.#oldest) === undefined) this.#oldest++
    return this.#oldest
  }

  get(number: number): T | undefined {
    let item = this.#slots[number & this.#mask]
    while (item !== undefined && item.number !== number) item = item.next
    return item
  }

  /** @param item its number is the next one, from 1 on */
  add(item: T): void {
    const slot = item.number & this.#mask
    item.next = this.#slots[slot]
    this.#slots[slot] = item
    this.#newest = item.number
    this.#size++
  }

  /** @param item one that is here */
  delete(item: T): void {
    const slot = item.number & this.#mask
    let before = this.#slots[slot]
    if (before === item) this.#slots[slot] = item.next
    else {
      while (before!.next !== item) before = before!.next
      before!.next = item.next
    }
    item.next = undefined
    this.#size--
  }

  /** All that are here now, in the order of their numbers. */
  all(): T[] {
    const items: T[] = []
    for (let item of this.#slots) for (; item !== undefined; item = item.next) items.push(item)
    return items.sort((a, b) => a.number - b.number)
  }
}
