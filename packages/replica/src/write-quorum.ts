/** Writes that wait for other regions. */
import type { Clock, Tally, Timer } from '@sojourn/core/internal'
import { answer as answered, quorumUnmet, SojournError, startTally, verdict } from '@sojourn/core/internal'
import type { Committed } from '@sojourn/store'

interface Waiting {
  readonly sequence: number
  tally: Tally
  readonly timer: Timer
  /** What the write gives its caller. */
  readonly made: unknown
  /** Whom the write is made for, where that was said. */
  readonly caller: object | undefined
  readonly resolve: () => void
  readonly reject: (error: SojournError) => void
}

/** Writes that wait for other regions to hold them. */
export class WriteQuorum {
  readonly #clock: Clock
  readonly #region: string
  readonly #members: () => number
  readonly #maxPending: number
  readonly #maxPendingBytes: number
  readonly #began: () => void
  /** How far each region holds this replica's feed. */
  readonly #acked = new Map<string, number>()
  /** Not in the order of their sequences: a write that changed nothing waits for what was there. */
  readonly #waiting = new Set<Waiting>()
  #pending = 0
  /** Encoded bytes of what they made, which is handed out with QUORUM_UNMET. */
  #pendingBytes = 0
  /** Callers that are gone: nobody waits for what they asked. */
  readonly #gone = new WeakSet<object>()

  /** @param options.began a write begins to wait for acks */
  constructor(options: {
    clock: Clock
    region: string
    members: () => number
    maxPending: number
    maxPendingBytes: number
    began: () => void
  }) {
    this.#clock = options.clock
    this.#region = options.region
    this.#members = options.members
    this.#maxPending = options.maxPending
    this.#maxPendingBytes = options.maxPendingBytes
    this.#began = options.began
  }

  /** Writes that have not been answered. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Commits, and resolves when `need` regions hold the commit.
   * @throws OVERLOADED before anything is committed; QUORUM_UNMET after `timeoutMs`; what the commit throws
   */
  async run<T>(
    commit: () => Committed | Promise<Committed>,
    answer: (made: Committed) => T,
    need: number,
    timeoutMs: number,
    caller?: object,
  ): Promise<T> {
    if (this.#pending >= this.#maxPending)
      throw new SojournError(
        'OVERLOADED',
        `${this.#maxPending} writes wait for other regions (limits.maxPendingQuorums)`,
        {
          limit: this.#maxPending,
        },
      )
    if (this.#pendingBytes >= this.#maxPendingBytes)
      throw new SojournError(
        'OVERLOADED',
        `${this.#maxPendingBytes} bytes of sessions wait for other regions (limits.maxPendingQuorumBytes)`,
        { limit: this.#maxPendingBytes },
      )
    // From here on, links ask for prompt acks.
    this.#pending++
    let held = 0
    try {
      // At once where it can be: whoever comes next in this turn must find it counted.
      const making = commit()
      const made = making instanceof Promise ? await making : making
      held = made.bytes
      this.#pendingBytes += held
      const value = answer(made)
      await made.done
      await this.#wait(made.sequence, need, timeoutMs, value, caller)
      return value
    } finally {
      this.#pending--
      this.#pendingBytes -= held
    }
  }

  #wait(sequence: number, need: number, timeoutMs: number, made: unknown, caller: object | undefined): Promise<void> {
    let tally = startTally(need, this.#members(), this.#region)
    for (const [region, through] of this.#acked) if (through >= sequence) tally = answered(tally, region)
    if (verdict(tally) === 'met') return Promise.resolve()
    if (caller !== undefined && this.#gone.has(caller)) return Promise.reject(quorumUnmet(tally, true, made))
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => this.#settle(waiting, quorumUnmet(waiting.tally, true, made)))
      timer.hold()
      const waiting: Waiting = { sequence, tally, timer, made, caller, resolve, reject }
      this.#waiting.add(waiting)
      this.#began()
    })
  }

  /** Whether a write waits for a commit after `after`, up to `through`. */
  awaits(after: number, through: number): boolean {
    for (const { sequence } of this.#waiting) if (sequence > after && sequence <= through) return true
    return false
  }

  /** How far a region is known to hold this replica's feed, also while it is away. */
  ackedBy(region: string): number {
    return this.#acked.get(region) ?? 0
  }

  /** A region is no member any more: what it holds counts for nothing. */
  forget(region: string): void {
    this.#acked.delete(region)
  }

  /** A region holds this replica's feed through a sequence. */
  acked(region: string, through: number): void {
    if (through <= (this.#acked.get(region) ?? 0)) return
    this.#acked.set(region, through)
    for (const waiting of this.#waiting) {
      if (waiting.sequence > through) continue
      waiting.tally = answered(waiting.tally, region)
      if (verdict(waiting.tally) === 'met') this.#settle(waiting)
    }
  }

  #settle(waiting: Waiting, error?: SojournError): void {
    this.#waiting.delete(waiting)
    waiting.timer.cancel()
    if (error) waiting.reject(error)
    else waiting.resolve()
  }

  /** A caller is gone for good: what it waits for is answered now, as if its time were over. */
  abandon(caller: object): void {
    this.#gone.add(caller)
    for (const waiting of [...this.#waiting])
      if (waiting.caller === caller) this.#settle(waiting, quorumUnmet(waiting.tally, true, waiting.made))
  }

  /** Nothing will be acknowledged any more. */
  close(): void {
    for (const waiting of [...this.#waiting]) this.#settle(waiting, quorumUnmet(waiting.tally, true, waiting.made))
  }
}
