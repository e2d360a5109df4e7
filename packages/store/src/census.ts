import type { SessionKey, SessionRecord, Storage } from '@sojourn/core'
import { allRecords, keyOfRecordRow, kindOfRecordRow, recordKey } from './keyspace.js'

interface Count {
  live: number
  ended: number
  /** Live records whose deadline was noticed: counted out of the sessions, but not yet purged. */
  readonly expired: Set<SessionKey>
}

const newCount = (): Count => ({ live: 0, ended: 0, expired: new Set() })

const change = (count: Count, key: SessionKey, kind: SessionRecord['kind'], by: 1 | -1): void => {
  if (kind === 'ended') count.ended += by
  else count.live += by
  count.expired.delete(key)
}

/** How many records a store holds, of which kind. A record counts if it has a row, whatever the row holds. */
export class Census {
  readonly #storage: Storage
  readonly #cachedKind: (key: SessionKey) => SessionRecord['kind'] | undefined
  #counted: Count = newCount()
  /** A count under way: until it is through, the last one is told, and changes go to both. */
  #fresh: Count | undefined
  /** How often the rows were counted anew. */
  #turns = 0

  constructor(storage: Storage, cachedKind: (key: SessionKey) => SessionRecord['kind'] | undefined) {
    this.#storage = storage
    this.#cachedKind = cachedKind
  }

  get counts() {
    const { live, ended, expired } = this.#counted
    return { sessions: live - expired.size, expired: expired.size, tombstones: ended }
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
    const fresh = newCount()
    for (const [key, kind] of unwritten) {
      const onDisk = this.#kindOnDisk(key)
      if (onDisk) change(fresh, key, onDisk, -1)
      if (kind) change(fresh, key, kind, 1)
    }
    this.#fresh = fresh
    for await (const rows of this.#storage.scan(allRecords)) {
      if (turn !== this.#turns) return
      for (const [key, value] of rows) {
        if (this.#kindOf(keyOfRecordRow(key), key, value) === 'ended') fresh.ended++
        else fresh.live++
      }
    }
    for await (const key of expired()) {
      if (turn !== this.#turns) return
      fresh.expired.add(key)
    }
    if (turn !== this.#turns) return
    this.#counted = fresh
    this.#fresh = undefined
  }

  added(key: SessionKey, kind: SessionRecord['kind']): void {
    this.#change(key, kind, 1)
  }

  removed(key: SessionKey, kind: SessionRecord['kind']): void {
    this.#change(key, kind, -1)
  }

  /** A row that does not pass, if there is one, is about to be replaced or removed. */
  removedUnread(key: SessionKey): void {
    const kind = this.#kindOnDisk(key)
    if (kind) this.#change(key, kind, -1)
  }

  #kindOnDisk(key: SessionKey): SessionRecord['kind'] | undefined {
    const rowKey = recordKey(key)
    const row = this.#storage.get(rowKey)
    return row && this.#kindOf(key, rowKey, row)
  }

  /** A rotten record counts as what it is in memory, and else as a live session, which it was most likely. */
  #kindOf(key: SessionKey, rowKey: Uint8Array, row: Uint8Array): SessionRecord['kind'] {
    return kindOfRecordRow(rowKey, row) ?? this.#cachedKind(key) ?? 'live'
  }

  #change(key: SessionKey, kind: SessionRecord['kind'], by: 1 | -1): void {
    change(this.#counted, key, kind, by)
    if (this.#fresh) change(this.#fresh, key, kind, by)
  }

  /** A live session's deadline passed; it is no session any more, until a renewal comes or it is purged. Whether that is news. */
  expired(key: SessionKey): boolean {
    const isNews = !this.#counted.expired.has(key)
    this.#counted.expired.add(key)
    this.#fresh?.expired.add(key)
    return isNews
  }
}
