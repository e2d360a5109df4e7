import type { ClientLimits } from './limits.js'

/** Where the answer to a write goes: the connection that asked last. */
export interface Asker {
  answer(encoded: Uint8Array): void
}

/** A write of a client: its answer, or who waits for it. */
interface Outcome {
  answer: Uint8Array | undefined
  asker: Asker
}

/**
 * What one client was answered to its writes, so that one that comes again, because its connection ended before the answer came, is
 * not done again. Numbers rise with each request, so those up to `seen` have been here, and above are new.
 */
export class ClientMemory {
  /** The highest number that came. */
  seen = 0
  readonly #limits: ClientLimits
  /** In the order of their numbers. */
  readonly #outcomes = new Map<number, Outcome>()
  #bytes = 0

  constructor(limits: ClientLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#outcomes.size
  }

  begin(number: number, asker: Asker): void {
    this.#outcomes.set(number, { answer: undefined, asker })
    if (this.#outcomes.size > this.#limits.maxRemembered) this.#dropOldest()
  }

  /** The write is done: tells who asked last. */
  end(number: number, asker: Asker, answer: Uint8Array): void {
    const outcome = this.#outcomes.get(number)
    // The client has given it up, or it is too long ago: the answer goes to whom it was owed.
    if (outcome === undefined) {
      asker.answer(answer)
      return
    }
    outcome.answer = answer
    this.#bytes += answer.length
    outcome.asker.answer(answer)
    while (this.#bytes > this.#limits.maxRememberedBytes && this.#outcomes.size > 0) this.#dropOldest()
  }

  /** A write that has been here comes again. Whether it is known; if so, it is or will be answered. */
  again(number: number, asker: Asker): boolean {
    const outcome = this.#outcomes.get(number)
    if (outcome === undefined) return false
    outcome.asker = asker
    if (outcome.answer) asker.answer(outcome.answer)
    return true
  }

  /** Every request below has been answered, and the client knows. */
  settle(below: number): void {
    for (const number of this.#outcomes.keys()) {
      if (number >= below) return
      this.#drop(number)
    }
  }

  #dropOldest(): void {
    const [oldest] = this.#outcomes.keys()
    if (oldest !== undefined) this.#drop(oldest)
  }

  #drop(number: number): void {
    const outcome = this.#outcomes.get(number)
    if (outcome === undefined) return
    this.#bytes -= outcome.answer?.length ?? 0
    // A table that the Map has outgrown still holds the outcome, for as long as it is not collected itself.
    outcome.answer = undefined
    this.#outcomes.delete(number)
  }
}

/** The memories of all clients: for as long as they are connected, and a while after. */
export class Memories {
  readonly #limits: ClientLimits
  readonly #memories = new Map<string, { memory: ClientMemory; users: number }>()
  /** Since when nobody is connected, in that order. */
  readonly #away = new Map<string, number>()

  constructor(limits: ClientLimits) {
    this.#limits = limits
  }

  /** Answers that are remembered, of all clients. */
  get size(): number {
    let size = 0
    for (const { memory } of this.#memories.values()) size += memory.size
    return size
  }

  /** @param name of whom: a client, and by which token it was let in */
  enter(name: string): { readonly memory: ClientMemory; readonly isKnown: boolean } {
    const known = this.#memories.get(name)
    this.#away.delete(name)
    if (known) {
      known.users++
      return { memory: known.memory, isKnown: true }
    }
    const memory = new ClientMemory(this.#limits)
    this.#memories.set(name, { memory, users: 1 })
    return { memory, isKnown: false }
  }

  leave(name: string, now: number): void {
    const known = this.#memories.get(name)
    if (known === undefined || --known.users > 0) return
    this.#away.set(name, now)
    if (this.#away.size > this.#limits.maxAwayClients) {
      const [longest] = this.#away.keys()
      this.#forget(longest!)
    }
  }

  /** Forgets who has been away for too long. */
  sweep(now: number): void {
    for (const [name, since] of this.#away) {
      if (now - since < this.#limits.maxAwayMs) return
      this.#forget(name)
    }
  }

  #forget(name: string): void {
    this.#away.delete(name)
    this.#memories.delete(name)
  }
}
