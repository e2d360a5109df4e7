/** The budgets of all clients: what is kept for them, by kind, within what their tokens and all of them may have. */
import type { Limits } from '@sojourn/core/internal'
import type { ClientsStatus } from '@sojourn/wire'
import { Budget } from './budget.js'
import { type ClientLimits, WEIGHTS } from './limits.js'

/** What is kept for clients. `quorums` are counted, all others are bytes. */
export type Kept = keyof ClientsStatus['kept']

type Of<T> = { readonly [kind in Kept]: T }

/** Of a connection: its own bounds, where it has any. */
const OWN: { readonly [kind in Kept]: (limits: ClientLimits) => readonly [name: string, max: number] } = {
  // A frame, and a turn of the event loop of them: the socket is paused above that.
  frames: () => ['maxFrameBytes', Number.POSITIVE_INFINITY],
  requests: ({ maxInFlightBytes }) => ['maxInFlightBytes', maxInFlightBytes],
  quorums: ({ maxQuorums }) => ['maxQuorums', maxQuorums],
  answers: () => ['maxBufferedBytes', Number.POSITIVE_INFINITY],
  replies: ({ maxRememberedBytes }) => ['maxRememberedBytes', maxRememberedBytes],
  watches: () => ['maxWatched', Number.POSITIVE_INFINITY],
  scans: ({ maxScans }) => ['maxScans', maxScans * WEIGHTS.scan],
}

const inAll = (limits: ClientLimits, { maxPendingQuorums }: Limits): Of<Budget> => ({
  frames: new Budget('maxFrameBytesInAll', limits.maxFrameBytesInAll),
  requests: new Budget('maxInFlightBytesInAll', limits.maxInFlightBytesInAll),
  quorums: new Budget('limits.maxPendingQuorums', maxPendingQuorums),
  answers: new Budget('maxBufferedBytesInAll', limits.maxBufferedBytesInAll),
  replies: new Budget('maxRememberedBytesInAll', limits.maxRememberedBytesInAll),
  watches: new Budget('maxWatchedBytesInAll', limits.maxWatchedBytesInAll),
  scans: new Budget('maxScansInAll', limits.maxScansInAll * WEIGHTS.scan),
})

export const KINDS = Object.keys(OWN) as readonly Kept[]

const each = <T>(make: (kind: Kept) => T): Of<T> => Object.fromEntries(KINDS.map((kind) => [kind, make(kind)])) as Of<T>

export class Budgets {
  readonly #limits: ClientLimits
  readonly #all: Of<Budget>
  /** By the names of tokens, which operators choose: as many as there were since the start. */
  readonly #tokens = new Map<string, Of<Budget>>()
  /** How often something did not fit. */
  readonly #exceeded = each(() => 0) as { [kind in Kept]: number }

  constructor(limits: ClientLimits, ofReplica: Limits) {
    this.#limits = limits
    this.#all = inAll(limits, ofReplica)
  }

  /** How much is kept. */
  get used(): Of<number> {
    return each((kind) => this.#all[kind].used)
  }

  get exceeded(): Of<number> {
    return { ...this.#exceeded }
  }

  /** Notes that something did not fit. */
  exceeds(kind: Kept): void {
    this.#exceeded[kind]++
  }

  ofToken(name: string): Of<Budget> {
    const known = this.#tokens.get(name)
    if (known) return known
    const { maxTokenPercent } = this.#limits
    const made = each((kind) => {
      const all = this.#all[kind]
      return new Budget(
        `${all.limit}, of which a token has ${maxTokenPercent} %`,
        (all.max * maxTokenPercent) / 100,
        all,
      )
    })
    this.#tokens.set(name, made)
    return made
  }

  /**
   * For one connection, or one client.
   * @param token undefined: it is not known yet
   * @param giveWay ends it, where there is no room for what it has
   */
  open(kind: Kept, token: string | undefined, giveWay?: (over: Budget) => void): Budget {
    const [name, max] = OWN[kind](this.#limits)
    const around = token === undefined ? this.#all[kind] : this.ofToken(token)[kind]
    return new Budget(name, max, around, giveWay)
  }
}
