/** The clock that a replica goes by: the wall clock, held to what the monotonic one and the peers allow where that jumped or is wrong. */
import type { Clock, Timer } from '@sojourn/core/internal'
import { type ClockDoubt, doubtOf } from './clock-trust.js'

/** Clocks are read one after the other, and a thread can be held up in between: nearer than this is the same. */
const MIN_SKEW_MS = 1_000
/** How long a peer's clock counts after it was heard. */
const PEER_MEMORY_MS = 60_000
/** A jump is taken for right when so long nobody was heard who could say: a machine that slept, with nobody else there. */
const SETTLE_MS = 600_000
/** How long a replica that has peers waits to hear one before it emits expiries, and purges, by a clock that nobody has seen. */
const FIRST_NEWS_MS = 60_000

/** What a region shows others of its clock. */
export interface ShownClock {
  /** The wall clock, milliseconds since the epoch. */
  readonly clock: number
  /** Whether the region trusts it. */
  readonly isClockSure: boolean
}

interface PeerClock {
  readonly offset: number
  readonly isSure: boolean
  readonly at: number
}

export interface TrustedClockOptions {
  readonly clock: Clock
  readonly maxSkewMs: number
  readonly isPeer: (region: string) => boolean
  readonly peerCount: () => number
}

export class TrustedClock implements Clock {
  readonly #options: TrustedClockOptions
  readonly #peers = new Map<string, PeerClock>()
  readonly #openedAt: number
  /** The wall clock minus the monotonic one, when it was last trusted. It follows small changes: those are drift. */
  #trusted: number
  /** Whether peers agreed then. */
  #wasVerified = false
  #doubt: ClockDoubt | undefined
  #doubtedAt = 0
  /** The monotonic time before which nothing is purged. */
  #purgesFrom = Number.NEGATIVE_INFINITY
  #hasHeard = false
  #changed: () => void = () => {}

  constructor(options: TrustedClockOptions) {
    this.#options = { ...options, maxSkewMs: Math.max(options.maxSkewMs, MIN_SKEW_MS) }
    this.#openedAt = options.clock.monotonic()
    this.#trusted = options.clock.now() - this.#openedAt
  }

  /** Called when the clock becomes untrusted, is trusted again, or is known; on a later turn. */
  watch(changed: () => void): void {
    this.#changed = changed
  }

  /** Wall-clock time, or the nearest to it that can be. */
  now(): number {
    const { clock, maxSkewMs } = this.#options
    const wall = clock.now()
    const monotonic = clock.monotonic()
    const offset = wall - monotonic
    if (this.#doubt === undefined && Math.abs(offset - this.#trusted) <= maxSkewMs) {
      this.#trusted = offset
      return wall
    }
    const doubt = this.#judge(offset, monotonic)
    return doubt ? Math.round(monotonic + Math.min(Math.max(offset, doubt.min), doubt.max)) : wall
  }

  /** For peers: what the machine says, not what this region goes by, which follows from what peers sent it. */
  shown(): ShownClock {
    return { clock: this.wall(), isClockSure: this.isTrusted }
  }

  /** What the machine says: for judging peers. */
  wall(): number {
    return this.#options.clock.now()
  }

  monotonic(): number {
    return this.#options.clock.monotonic()
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#options.clock.after(delayMs, callback)
  }

  soon(callback: () => void): void {
    this.#options.clock.soon(callback)
  }

  endOfTurn(callback: () => void): void {
    this.#options.clock.endOfTurn(callback)
  }

  /**
   * A peer said what its clock showed.
   * @param ageMs how long ago that can have been at most: what waited for long, because this process stood still, shows nothing
   */
  heard(region: string, { clock: theirWall, isClockSure: isSure }: ShownClock, ageMs: number): void {
    const { clock, maxSkewMs } = this.#options
    if (ageMs > maxSkewMs) return
    const monotonic = clock.monotonic()
    const own = clock.now() - monotonic
    const earliest = theirWall - monotonic
    // Of what it can show now, what is nearest to ours.
    const offset = Math.min(Math.max(own, earliest), earliest + ageMs)
    this.#peers.set(region, { offset, isSure, at: monotonic })
    this.#judge(own, monotonic)
    if (!this.#hasHeard) this.#notify()
    this.#hasHeard = true
  }

  get isTrusted(): boolean {
    this.now()
    return this.#doubt === undefined
  }

  /** How far the wall clock is ahead of what it may show, milliseconds; negative: it is late. 0 where it is trusted. */
  get offByMs(): number {
    return this.isTrusted ? 0 : Math.round(this.wall() - this.now())
  }

  /** Whether a peer was heard that could have said that the clock is wrong, or there is none, or none is to be heard. */
  get isKnown(): boolean {
    const { clock, peerCount } = this.#options
    return this.#hasHeard || peerCount() === 0 || clock.monotonic() - this.#openedAt >= FIRST_NEWS_MS
  }

  /** Whether what is due by this clock may be removed for good. */
  get mayPurge(): boolean {
    return this.isTrusted && this.isKnown && this.#options.clock.monotonic() >= this.#purgesFrom
  }

  #judge(offset: number, monotonic: number): ClockDoubt | undefined {
    const { maxSkewMs, isPeer, peerCount } = this.#options
    for (const [region, { at }] of this.#peers)
      if (!isPeer(region) || monotonic - at > PEER_MEMORY_MS) this.#peers.delete(region)
    // Who doubts its own clock can say that another one is right, not that it is wrong.
    const speaks = ({ offset: theirs, isSure }: PeerClock) => isSure || Math.abs(theirs - offset) <= maxSkewMs
    const peers = [...this.#peers.values()].filter(speaks).map((peer) => peer.offset)
    const known = { offset, trusted: this.#trusted, wasVerified: this.#wasVerified, peers, maxSkewMs }
    const found = doubtOf(known)
    const isSettled = found !== undefined && this.#isSettled(peers.length, monotonic)
    // A region alone goes by its clock at once, for it harms no other; but what it removes, nobody gives back.
    if (isSettled && peerCount() === 0) this.#purgesFrom = monotonic + SETTLE_MS
    const doubt = isSettled ? undefined : found
    const wasTrusted = this.#doubt === undefined
    if (doubt === undefined) {
      this.#trusted = offset
      this.#wasVerified ||= peers.length > 0
    } else if (wasTrusted) this.#doubtedAt = monotonic
    this.#doubt = doubt
    if (wasTrusted !== (doubt === undefined)) this.#notify()
    return doubt
  }

  /** Whoever asks for the time is in the middle of something. */
  #notify(): void {
    this.#options.clock.soon(() => this.#changed())
  }

  /** Nobody is there, or was heard for long, who could say whether a jump was right. */
  #isSettled(speaking: number, monotonic: number): boolean {
    if (speaking > 0) return false
    if (this.#options.peerCount() === 0) return true
    return this.#doubt !== undefined && monotonic - this.#doubtedAt >= SETTLE_MS
  }
}
