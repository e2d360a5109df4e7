/** Tokens whose signature was found to be good: whoever sends one again is not made to pay for that again. */
import type { TokenClaims } from './token-claims.js'

/**
 * At most `max` of them, 2 or more: two halves of that, a young and an old one. What is asked for moves to the young one. When that
 * is full, it becomes the old one, and the old one goes. So what was used lately stays, and a hit in the young half writes nothing.
 *
 * Tokens stand here as they are: whoever can read this memory can read those that come in, too.
 */
export class RememberedTokens {
  readonly #half: number
  #young = new Map<string, TokenClaims>()
  #old = new Map<string, TokenClaims>()

  constructor(max: number) {
    this.#half = Math.floor(max / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(token: string): TokenClaims | undefined {
    const young = this.#young.get(token)
    if (young !== undefined) return young
    const old = this.#old.get(token)
    if (old !== undefined) {
      this.#old.delete(token)
      this.add(token, old)
    }
    return old
  }

  add(token: string, claims: TokenClaims): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(token, claims)
  }

  delete(token: string): void {
    this.#young.delete(token)
    this.#old.delete(token)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
