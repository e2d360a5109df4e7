/** Sessions that a client keeps for as long as its server says nothing else. */
import { type SessionKey, sessionKey } from '@sojourn/core/internal'
import type { SessionSnapshot } from './session-snapshot.js'

interface Entry {
  readonly id: string
  readonly key: SessionKey
  readonly snapshot: SessionSnapshot
  /** Whether the read named no level: it was local because the server's default is. */
  readonly byDefault: boolean
  /** Another id of the same session. */
  next: Entry | undefined
}

export interface CacheStatus {
  readonly entries: number
  readonly bytes: number
  readonly hits: number
  readonly misses: number
}

/**
 * Sessions as one connection's server sent them, for as long as it reports no change. Forgets what was used longest ago.
 *
 * By the whole id: what one id of a session was answered is nothing to another one, whose secret may be wrong, or superseded. A change is
 * reported by the key of the session, and takes back what each of its ids was answered.
 */
export class NearCache {
  readonly #maxEntries: number
  readonly #maxBytes: number
  /** By id, in the order of use: a Map iterates in the order of insertion. */
  readonly #entries = new Map<string, Entry>()
  /** The first id of each session. */
  readonly #byKey = new Map<SessionKey, Entry>()
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
  get(id: string, byDefault: boolean, now: number): SessionSnapshot | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined || (byDefault && !entry.byDefault) || now >= entry.snapshot.showsUntil) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry.snapshot
  }

  set(id: string, snapshot: SessionSnapshot, byDefault: boolean): void {
    const known = this.#entries.get(id)
    if (known) this.#remove(known)
    const key = sessionKey(id)
    const entry: Entry = { id, key, snapshot, byDefault, next: this.#byKey.get(key) }
    this.#entries.set(id, entry)
    this.#byKey.set(key, entry)
    this.#bytes += snapshot.bytes.length
    for (const oldest of this.#entries.values()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return
      this.#remove(oldest)
    }
  }

  /** The session of this key has changed. */
  delete(key: SessionKey): void {
    for (let entry = this.#byKey.get(key); entry; entry = entry.next) {
      this.#bytes -= entry.snapshot.bytes.length
      this.#entries.delete(entry.id)
    }
    this.#byKey.delete(key)
  }

  #remove(entry: Entry): void {
    const { id, key, snapshot, next } = entry
    this.#bytes -= snapshot.bytes.length
    this.#entries.delete(id)
    let before = this.#byKey.get(key)
    if (before !== entry) {
      while (before!.next !== entry) before = before!.next
      before!.next = next
    } else if (next) this.#byKey.set(key, next)
    else this.#byKey.delete(key)
  }

  clear(): void {
    this.#entries.clear()
    this.#byKey.clear()
    this.#bytes = 0
  }
}
