/** Records that cannot be read here, and are asked for until a peer supplies them. */
import type { Clock, SessionKey } from '@sojourn/core/internal'
import type { Want } from '@sojourn/wire'

/** Keys that are asked for together. Where more is corrupt, comparing digests brings the rest. */
const HEALED_AT_A_TIME = 1_024

/** A link, as far as it is asked. */
interface Asked {
  readonly hasRoom: boolean
  send(message: Want): void
}

export interface HealingOptions {
  readonly clock: Clock
  readonly links: () => Iterable<Asked>
  /** A record is found to be corrupt. Called once for each, until it is healed. */
  readonly found: (key: SessionKey) => void
}

export class Healing {
  readonly #options: HealingOptions
  /** Corrupt keys that no peer has supplied yet: each peer is asked once for each of its links, not for every read. */
  readonly #corrupt = new Set<SessionKey>()
  /** Those that were found in this turn, and are asked for together. */
  #found: SessionKey[] = []
  #closed = false

  constructor(options: HealingOptions) {
    this.#options = options
  }

  /** A record cannot be read: says so once, and asks every peer for a good copy. */
  corrupt(key: SessionKey): void {
    if (this.#corrupt.has(key) || this.#closed) return
    const { clock, links, found } = this.#options
    this.#corrupt.add(key)
    found(key)
    if (this.#found.push(key) > 1) return
    clock.soon(() => {
      ask(links(), this.#found)
      this.#found = []
    })
  }

  /** A link stands: what is still missing is asked for there. */
  askAll(link: Asked): void {
    ask([link], this.#corrupt)
  }

  /** A record was committed, or removed. Returns whether it had been corrupt. */
  healed(key: SessionKey): boolean {
    return this.#corrupt.delete(key)
  }

  close(): void {
    this.#closed = true
  }
}

const ask = (links: Iterable<Asked>, keys: Iterable<SessionKey>): void => {
  const some = [...keys].slice(0, HEALED_AT_A_TIME)
  if (some.length > 0) for (const link of links) if (link.hasRoom) link.send({ type: 'want', keys: some })
}
