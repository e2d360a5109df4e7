/** What happened, for people, and a hash of it. */
import { createHash, type Hash } from 'node:crypto'

/** Lines kept for a transcript; of a longer run the first half and the last lines are. */
const MAX_LINES = 20_000

/** What happened, for people, and a hash of it for whoever wants to know whether two runs were one. */
export class Trace {
  readonly #hash: Hash = createHash('sha256')
  readonly #now: () => number
  readonly lines: string[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  /** Something that a transcript reports. */
  report(who: string, what: string): void {
    const line = `${seconds(this.#now())} ${who.padEnd(6)} ${what}`
    this.#hash.update(line)
    if (this.lines.length < MAX_LINES) this.lines.push(line)
  }

  /** Something that only the hash hears. */
  note(what: string, bytes?: Uint8Array): void {
    this.#hash.update(`${this.#now()} ${what}`)
    if (bytes) this.#hash.update(bytes)
  }

  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }
}

export const seconds = (ms: number): string => (ms / 1_000).toFixed(3).padStart(9)
