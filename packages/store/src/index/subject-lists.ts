/** Which sessions are of one subject: a chained hash table in flat arrays, of ten bytes a session, once there is a subject. */
import type { SubjectHash } from '@sojourn/core/internal'

/** Slots for each chain: the chains are short, and the sessions of a subject are together. */
const SLOTS_A_CHAIN = 2

/** A word of a subject's hash, by which it is found. Who asks reads the records, and sees the rest there. */
const wordOf = (subject: SubjectHash): number => Number.parseInt(subject.slice(0, 8), 16) || 1

export class SubjectLists {
  /** 0: the slot's session has no subject. */
  #words = new Uint32Array(0)
  /** Slot + 1 of the first session of a chain; 0: there is none. */
  #heads = new Int32Array(0)
  /** Slot + 1 of the next one in the chain; 0: there is none. */
  #next = new Int32Array(0)
  #capacity = 0
  #isUsed = false

  get bytes(): number {
    return this.#words.byteLength + this.#heads.byteLength + this.#next.byteLength
  }

  /** There may be so many slots. What nobody uses takes no memory. */
  grow(capacity: number): void {
    this.#capacity = capacity
    if (this.#isUsed) this.#rebuild()
  }

  #rebuild(): void {
    const words = this.#words
    this.#words = new Uint32Array(this.#capacity)
    this.#words.set(words)
    this.#heads = new Int32Array(Math.ceil(this.#capacity / SLOTS_A_CHAIN))
    this.#next = new Int32Array(this.#capacity)
    for (const [slot, word] of words.entries()) if (word !== 0) this.#chain(slot, word)
  }

  #chain(slot: number, word: number): void {
    const chain = word % this.#heads.length
    this.#next[slot] = this.#heads[chain]!
    this.#heads[chain] = slot + 1
  }

  #unchain(slot: number, word: number): void {
    const chain = word % this.#heads.length
    const after = this.#next[slot]!
    if (this.#heads[chain] === slot + 1) {
      this.#heads[chain] = after
      return
    }
    let before = this.#heads[chain]! - 1
    while (this.#next[before] !== slot + 1) before = this.#next[before]! - 1
    this.#next[before] = after
  }

  /** @param subject undefined: the slot's session has none */
  set(slot: number, subject: SubjectHash | undefined): void {
    this.setWord(slot, subject === undefined ? 0 : wordOf(subject))
  }

  setWord(slot: number, word: number): void {
    if (!this.#isUsed) {
      if (word === 0) return
      this.#isUsed = true
      this.#rebuild()
    }
    const before = this.#words[slot]!
    if (before === word) return
    if (before !== 0) this.#unchain(slot, before)
    this.#words[slot] = word
    if (word !== 0) this.#chain(slot, word)
  }

  /** For a copy of the index. */
  wordAt(slot: number): number {
    return this.#isUsed ? this.#words[slot]! : 0
  }

  /** The slots of a subject, in no order; now and then one of another subject. */
  slotsOf(subject: SubjectHash): number[] {
    const slots: number[] = []
    if (!this.#isUsed) return slots
    const word = wordOf(subject)
    for (let place = this.#heads[word % this.#heads.length]!; place !== 0; place = this.#next[place - 1]!)
      if (this.#words[place - 1] === word) slots.push(place - 1)
    return slots
  }
}
