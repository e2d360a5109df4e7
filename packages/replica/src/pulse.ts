/** The heartbeat of one link: whether the peer is heard, how long a round trip takes, and how far its clock is off. */
import { SojournError } from '@sojourn/core/internal'
import type { Heartbeat } from '@sojourn/wire'
import type { ShownClock, TrustedClock } from './trusted-clock.js'

export interface PulseOptions {
  readonly region: string
  readonly clock: TrustedClock
  readonly heartbeatMs: number
  readonly linkTimeoutMs: number
  readonly maxClockSkewMs: number
  /** How long ago the peer can have begun to speak at most: what it says first may have waited here, where this side stood still. */
  readonly greetedMs: number
}

export class Pulse {
  readonly #options: PulseOptions
  readonly #openedAt: number
  readonly #greetedAt: number
  #heardAt: number
  #beatAt: number
  /** The peer's last heartbeat, which the next one of ours answers. */
  #last: { readonly sentAt: number; readonly at: number } | undefined
  /** When the last of our heartbeats that the peer has answered was sent. */
  #echoedAt = Number.NEGATIVE_INFINITY
  #rttMs: number | undefined
  #skewMs = 0

  constructor(options: PulseOptions) {
    this.#options = options
    this.#openedAt = this.#heardAt = this.#beatAt = options.clock.monotonic()
    this.#greetedAt = this.#openedAt - options.greetedMs
  }

  /** Round trip, milliseconds; undefined before the first. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  /** How far the peer's clock is ahead of ours, milliseconds. */
  get skewMs(): number {
    return this.#skewMs
  }

  /** How long the link has stood. */
  get ageMs(): number {
    return this.#options.clock.monotonic() - this.#openedAt
  }

  /** A frame came, whichever. */
  heard(): void {
    this.#heardAt = this.#options.clock.monotonic()
  }

  /** Called at each beat. Whether the peer was silent for too long. */
  isSilent(): boolean {
    const { clock, heartbeatMs, linkTimeoutMs } = this.#options
    const now = clock.monotonic()
    // Where this side slept, or its thread was busy, the silence was its own: what came meanwhile is heard only now.
    const wasLate = now - this.#beatAt > heartbeatMs + linkTimeoutMs / 2
    this.#beatAt = now
    return now - this.#heardAt > linkTimeoutMs && !wasLate
  }

  /** Our part of a heartbeat. */
  beat(): Pick<Heartbeat, 'sentAt' | 'echo' | 'echoAge' | 'clock' | 'isClockSure'> {
    const { clock } = this.#options
    const now = clock.monotonic()
    return {
      sentAt: Math.round(now * 1_000),
      echo: this.#last?.sentAt ?? 0,
      echoAge: this.#last ? Math.round((now - this.#last.at) * 1_000) : 0,
      ...clock.shown(),
    }
  }

  /** @throws LINK_SKEW */
  received({ sentAt, echo, echoAge, ...shown }: Heartbeat): void {
    const now = this.#options.clock.monotonic()
    // It was written after what it answers had come there.
    const ageMs = echo > 0 ? Math.max(0, now - (echo + echoAge) / 1_000) : now - this.#greetedAt
    if (echo > 0) this.#rttMs = ageMs
    // Where a peer makes it up, it harms itself: it keeps a link that is its own.
    this.#echoedAt = Math.max(this.#echoedAt, echo / 1_000)
    this.#last = { sentAt, at: now }
    this.checkSkew(shown, ageMs)
  }

  /** Whether the peer has received something that was sent after `time`, on the monotonic clock, and said so. */
  answeredSince(time: number): boolean {
    return this.#echoedAt >= time
  }

  /**
   * @param theirs what the peer's wall clock showed
   * @param ageMs how long ago that can have been at most
   * @throws LINK_SKEW where it is off for sure
   */
  checkSkew(theirs: ShownClock, ageMs: number): void {
    const { region, clock, maxClockSkewMs } = this.#options
    clock.heard(region, theirs, ageMs)
    const aheadMs = theirs.clock - clock.wall()
    this.#skewMs = aheadMs + ageMs / 2
    if (aheadMs > maxClockSkewMs || aheadMs + ageMs < -maxClockSkewMs)
      throw new SojournError(
        'LINK_SKEW',
        `the clock of ${region} is off by ${Math.round(this.#skewMs)} ms. The limit maxClockSkew is ${maxClockSkewMs} ms`,
      )
  }
}
