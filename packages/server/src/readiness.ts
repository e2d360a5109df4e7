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
  /** Peers of which it has had, since it started, all that they had when they were first heard. */
  readonly #met = new Set<string>()
  /** How far the feed of a peer went when that was first heard. */
  readonly #goals = new Map<string, number>()
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
    return Object.entries(links()).flatMap(([region, { state, toReceive, held }]) => {
      const name = JSON.stringify(region)
      const missing = state === 'down' ? undefined : this.#toGoal(region, toReceive, held)
      if (missing === 0) this.#met.add(region)
      if (this.#met.has(region)) return []
      if (state !== 'down') return `catching up with ${name}${missing ? `, ${missing} commits to come` : ''}`
      if (!waits) return []
      return awaitsAll ? `restored from a backup, and ${name} has not told what ended since` : `no link to ${name} yet`
    })
  }

  /**
   * Commits that are still to come of those that a peer had when it was first heard; undefined before that. Not of all: under continuous
   * writes there is no moment at which nothing is on its way.
   */
  #toGoal(region: string, toReceive: number | undefined, held = 0): number | undefined {
    if (toReceive === undefined) return undefined
    // Lower than before: the peer has lost its store, and begins anew.
    const goal = Math.min(this.#goals.get(region) ?? Number.POSITIVE_INFINITY, held + toReceive)
    this.#goals.set(region, goal)
    return Math.max(0, goal - held)
  }
}
