/** A journal whose entries are sealed whole, each for its number: moved, repeated or altered they do not open. */
import type { Journal, JournalEntry } from '@sojourn/core/internal'
import type { DataKeys } from './data-keys.js'

/** What a place begins with: the seal of an entry opens no row. */
const ENTRY = 0x6a

/** Of the number the lower 6 bytes are ever used: as many as a segment has for it. */
const place = Buffer.alloc(9)
place[0] = ENTRY

/** The same memory each time: it is read before this is called again. */
const placeOf = (number: number): Uint8Array => {
  place.writeUIntBE(number, 3, 6)
  return place
}

export class SealedJournal implements Journal {
  readonly #journal: Journal
  readonly #keys: DataKeys
  /** The append under way, where the engine has yet to take it. */
  #appending: Promise<void> | undefined
  #appended: number
  #dropped = 0

  constructor(journal: Journal, keys: DataKeys) {
    this.#journal = journal
    this.#keys = keys
    this.#appended = journal.head
  }

  /** The last entry that was there, or was appended here: another owner's do not count. */
  get appended(): number {
    return this.#appended
  }

  /** Through here nobody needs the entries any more. */
  get dropped(): number {
    return this.#dropped
  }

  get head(): number {
    return this.#journal.head
  }

  get bytes(): number {
    return this.#journal.bytes
  }

  append(after: number, bytes: Uint8Array): Promise<void> | undefined {
    // Refused there: an entry that is not appended need not be sealed.
    if (after !== this.#journal.head) return this.#journal.append(after, bytes)
    const unready = this.#keys.ready(1)
    const appending = unready ? this.#late(unready, after, bytes) : this.#append(after, bytes)
    this.#appending = appending
    return appending
  }

  /** Resolves when the append that is under way now is through. */
  async idle(): Promise<void> {
    await this.#appending?.catch(() => {})
  }

  #append(after: number, bytes: Uint8Array): Promise<void> | undefined {
    const number = after + 1
    const appending = this.#journal.append(after, this.#keys.seal(placeOf(number), bytes))
    if (appending) return this.#taken(appending, number)
    this.#appended = number
    return undefined
  }

  async #taken(appending: Promise<void>, number: number): Promise<void> {
    await appending
    this.#appended = number
  }

  async #late(unready: Promise<void>, after: number, bytes: Uint8Array): Promise<void> {
    for (let more: Promise<void> | undefined = unready; more; more = this.#keys.ready(1)) await more
    await this.#append(after, bytes)
  }

  sync(): Promise<void> {
    return this.#journal.sync()
  }

  async *read(after: number): AsyncIterable<readonly JournalEntry[]> {
    for await (const entries of this.#journal.read(after))
      yield entries.map(({ number, bytes }) => ({ number, bytes: bytes && this.#keys.open(placeOf(number), bytes) }))
  }

  drop(through: number): Promise<void> {
    // Whether or not the engine can remove them: nobody needs them, and they are not asked to be dropped again.
    this.#dropped = Math.max(this.#dropped, through)
    return this.#journal.drop(through)
  }
}
