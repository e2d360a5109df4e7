/** Sessions that a client keeps for as long as its server says nothing else. */
import type { SessionKey } from '@sojourn/core/internal'
import type { SessionSnapshot } from './session-snapshot.js'

interface Entry {
  readonly snapshot: SessionSnapshot
  readonly expiresAt: number
  /** Whether the read named no level: it was local because the server's default is. */
  readonly byDefault: boolean
}

export interface CacheStatus {
  readonly entries: number
  readonly bytes: number
  readonly hits: number
  readonly misses: number
}

/** Sessions as one connection's server sent them, for as long as it reports no change. Forgets what was used longest ago. */
export class NearCache {
  readonly #maxEntries: number
  readonly #maxBytes: number
  /** In the order of use: a Map iterates in the order of insertion. */
  readonly #entries = new Map<SessionKey, Entry>()
  #bytes = 0
  #hits = 0
  #misses = 0

  constructor({ maxEntries, maxBytes }: { readonly maxEntries: number; readonly maxBytes: number }) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get status(): CacheStatus {
    return { entries: this.#entries.size, bytes: this.#bytes, hits: this.#hits, misses: this.#misses }
  }

  /**
   * @param byDefault whether the read names no level
   * @param now no earlier than the server's clock is by now
   */
  get(key: SessionKey, byDefault: boolean, now: number): SessionSnapshot | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || (byDefault && !entry.byDefault) || now >= entry.expiresAt) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.snapshot
  }

  set(key: SessionKey, snapshot: SessionSnapshot, byDefault: boolean): void {
    this.delete(key)
    this.#entries.set(key, { snapshot, expiresAt: snapshot.expiresAt, byDefault })
    this.#bytes += snapshot.bytes.length
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return
      this.delete(oldest)
    }
  }

  delete(key: SessionKey): void {
    this.#bytes -= this.#entries.get(key)?.snapshot.bytes.length ?? 0
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}
