/** Whether requests should come to this server. */
import type { Clock, ErrorCode } from '@sojourn/core/internal'
import type { ReplicaStatus } from '@sojourn/replica'

export interface ReadinessOptions {
  readonly clock: Clock
  readonly replica: () => Pick<ReplicaStatus, 'links' | 'clock' | 'takenAt'>
  /** A peer that is not linked this long after the start is taken for down. */
  readonly peerWaitMs: number
  /** The store came from a backup: what ended since, every peer must have reported. */
  readonly awaitsAll: boolean
  readonly isRemoved: () => boolean
}

/** Of links with these errors both sides are there, and one is wrong: the one that has them with everybody. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'LINK_VERSION',
  'LINK_SECRET',
  'LINK_REGION',
  'LINK_SKEW',
  'LINK_TLS',
  'LINK_CERTIFICATE',
  'FRAME_INVALID',
  'FRAME_UNEXPECTED',
  'FRAME_TOO_LARGE',
  'RECORD_INVALID',
  'CHANGE_INVALID',
])

/**
 * Whether requests should come here. A replica is ready once it holds what the peers that it could reach when it started had; from then on
 * no peer that is away makes it unready: all regions see a long cut heal at one time, and all would go. What is wrong with the replica itself
 * does: its clock, its name that another process has, or that none of several peers gets on with it.
 * @example
 * const readiness = new Readiness({ replica, clock })
 * if (!readiness.isCaughtUp) answer(503)
 */
export class Readiness {
  readonly #options: ReadinessOptions
  readonly #startedAt: number
  /** Peers of which it has had, since it started, all that they had when they were first heard. */
  readonly #met = new Set<string>()
  /** How far the feed of a peer went when that was first heard. */
  readonly #goals = new Map<string, number>()
  #caughtUp = false
  /** Whether another process runs as this region, and has the links. */
  #isTaken = false
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
    if (this.#stopping) return ['the server is stopping']
    if (this.#options.isRemoved()) return ['this region was removed from the others']
    return [...this.#faults(), ...(this.isCaughtUp ? [] : this.#missing())]
  }

  /** Whether clients are let in for the first time. */
  get mayOpen(): boolean {
    return this.isCaughtUp && this.#takenBy().length === 0
  }

  /** What is wrong with this replica, whoever is linked. */
  #faults(): string[] {
    const { clock } = this.#options.replica()
    const taken = this.#takenBy()
    const refusals = this.#refusals()
    const off = `${clock.offBy < 0 ? 'behind' : 'ahead'} by ${Math.abs(clock.offBy / 1_000).toFixed(0)} s`
    return [
      ...(taken.length === 0 ? [] : [`another process runs as this region, and is linked with ${taken.join(', ')}`]),
      ...(clock.isTrusted ? [] : [`its clock is ${off}: it jumped, or most regions disagree with it`]),
      ...(refusals.length < 2 ? [] : [`all links fail: ${refusals.join(', ')}`]),
    ]
  }

  /**
   * Peers that are linked with another process of this region's name, where this is the one that has to go: no peer is linked with it. Once
   * it is that, it stays so until all let it in, so that of two processes which each have some peers not both go.
   */
  #takenBy(): readonly string[] {
    const { links, takenAt } = this.#options.replica()
    const isLinked = Object.entries(links).some(([region, { state }]) => state !== 'down' && !takenAt.includes(region))
    this.#isTaken = takenAt.length > 0 && (this.#isTaken || !isLinked)
    return this.#isTaken ? takenAt : []
  }

  /** Why there is no link, where that holds for every peer, and none of them is just away. */
  #refusals(): readonly string[] {
    const links = Object.entries(this.#options.replica().links)
    const refusals = links.flatMap(([region, { state, lastError }]) =>
      state === 'down' && lastError && REFUSALS.has(lastError.code) ? [`${region}: ${lastError.code}`] : [],
    )
    return refusals.length === links.length ? refusals : []
  }

  stop(): void {
    this.#stopping = true
  }

  #missing(): string[] {
    const { clock, replica, peerWaitMs, awaitsAll } = this.#options
    const waits = awaitsAll || clock.monotonic() - this.#startedAt < peerWaitMs
    return Object.entries(replica().links).flatMap(([region, { state, toReceive, held }]) => {
      const name = JSON.stringify(region)
      const missing = state === 'down' ? undefined : this.#toGoal(region, toReceive, held)
      if (missing === 0) this.#met.add(region)
      if (this.#met.has(region)) return []
      if (state !== 'down') return `catching up with ${name}${missing ? `, ${missing} commits to come` : ''}`
      if (!waits) return []
      return awaitsAll
        ? `restored from a backup, and ${name} has not reported what ended since`
        : `no link to ${name} yet`
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
