/** Which sessions are of one subject: a chained hash table in flat arrays, of 20 bytes a session, once there is a subject. */
import type { SubjectHash } from '@sojourn/core/internal'

/** Bytes of a subject's hash by which it is found: two words. Who asks reads the records, and sees the rest there. */
export const SUBJECT_WORDS = 2

const wordsOf = (subject: SubjectHash): readonly [number, number] => [
  Number.parseInt(subject.slice(0, 8), 16),
  Number.parseInt(subject.slice(8, 16), 16),
]

export class SubjectLists {
  /** Two for each slot; both 0: it has no subject. */
  #words = new Uint32Array(0)
  /** Slot + 1 of the first session of a chain; 0: there is none. */
  #heads = new Int32Array(0)
  /** Slot + 1 of the next one in the chain, and of the one before; 0: there is none. */
  #next = new Int32Array(0)
  #previous = new Int32Array(0)
  #capacity = 0
  #isUsed = false

  get bytes(): number {
    return this.#words.byteLength + this.#heads.byteLength + this.#next.byteLength + this.#previous.byteLength
  }

  /** There may be so many slots. What nobody uses takes no memory. */
  grow(capacity: number): void {
    this.#capacity = capacity
    if (this.#isUsed) this.#rebuild()
  }

  #rebuild(): void {
    const words = this.#words
    this.#words = new Uint32Array(this.#capacity * SUBJECT_WORDS)
    this.#words.set(words)
    this.#heads = new Int32Array(this.#capacity)
    this.#next = new Int32Array(this.#capacity)
    this.#previous = new Int32Array(this.#capacity)
    for (let slot = 0; slot * SUBJECT_WORDS < words.length; slot++) if (this.#has(slot)) this.#chain(slot)
  }

  #has(slot: number): boolean {
    return (this.#words[2 * slot]! | this.#words[2 * slot + 1]!) !== 0
  }

  #bucketOf(word: number): number {
    return word % this.#heads.length
  }

  #chain(slot: number): void {
    const bucket = this.#bucketOf(this.#words[2 * slot]!)
    const first = this.#heads[bucket]!
    this.#next[slot] = first
    this.#previous[slot] = 0
    if (first !== 0) this.#previous[first - 1] = slot + 1
    this.#heads[bucket] = slot + 1
  }

  #unchain(slot: number): void {
    const [next, previous] = [this.#next[slot]!, this.#previous[slot]!]
    if (next !== 0) this.#previous[next - 1] = previous
    if (previous !== 0) this.#next[previous - 1] = next
    else this.#heads[this.#bucketOf(this.#words[2 * slot]!)] = next
  }

  /** @param subject undefined: the slot's session has none */
  set(slot: number, subject: SubjectHash | undefined): void {
    if (subject === undefined) this.setWords(slot, 0, 0)
    else this.setWords(slot, ...wordsOf(subject))
  }

  setWords(slot: number, first: number, second: number): void {
    if (!this.#isUsed) {
      if ((first | second) === 0) return
      this.#isUsed = true
      this.#rebuild()
    }
    if (this.#words[2 * slot] === first && this.#words[2 * slot + 1] === second) return
    if (this.#has(slot)) this.#unchain(slot)
    this.#words[2 * slot] = first
    this.#words[2 * slot + 1] = second
    if (this.#has(slot)) this.#chain(slot)
  }

  /** For a copy of the index: zeros where there is no subject. */
  wordsAt(slot: number): readonly [number, number] {
    return this.#isUsed ? [this.#words[2 * slot]!, this.#words[2 * slot + 1]!] : [0, 0]
  }

  /** The slots of a subject, in no order; now and then one of another subject. */
  slotsOf(subject: SubjectHash): number[] {
    const slots: number[] = []
    if (!this.#isUsed) return slots
    const [first, second] = wordsOf(subject)
    for (let place = this.#heads[this.#bucketOf(first)]!; place !== 0; place = this.#next[place - 1]!)
      if (this.#words[2 * (place - 1)] === first && this.#words[2 * (place - 1) + 1] === second) slots.push(place - 1)
    return slots
  }
}
