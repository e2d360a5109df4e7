import type { SessionKey, SessionRecord, Storage } from '@sojourn/core'
import { allRecords, keyOfRecordRow, kindOfRecordRow, recordKey } from './keyspace.js'

/** How many records a store holds, of which kind. A record counts if it has a row, whatever the row holds. */
export class Census {
  readonly #storage: Storage
  readonly #cachedKind: (key: SessionKey) => SessionRecord['kind'] | undefined
  #live = 0
  #ended = 0
  /** Live records whose deadline was noticed: counted out of the sessions, but not yet purged. */
  readonly #expired = new Set<SessionKey>()
  /** How often the rows were counted anew. */
  #turns = 0

  constructor(storage: Storage, cachedKind: (key: SessionKey) => SessionRecord['kind'] | undefined) {
    this.#storage = storage
    this.#cachedKind = cachedKind
  }

  get counts() {
    return { sessions: this.#live - this.#expired.size, expired: this.#expired.size, tombstones: this.#ended }
  }

  /**
   * Counts the rows; commits that come meanwhile add to that, since the scan sees the rows as they are when it begins. A later
   * count takes the place of one under way.
   * @param unwritten records that are newer than the disk; undefined for one that is removed
   * @param expired the keys of live records that were noticed to have expired
   */
  async take(
    unwritten: Iterable<readonly [SessionKey, SessionRecord['kind'] | undefined]>,
    expired: () => AsyncIterable<SessionKey>,
  ): Promise<void> {
    const turn = ++this.#turns
    this.#live = this.#ended = 0
    this.#expired.clear()
    for (const [key, kind] of unwritten) {
      this.removedUnread(key)
      if (kind) this.added(key, kind)
    }
    for await (const rows of this.#storage.scan(allRecords)) {
      if (turn !== this.#turns) return
      for (const [key, value] of rows) {
        if (this.#kindOf(keyOfRecordRow(key), key, value) === 'ended') this.#ended++
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
    if (row) this.#change(key, this.#kindOf(key, rowKey, row), -1)
  }

  /** A rotten record counts as what it is in memory, and else as a live session, which it was most likely. */
  #kindOf(key: SessionKey, rowKey: Uint8Array, row: Uint8Array): SessionRecord['kind'] {
    return kindOfRecordRow(rowKey, row) ?? this.#cachedKind(key) ?? 'live'
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
