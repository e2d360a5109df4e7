/** The last commits of the feed, in memory, as links in step send them: the tail of the journal. */
import type { Limits, SessionKey } from '@sojourn/core/internal'
import type { Origin } from './index/session-index.js'

/** A commit as links in step send it. */
export interface TailCommit {
  readonly sequence: number
  readonly key: SessionKey
  /** The encoded item. */
  readonly item: Uint8Array
  readonly origin: Origin | undefined
  /** On the monotonic clock, milliseconds. */
  readonly committedAt: number
}

type TailLimits = Pick<Limits, 'maxRecentCommits' | 'maxRecentBytes'>

/** A link that lags further than the tail reaches sends records, in the order of the feed. */
export class JournalTail {
  readonly #limits: TailLimits
  /** In the order of the feed. The first `#start` are dead: they go when they are half of the array. */
  #commits: TailCommit[] = []
  #start = 0
  #bytes = 0
  /** Commits after this sequence are all here. */
  #floor: number

  constructor(limits: TailLimits, head: number) {
    this.#limits = limits
    this.#floor = head
  }

  get bytes(): number {
    return this.#bytes
  }

  push(commit: TailCommit): void {
    this.#commits.push(commit)
    this.#bytes += commit.item.length
    while (
      this.#commits.length - this.#start > this.#limits.maxRecentCommits ||
      this.#bytes > this.#limits.maxRecentBytes
    ) {
      const dropped = this.#commits[this.#start++]!
      this.#bytes -= dropped.item.length
      this.#floor = dropped.sequence
    }
    if (this.#start * 2 > this.#commits.length && this.#start > 1_024) {
      this.#commits = this.#commits.slice(this.#start)
      this.#start = 0
    }
  }

  /** Whether all commits after a sequence are here. */
  covers(after: number): boolean {
    return after >= this.#floor
  }

  /** The commits after a sequence, in order. */
  *after(sequence: number): Iterable<TailCommit> {
    for (let index = this.#indexAfter(sequence); index < this.#commits.length; index++) yield this.#commits[index]!
  }

  /** When the first commit after a sequence was made, as far as it is known. */
  firstAfter(sequence: number): number | undefined {
    return this.#commits[this.#indexAfter(sequence)]?.committedAt
  }

  #indexAfter(sequence: number): number {
    let low = this.#start
    let high = this.#commits.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#commits[middle]!.sequence <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
