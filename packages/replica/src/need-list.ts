/** What a sender left out because its peer gets it elsewhere, and by what the peer knows that it has it. */
import type { FeedId } from '@sojourn/core/internal'
import type { Origin } from '@sojourn/store'
import type { Need } from '@sojourn/wire'

/**
 * As far as it matters: within a run of left-out entries one need for each feed is enough, with the first place of the run and the last
 * sequence needed.
 */
export class NeedList {
  readonly #needs: Need[] = []
  #run = new Map<FeedId, { at: number; through: number }>()

  add(at: number, origin: Origin): void {
    const need = this.#run.get(origin.feed)
    if (need) need.through = Math.max(need.through, origin.sequence)
    else this.#run.set(origin.feed, { at, through: origin.sequence })
  }

  /** An entry is sent: the run ends. */
  seal(): void {
    if (this.#run.size === 0) return
    const needs = [...this.#run].map(([feed, need]) => ({ feed, ...need }))
    this.#needs.push(...needs.sort((a, b) => a.at - b.at))
    this.#run = new Map()
  }

  take(): Need[] {
    this.seal()
    return this.#needs.splice(0)
  }
}
