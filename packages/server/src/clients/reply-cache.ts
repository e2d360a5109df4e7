/** The answers to writes, kept for when a write comes again because its connection ended before the answer came. */
import type { Budget } from './budget.js'
import type { Budgets } from './budgets.js'
import { type ClientLimits, WEIGHTS } from './limits.js'

/** Where the answer to a write goes: the connection that asked last. */
export interface Asker {
  answer(encoded: Uint8Array): void
}

/** A write of a client: its answer, or who waits for it. */
interface Outcome {
  readonly number: number
  readonly memory: ClientMemory
  answer: Uint8Array | undefined
  asker: Asker
  /** In the order in which the clients of a token were answered. */
  before: Outcome | undefined
  after: Outcome | undefined
}

/** What the clients of one token were answered, oldest first. A list, since a Map that is filled and emptied without end keeps garbage. */
class Answered {
  readonly budget: Budget
  #oldest: Outcome | undefined
  #newest: Outcome | undefined

  constructor(budget: Budget) {
    this.budget = budget
  }

  get oldest(): Outcome | undefined {
    return this.#oldest
  }

  add(outcome: Outcome): void {
    outcome.before = this.#newest
    if (this.#newest) this.#newest.after = outcome
    else this.#oldest = outcome
    this.#newest = outcome
  }

  remove(outcome: Outcome): void {
    const { before, after } = outcome
    if (before) before.after = after
    else if (this.#oldest === outcome) this.#oldest = after
    if (after) after.before = before
    else if (this.#newest === outcome) this.#newest = before
    outcome.before = undefined
    outcome.after = undefined
  }
}

/**
 * What one client was answered to its writes, so that one that comes again is not done again. Numbers rise with each request, so those up
 * to `seen` have been here, and above are new.
 */
export class ClientMemory {
  /** The highest number that came. */
  seen = 0
  readonly #limits: ClientLimits
  readonly #budget: Budget
  readonly #answered: Answered
  readonly #makeRoom: (full: Budget) => boolean
  /** In the order of their numbers. */
  readonly #outcomes = new Map<number, Outcome>()
  #isForgotten = false

  /** @param makeRoom forgets what others were answered, where there is no room in a budget around */
  constructor(limits: ClientLimits, budget: Budget, answered: Answered, makeRoom: (full: Budget) => boolean) {
    this.#limits = limits
    this.#budget = budget
    this.#answered = answered
    this.#makeRoom = makeRoom
  }

  get size(): number {
    return this.#outcomes.size
  }

  begin(number: number, asker: Asker): void {
    const outcome = { number, memory: this, answer: undefined, asker, before: undefined, after: undefined }
    this.#outcomes.set(number, outcome)
    if (this.#outcomes.size > this.#limits.maxRemembered) this.#dropOldest()
  }

  /** The write is done: answers who asked last. */
  end(number: number, asker: Asker, answer: Uint8Array): void {
    const outcome = this.#outcomes.get(number)
    // The client has given it up, or it is too long ago: the answer goes to whom it was owed.
    if (outcome === undefined) {
      asker.answer(answer)
      return
    }
    outcome.asker.answer(answer)
    if (this.#isForgotten || !this.#findRoom(weightOf(answer))) {
      this.drop(number)
      return
    }
    // It may have been the oldest itself.
    if (this.#outcomes.get(number) !== outcome) {
      this.#budget.give(weightOf(answer))
      return
    }
    outcome.answer = answer
    this.#answered.add(outcome)
  }

  #findRoom(bytes: number): boolean {
    for (;;) {
      const full = this.#budget.take(bytes)
      if (full === undefined) return true
      const isOwn = full === this.#budget
      // Its own come first, then others: but never for what fits nowhere.
      if (bytes > full.max || (isOwn ? !this.#dropOldest() : !this.#makeRoom(full))) return false
    }
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
      this.drop(number)
    }
  }

  #dropOldest(): boolean {
    const [oldest] = this.#outcomes.keys()
    if (oldest === undefined) return false
    this.drop(oldest)
    return true
  }

  drop(number: number): void {
    const outcome = this.#outcomes.get(number)
    if (outcome === undefined) return
    if (outcome.answer) {
      this.#budget.give(weightOf(outcome.answer))
      this.#answered.remove(outcome)
    }
    // A table that the Map has outgrown still holds the outcome, for as long as it is not collected itself.
    outcome.answer = undefined
    this.#outcomes.delete(number)
  }

  forget(): void {
    this.#isForgotten = true
    for (const number of [...this.#outcomes.keys()]) this.drop(number)
    this.#budget.close()
  }
}

const weightOf = (answer: Uint8Array): number => WEIGHTS.reply + answer.length

export interface ReplyCacheOptions {
  readonly limits: ClientLimits
  readonly budgets: Budgets
  /** A client is gone for good: what it waits for need not be waited for. */
  readonly gone: (memory: ClientMemory) => void
}

/** The replyCache of all clients: for as long as they are connected, and a while after. */
export class ReplyCache {
  readonly #options: ReplyCacheOptions
  readonly #byClient = new Map<string, { memory: ClientMemory; users: number }>()
  /** Since when nobody is connected, in that order. */
  readonly #away = new Map<string, number>()
  /** By the names of tokens. */
  readonly #answered = new Map<string, Answered>()

  constructor(options: ReplyCacheOptions) {
    this.#options = options
  }

  /** Answers that are remembered, of all clients. */
  get size(): number {
    let size = 0
    for (const { memory } of this.#byClient.values()) size += memory.size
    return size
  }

  /** @param name of whom: a client, and by which token it was let in */
  enter(name: string, token: string): { readonly memory: ClientMemory; readonly isKnown: boolean } {
    const known = this.#byClient.get(name)
    this.#away.delete(name)
    if (known) {
      known.users++
      return { memory: known.memory, isKnown: true }
    }
    const { limits, budgets } = this.#options
    const budget = budgets.open('replies', token)
    const memory = new ClientMemory(limits, budget, this.#answeredOf(token), (full) => this.#makeRoom(full))
    this.#byClient.set(name, { memory, users: 1 })
    return { memory, isKnown: false }
  }

  #answeredOf(token: string): Answered {
    const known = this.#answered.get(token)
    if (known) return known
    const made = new Answered(this.#options.budgets.ofToken(token).replies)
    this.#answered.set(token, made)
    return made
  }

  /** Forgets the oldest answer of the token that is full; where all of them are, of the one that has most. */
  #makeRoom(full: Budget): boolean {
    this.#options.budgets.exceeds('replies')
    let most: Answered | undefined
    for (const each of this.#answered.values()) {
      if (each.budget === full) most = each
      if (most?.budget === full) break
      if (most === undefined || each.budget.used > most.budget.used) most = each
    }
    const oldest = most?.oldest
    oldest?.memory.drop(oldest.number)
    return oldest !== undefined
  }

  /** @param isForGood the client has said that it does not come back */
  leave(name: string, now: number, isForGood: boolean): void {
    const known = this.#byClient.get(name)
    if (known === undefined || --known.users > 0) return
    if (isForGood) {
      this.#forget(name)
      return
    }
    this.#away.set(name, now)
    if (this.#away.size > this.#options.limits.maxAwayClients) {
      const [longest] = this.#away.keys()
      this.#forget(longest!)
    }
  }

  /** Forgets who has been away for too long. */
  sweep(now: number): void {
    for (const [name, since] of this.#away) {
      if (now - since < this.#options.limits.maxAwayMs) return
      this.#forget(name)
    }
  }

  #forget(name: string): void {
    const memory = this.#byClient.get(name)?.memory
    this.#away.delete(name)
    this.#byClient.delete(name)
    if (memory === undefined) return
    memory.forget()
    this.#options.gone(memory)
  }
}
