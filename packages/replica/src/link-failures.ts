/** Why regions are not linked: the last failure of each, and how often each reason was met. */
import type { ErrorCode } from '@sojourn/core/internal'
import type { LinkFailure, LinkReason } from '@sojourn/wire'

/** What became of a connection to a region; `code` says why, where it was refused or lost, or did not come about. */
export interface LinkChange {
  readonly region: string
  /** `unreachable`: it was dialed, and no Sojourn replica answered. It is dialed again, and reported again, until one does. */
  readonly state: 'up' | 'live' | 'lagging' | 'down' | 'refused' | 'unreachable'
  readonly code?: ErrorCode
  /** The code again, or how the connection failed; one of a few words. */
  readonly reason?: LinkReason
  /** For people: what the system says, or a side gave as its reason. */
  readonly why?: string
  /** `lagging`: whether the whole feed is read, because nothing of it is known to be held. */
  readonly whole?: boolean
}

export class LinkFailures {
  readonly #last = new Map<string, LinkFailure>()
  readonly #counts = new Map<string, Partial<Record<LinkReason, number>>>()

  noted(region: string, failure: LinkFailure): void {
    this.#last.set(region, failure)
    const counts = this.#counts.get(region) ?? {}
    counts[failure.reason] = (counts[failure.reason] ?? 0) + 1
    this.#counts.set(region, counts)
  }

  last(region: string): LinkFailure | undefined {
    return this.#last.get(region)
  }

  /** How often connections with a region failed or were lost, by reason, since the replica was opened. */
  counts(region: string): { readonly [reason in LinkReason]?: number } {
    return this.#counts.get(region) ?? {}
  }

  forget(region: string): void {
    this.#last.delete(region)
    this.#counts.delete(region)
  }
}
