/** What a session of this replica shows, of the entry that the store holds. */
import type { LiveRecord, SessionKey, SessionSource, ShownIdentity } from '@sojourn/core/internal'
import { expiresAt, opensUntil, resolveId, writtenToken } from '@sojourn/core/internal'
import type { Entry, RecordStore } from '@sojourn/store'
import type { Logins } from './logins.js'

export class HeldSession implements SessionSource {
  readonly id: string
  readonly handle: SessionKey
  readonly #entry: Entry
  readonly #from: { readonly store: RecordStore; readonly logins: Logins }

  /** @param entry of a live record */
  constructor(
    id: string,
    handle: SessionKey,
    entry: Entry,
    from: { readonly store: RecordStore; readonly logins: Logins },
  ) {
    this.id = id
    this.handle = handle
    this.#entry = entry
    this.#from = from
  }

  get #record(): LiveRecord {
    return this.#entry.record as LiveRecord
  }

  get createdAt(): number {
    return this.#record.limit.createdAt
  }

  get expiresAt(): number {
    return expiresAt(this.#record)
  }

  get lastUsedAt(): number {
    return this.#record.lease.stamp.time
  }

  get isNamed(): boolean {
    return this.#record.identity?.authentication !== undefined
  }

  data(): unknown {
    return this.#from.store.viewOf(this.#entry)!.data
  }

  identity(): ShownIdentity {
    return this.#from.logins.shown(this.#record.identity!.authentication!)
  }

  written(): string {
    return writtenToken({ feed: this.#from.store.actor, sequence: this.#entry.sequence })
  }

  opensUntil(): number | undefined {
    return opensUntil(this.#record.identity?.credentials, () => resolveId(this.id).secret)
  }
}
