/** What a peer is sent of who holds what: at once where somebody waits for it, else saved up for a moment. */
import type { Clock, FeedId, Timer } from '@sojourn/core/internal'
import type { Acks } from '@sojourn/wire'
import type { Peer } from './peer.js'
import type { ReplicationProgress } from './replication-progress.js'

/** How long acknowledgements that nobody waits for may be saved up. Milliseconds. */
const LAZY_MS = 20

export interface AcknowledgementsOptions {
  readonly peer: Peer
  readonly progress: ReplicationProgress
  /** The feeds that this replica receives over links. */
  readonly linked: () => readonly FeedId[]
  readonly clock: Clock
  /** Of holdings that are remembered as reported. */
  readonly maxHoldings: number
  readonly send: (acks: Acks) => void
}

export class Acknowledgements {
  readonly #options: AcknowledgementsOptions
  /** What was reported: `holder feed` → through. */
  readonly #reported = new Map<string, number>()
  #timer: Timer | undefined

  constructor(options: AcknowledgementsOptions) {
    this.#options = options
  }

  /** There is something to report. @param prompt whether somebody waits for it */
  owe(prompt: boolean): void {
    if (prompt) this.#report()
    else this.#timer ??= this.#options.clock.after(LAZY_MS, () => this.#report())
  }

  #report(): void {
    this.close()
    const { peer, progress, linked, maxHoldings, send } = this.#options
    const holdings = []
    for (const holding of progress.holdingsFor(peer.feed, peer.linked, linked())) {
      const name = `${holding.holder} ${holding.feed}`
      if ((this.#reported.get(name) ?? 0) >= holding.through) continue
      this.#reported.set(name, holding.through)
      holdings.push(holding)
    }
    if (this.#reported.size > maxHoldings) this.#reported.clear()
    if (holdings.length > 0) send({ type: 'acks', holdings })
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
