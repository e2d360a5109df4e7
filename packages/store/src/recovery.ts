/** Opens a store: the index from the rows, then the journal, replayed as if a peer had sent it. */
import type { Limits, SessionKey, SessionRecord, Storage } from '@sojourn/core'
import { decodeItem, decodeRecord, encodeRecord, isSojournError, SojournError, takeItem } from '@sojourn/core'
import type { Checkpoint } from './checkpoint.js'
import type { SessionIndex } from './index/session-index.js'
import { readIndexCopy } from './index-copy.js'
import { decodeEntry, type EntryContent, type JournalCommit } from './journal-entry.js'
import {
  decodeRecordRow,
  isRecordRow,
  keyOfRecordRow,
  type RecordRow,
  recordRowKey,
  rowOf,
  STATE_KEY,
} from './record-row.js'
import { decodeState, type Incarnation, type Progress, type StoreState } from './store-state.js'

/** What was found. */
export interface Recovered {
  /** The last incarnation; undefined for a new store. */
  readonly incarnation: Incarnation | undefined
  readonly progress: Progress
  /** The last sequence that was given out, as far as it is known. */
  readonly head: number
  /** Records that cannot be read, and must heal from a peer. */
  readonly corrupt: readonly SessionKey[]
  /** Entries of the journal that are lost or corrupt, though later ones are there. */
  readonly lostEntries: number
  readonly replayed: number
}

export const readState = async (storage: Storage): Promise<StoreState | undefined> => {
  const row = await storage.rows.get(STATE_KEY)
  return row && decodeState(row)
}

/** What the journal holds was checked against the clock when it was committed. */
const TRUSTED_NOW = Number.MAX_SAFE_INTEGER

interface RecoveryOptions {
  readonly storage: Storage
  readonly index: SessionIndex
  readonly checkpoint: Checkpoint
  readonly state: StoreState | undefined
  readonly limits: Limits
  readonly now: number
  /** When a record that nobody can supply is given up, milliseconds since the epoch. */
  readonly corruptDueAt: number
}

/** Fills the index, and the checkpoint with what the rows lack. @throws STORE_FORMAT, STORE_CORRUPT, STORE_FAILED */
export const recover = async (options: RecoveryOptions): Promise<Recovered> => {
  const recovery = new Recovery(options)
  await recovery.index()
  await recovery.replay()
  options.index.sortFeed()
  return recovery.result
}

class Recovery {
  readonly #options: RecoveryOptions
  #incarnation: Incarnation | undefined
  #progress: Progress
  #head: number
  readonly #corrupt = new Set<SessionKey>()
  #lostEntries = 0
  #replayed = 0

  constructor(options: RecoveryOptions) {
    const { state } = options
    this.#options = options
    this.#incarnation = state && { actor: state.actor, lineage: state.lineage }
    this.#progress = { vector: state?.vector ?? [], expiredThrough: state?.expiredThrough ?? 0 }
    this.#head = state?.head ?? 0
  }

  get result(): Recovered {
    return {
      incarnation: this.#incarnation,
      progress: this.#progress,
      head: this.#head,
      corrupt: [...this.#corrupt],
      lostEntries: this.#lostEntries,
      replayed: this.#replayed,
    }
  }

  /** From the copy of the last clean close, if nothing has changed since; else from the records. */
  async index(): Promise<void> {
    const { storage, index, state } = this.#options
    const isFresh = state !== undefined && state.indexRows > 0 && storage.journal.head === state.checkpoint
    if (!isFresh) return this.#scan()
    if (await readIndexCopy(storage.rows, index, state.indexRows)) {
      for (const key of index.corruptKeys()) this.#corrupt.add(key)
      return
    }
    index.clear()
    await this.#scan()
  }

  async #scan(): Promise<void> {
    const { storage } = this.#options
    for await (const rows of storage.rows.scan())
      for (const [rowKey, value] of rows) {
        if (!isRecordRow(rowKey)) continue
        const key = keyOfRecordRow(rowKey)
        const row = decodeRecordRow(rowKey, value)
        if (row) this.#index(key, row)
        else this.#lose(key, 0)
      }
  }

