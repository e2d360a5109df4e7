import type { Clock } from '@sojourn/core'
import type { LinkStatus } from '@sojourn/replica'

export interface ReadinessOptions {
  readonly clock: Clock
  readonly links: () => { readonly [region: string]: LinkStatus }
  /** A peer that is not linked this long after the start is taken for down. */
  readonly peerWaitMs: number
  /** The store came from a backup: what ended since, every peer must have told. */
  readonly awaitsAll: boolean
  readonly isRemoved: () => boolean
}

/**
 * Whether requests should come here. A replica is ready once it holds what the peers that it could reach when it started had; from then on
 * no peer makes it unready, whatever becomes of it: all regions see a long cut heal at one time, and all would go.
 */
export class Readiness {
  readonly #options: ReadinessOptions
  readonly #startedAt: number
  /** Peers with which it has been in step since it started. */
  readonly #met = new Set<string>()
  #caughtUp = false
  #stopping = false

  constructor(options: ReadinessOptions) {
    this.#options = options
    this.#startedAt = options.clock.monotonic()
  }

  get isCaughtUp(): boolean {
    this.#caughtUp ||= this.#missing().length === 0
    return this.#caughtUp
  }

  /** Why not; empty: ready. */
  reasons(): string[] {
    if (this.#stopping) return ['it is stopping']
    if (this.#options.isRemoved()) return ['this region was removed from the others']
    return this.isCaughtUp ? [] : this.#missing()
  }

  stop(): void {
    this.#stopping = true
  }

  #missing(): string[] {
    const { clock, links, peerWaitMs, awaitsAll } = this.#options
    const waits = awaitsAll || clock.monotonic() - this.#startedAt < peerWaitMs
    return Object.entries(links()).flatMap(([region, { state, toReceive }]) => {
      if (state !== 'down' && toReceive === 0) this.#met.add(region)
      if (this.#met.has(region)) return []
      if (state !== 'down') return `catching up with ${region}${toReceive ? `, ${toReceive} commits to come` : ''}`
      if (!waits) return []
      return awaitsAll
        ? `restored from a backup, and ${region} has not told what ended since`
        : `no link to ${region} yet`
    })
  }
}
