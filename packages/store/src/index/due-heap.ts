/** What is due when: slots in a binary heap by time, each once, and each can be moved. */

/** Not in the heap. */
const NOWHERE = -1

export class DueHeap {
  #heap = new Int32Array(0)
  /** Of each slot, where in the heap it stands. */
  #place = new Int32Array(0)
  /** Of each slot that is in the heap, its time, milliseconds since the epoch. */
  #at = new Float64Array(0)
  #count = 0

  /** Room for so many slots. */
  grow(capacity: number): void {
    const heap = new Int32Array(capacity)
    heap.set(this.#heap)
    const place = new Int32Array(capacity).fill(NOWHERE)
    place.set(this.#place)
    const at = new Float64Array(capacity)
    at.set(this.#at)
    this.#heap = heap
    this.#place = place
    this.#at = at
  }

  get bytes(): number {
    return this.#heap.byteLength + this.#place.byteLength + this.#at.byteLength
  }

  /** The slot with the earliest time; -1 where there is none. */
  get top(): number {
    return this.#count === 0 ? NOWHERE : this.#heap[0]!
  }

  /** The earliest time; infinite where there is none. */
  get earliest(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#at[this.#heap[0]!]!
  }

  /** When a slot is due; infinite where it is not in the heap. */
  timeOf(slot: number): number {
    return this.#place[slot] === NOWHERE ? Number.POSITIVE_INFINITY : this.#at[slot]!
  }

  /** Gives a slot another time, or its first. */
  set(slot: number, at: number): void {
    let place = this.#place[slot]!
    if (place === NOWHERE) {
      place = this.#count++
      this.#at[slot] = at
      this.#stand(slot, place)
      this.#up(place)
      return
    }
    const before = this.#at[slot]!
    this.#at[slot] = at
    if (at < before) this.#up(place)
    else this.#down(place)
  }

  remove(slot: number): void {
    const place = this.#place[slot]!
    if (place === NOWHERE) return
    this.#place[slot] = NOWHERE
    const moved = this.#heap[--this.#count]!
    if (moved === slot) return
    this.#stand(moved, place)
    this.#up(place)
    this.#down(this.#place[moved]!)
  }

  #stand(slot: number, place: number): void {
    this.#heap[place] = slot
    this.#place[slot] = place
  }

  #up(from: number): void {
    const slot = this.#heap[from]!
    const at = this.#at[slot]!
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = this.#heap[parent]!
      if (this.#at[above]! <= at) break
      this.#stand(above, place)
      place = parent
    }
    this.#stand(slot, place)
  }

  #down(from: number): void {
    const slot = this.#heap[from]!
    const at = this.#at[slot]!
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.#count) break
      if (child + 1 < this.#count && this.#at[this.#heap[child + 1]!]! < this.#at[this.#heap[child]!]!) child++
      const below = this.#heap[child]!
      if (this.#at[below]! >= at) break
      this.#stand(below, place)
      place = child
    }
    this.#stand(slot, place)
  }
}