  #index(key: SessionKey, row: RecordRow): void {
    const { index, now } = this.#options
    const { sequence, origin, version, isEnded, expiresAt, dueAt } = row
    this.#head = Math.max(this.#head, sequence)
    const isExpired = !isEnded && expiresAt <= Math.min(now, this.#progress.expiredThrough)
    const isDue = dueAt <= now
    index.put(key, {
      sequence,
      origin,
      version,
      isEnded,
      isExpired,
      isDue,
      dueAt: isEnded || isExpired ? dueAt : expiresAt,
    })
  }

  /** A record that cannot be read stands in the index all the same: so it is asked for, and removed in the end. */
  #lose(key: SessionKey, sequence: number): void {
    const { index, checkpoint, corruptDueAt } = this.#options
    this.#corrupt.add(key)
    index.putCorrupt(key, sequence, corruptDueAt)
    if (checkpoint.has(key)) checkpoint.put(key, undefined)
  }

  async replay(): Promise<void> {
    const { storage, state } = this.#options
    let expected = (state?.checkpoint ?? 0) + 1
    for await (const entries of storage.journal.read(state?.checkpoint ?? 0))
      for (const { number, bytes } of entries) {
        this.#lostEntries += number - expected + (bytes === undefined ? 1 : 0)
        expected = number + 1
        const content = bytes && this.#decoded(bytes)
        if (content) await this.#take(content)
      }
  }

  #decoded(bytes: Uint8Array): EntryContent | undefined {
    try {
      return decodeEntry(bytes)
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      this.#lostEntries++
      return undefined
    }
  }

  async #take({ incarnation, commits, progress }: EntryContent): Promise<void> {
    this.#incarnation = incarnation ?? this.#incarnation
    this.#progress = progress ?? this.#progress
    for (const commit of commits) {
      this.#replayed++
      this.#head = Math.max(this.#head, commit.sequence)
      await this.#apply(commit)
    }
  }

  async #apply(commit: JournalCommit): Promise<void> {
    const { index, checkpoint } = this.#options
    const { key, sequence, item } = commit
    const known = index.sequenceOf(key)
    // The row was written by a checkpoint that did not come to its end: it holds this commit, or was made after this purge.
    if (known !== undefined && (item === undefined ? known > sequence : known >= sequence)) return
    if (item === undefined) {
      index.remove(key)
      checkpoint.put(key, undefined)
      this.#corrupt.delete(key)
      return
    }
    const row = await this.#rowAfter(commit, item)
    if (row === undefined) {
      this.#lose(key, sequence)
      return
    }
    this.#corrupt.delete(key)
    this.#index(key, row)
    checkpoint.put(key, row)
  }

  /** What the item makes of the record; undefined where it builds on what cannot be read. */
  async #rowAfter({ key, sequence, origin }: JournalCommit, bytes: Uint8Array): Promise<RecordRow | undefined> {
    const { limits } = this.#options
    try {
      const current = await this.#read(key)
      const { next, encoded, isMissing } = takeItem(current, decodeItem(bytes), { limits, now: TRUSTED_NOW })
      const record = next ?? current
      if (isMissing || record === undefined) return undefined
      return rowOf(key, record, new Uint8Array(encoded ?? encodeRecord(record)), sequence, origin)
    } catch (error) {
      if (error instanceof SojournError) return undefined
      throw error
    }
  }

  async #read(key: SessionKey): Promise<SessionRecord | undefined> {
    const { storage, checkpoint, limits, index } = this.#options
    if (!index.has(key) || this.#corrupt.has(key)) return undefined
    const rowKey = recordRowKey(key)
    let row = checkpoint.row(key)
    if (row === undefined) {
      const value = await storage.rows.get(rowKey)
      row = value && decodeRecordRow(rowKey, value)
    }
    return row && decodeRecord(row.encoded, limits, 'STORE_CORRUPT')
  }
}
