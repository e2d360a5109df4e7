/** Which one-time tokens came already: a bounded number, each for as long as it could be sent again. */
import { hash } from 'node:crypto'

export class SeenTokens {
  readonly #max: number
  /** When each counts no more, in milliseconds since the epoch. The one that came first stands first. */
  readonly #until = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#until.size
  }

  /** Notes a token; false: it came before. @param until when it is good no more, milliseconds since the epoch */
  add(id: string, until: number, now: number): boolean {
    const key = keyOf(id)
    if ((this.#until.get(key) ?? 0) > now) return false
    this.#until.delete(key)
    this.#makeRoom(now)
    this.#until.set(key, until)
    return true
  }

  delete(id: string): void {
    this.#until.delete(keyOf(id))
  }

  #makeRoom(now: number): void {
    for (const [key, until] of this.#until) {
      if (until > now && this.#until.size < this.#max) return
      this.#until.delete(key)
    }
  }
}

/** Ids are as long as their issuer likes. */
const keyOf = (id: string): string => hash('sha256', id, 'base64url')
