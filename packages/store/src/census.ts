import type { SessionKey, SessionRecord, Storage } from '@sojourn/core'
import { allRecords, kindOfRecordRow, recordKey } from './keyspace.js'

/** How many records a store holds, of which kind. A record counts if it has a row, whatever the row holds. */
export class Census {
  readonly #storage: Storage
  #live = 0
  #ended = 0
  /** Live records whose deadline was noticed: counted out of the sessions, but not yet purged. */
  readonly #expired = new Set<SessionKey>()
  /** How often the rows were counted anew. */
  #turns = 0

  constructor(storage: Storage) {
    this.#storage = storage
  }

  get counts() {
    return { sessions: this.#live - this.#expired.size, expired: this.#expired.size, tombstones: this.#ended }
  }

  /**
   * Counts the rows; commits that come meanwhile add to that, since the scan sees the rows as they are when it begins. A later
   * count takes the place of one under way.
   * @param expired the keys of live records that were noticed to have expired
   */
  async take(expired: () => AsyncIterable<SessionKey>): Promise<void> {
    const turn = ++this.#turns
    this.#live = this.#ended = 0
    this.#expired.clear()
    for await (const rows of this.#storage.scan(allRecords)) {
      if (turn !== this.#turns) return
      for (const [key, value] of rows) {
        if (kindOfRecordRow(key, value) === 'ended') this.#ended++
        else this.#live++
      }
    }
    for await (const key of expired()) {
      if (turn !== this.#turns) return
      this.#expired.add(key)
    }
  }

  added(key: SessionKey, kind: SessionRecord['kind']): void {
    this.#change(key, kind, 1)
  }

  removed(key: SessionKey, kind: SessionRecord['kind']): void {
    this.#change(key, kind, -1)
  }

  /** A row that does not pass, if there is one, is about to be replaced or removed. */
  removedUnread(key: SessionKey): void {
    const rowKey = recordKey(key)
    const row = this.#storage.get(rowKey)
    if (row) this.#change(key, kindOfRecordRow(rowKey, row), -1)
  }

  #change(key: SessionKey, kind: SessionRecord['kind'], by: 1 | -1): void {
    if (kind === 'ended') this.#ended += by
    else this.#live += by
    this.#expired.delete(key)
  }

  /** A live session's deadline passed; it is no session any more, until a renewal comes or it is purged. Whether that is news. */
  expired(key: SessionKey): boolean {
    const isNews = !this.#expired.has(key)
    this.#expired.add(key)
    return isNews
  }
}
