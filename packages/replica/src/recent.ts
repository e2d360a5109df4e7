import type { Limits, SessionKey } from '@sojourn/core'
import type { Origin } from '@sojourn/store'

/** A commit as links in step send it. */
export interface RecentCommit {
  readonly sequence: number
  readonly key: SessionKey
  /** The encoded item. */
  readonly item: Uint8Array
  readonly origin: Origin | undefined
  /** On the monotonic clock, milliseconds. */
  readonly committedAt: number
}

/** The last commits of the feed, as deltas. A link that has fallen behind it reads the feed from the disk. */
export class RecentCommits {
  readonly #limits: Pick<Limits, 'maxRecentCommits' | 'maxRecentBytes'>
  /** In the order of the feed. The first `#start` are dead: they go when they are half of the array. */
  #commits: RecentCommit[] = []
  #start = 0
  #bytes = 0
  /** Commits behind this sequence are all here. */
  #floor: number

  constructor(limits: Pick<Limits, 'maxRecentCommits' | 'maxRecentBytes'>, head: number) {
    this.#limits = limits
    this.#floor = head
  }

  get bytes(): number {
    return this.#bytes
  }

  push(commit: RecentCommit): void {
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

  /** Whether all commits behind a sequence are here. */
  covers(after: number): boolean {
    return after >= this.#floor
  }

  /** The commits behind a sequence, in order. */
  *after(sequence: number): Iterable<RecentCommit> {
    for (let index = this.#indexAfter(sequence); index < this.#commits.length; index++) yield this.#commits[index]!
  }

  /** When the first commit behind a sequence was made, as far as it is known. */
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
