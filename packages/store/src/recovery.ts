/** Opens a store: the index from the rows, then the journal, replayed as if a peer had sent it. */
import type { SessionKey, SessionRecord, Storage } from '@sojourn/core/internal'
import {
  decodeItem,
  decodeRecord,
  type ErrorCode,
  encodeRecord,
  isSojournError,
  OWN_LIMITS,
  takeItem,
} from '@sojourn/core/internal'
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
import { decodeState, encodeState, type Incarnation, type Progress, type StoreState } from './store-state.js'

/** What was found. */
export interface Recovered {
  /** The last incarnation; undefined for a new store. */
  readonly incarnation: Incarnation | undefined
  readonly progress: Progress
  /** The last sequence that was given out, as far as it is known. */
  readonly head: number
  /** Of its own feed the store holds all through here: less than the head where a part of the journal is lost. */
  readonly heldThrough: number
  /** Records that cannot be read, and must heal from a peer. */
  readonly corrupt: readonly SessionKey[]
  /** Entries of the journal that are lost or corrupt, though later ones are there. */
  readonly lostEntries: number
  /** What the store knew of itself is lost or corrupt: whose feeds it continued, and what it held of its peers'. Those send everything. */
  readonly isStateLost: boolean
  readonly replayed: number
}

/**
 * What a store noted of itself; undefined where it noted nothing, or that is corrupt.
 * @throws STORE_FORMAT, STORE_FAILED
 */
export const readState = async ({ rows, journal }: Storage): Promise<StoreState | undefined> => {
  const state = readable(await rows.get(STATE_KEY))
  // A journal that lost its end gives numbers again: what it gets under them is not in the rows.
  return state && { ...state, checkpoint: Math.min(state.checkpoint, journal.head) }
}

const readable = (row: Uint8Array | undefined): StoreState | undefined => {
  try {
    return row && decodeState(row)
  } catch (error) {
    if (isSojournError(error, 'STORE_CORRUPT')) return undefined
    throw error
  }
}

/** What the journal holds was checked against the clock when it was committed. */
const TRUSTED_NOW = Number.MAX_SAFE_INTEGER

/** What makes a record corrupt: bytes that are not what was written. */
const CORRUPT: readonly ErrorCode[] = ['STORE_CORRUPT', 'FRAME_INVALID', 'CHANGE_INVALID', 'RECORD_INVALID']

interface RecoveryOptions {
  readonly storage: Storage
  readonly index: SessionIndex
  readonly checkpoint: Checkpoint
  readonly state: StoreState | undefined
  readonly now: number
  /** When a record that nobody can supply is given up, milliseconds since the epoch. */
  readonly corruptDueAt: number
}

/** Fills the index, and the checkpoint with what the rows lack. @throws STORE_FORMAT, STORE_CORRUPT, STORE_FAILED */
export const recover = async (options: RecoveryOptions): Promise<Recovered> => {
  const recovery = new Recovery(options)
  await recovery.checkState()
  await recovery.index()
  await recovery.replay()
  await recovery.correctState()
  options.index.sortFeed()
  return recovery.result
}

class Recovery {
  readonly #options: RecoveryOptions
  #incarnation: Incarnation | undefined
  #progress: Progress
  #head: number
  /** A row can be of a commit that a lost part of the journal had: so this counts what the state and the journal say alone. */
  #replayedThrough: number
  /** Where recovery met the first loss. What the journal says of feeds after that speaks of lost commits, too. */
  #lostFrom: number | undefined
  readonly #corrupt = new Set<SessionKey>()
  #lostEntries = 0
  #isStateLost = false
  #replayed = 0

  constructor(options: RecoveryOptions) {
    const { state } = options
    this.#options = options
    this.#incarnation = state && { actor: state.actor, lineage: state.lineage }
    this.#progress = { vector: state?.vector ?? [], expiredThrough: state?.expiredThrough ?? 0 }
    this.#head = this.#replayedThrough = state?.head ?? 0
  }

  get result(): Recovered {
    const heldThrough = this.#lostFrom ?? this.#replayedThrough
    const lineage = (this.#incarnation?.lineage ?? []).map(({ feed, through }) => ({
      feed,
      through: Math.min(through, heldThrough),
    }))
    return {
      incarnation: this.#incarnation && { actor: this.#incarnation.actor, lineage },
      progress: this.#progress,
      head: this.#head,
      heldThrough,
      corrupt: [...this.#corrupt],
      lostEntries: this.#lostEntries,
      isStateLost: this.#isStateLost,
      replayed: this.#replayed,
    }
  }

  async checkState(): Promise<void> {
    const { storage, state } = this.#options
    if (state === undefined && (await storage.rows.get(STATE_KEY)) !== undefined) this.#loseState()
  }

  /** From the copy of the last clean close, if nothing has changed since; else from the records. */
  async index(): Promise<void> {
    const { storage, index, state } = this.#options
    const isFresh = state?.isIndexCurrent && state.indexRows > 0 && storage.journal.head === state.checkpoint
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
    const { sequence, origin, version, isEnded, isCutoff, subject, expiresAt, dueAt } = row
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
      isCutoff,
      subject,
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
    const { journal } = this.#options.storage
    const after = this.#options.state?.checkpoint
    let expected = after === undefined ? undefined : after + 1
    for await (const entries of journal.read(after ?? 0))
      for (const { number, bytes } of entries) {
        // Without a state nobody knows what was dropped.
        if (expected === undefined && number > 1) this.#loseState()
        this.#loseEntries(number - (expected ?? number))
        expected = number + 1
        const content = bytes && this.#decoded(bytes)
        if (content) await this.#take(content)
        else this.#loseEntries(1)
      }
    if (expected === undefined && journal.head > 0) this.#loseState()
    this.#loseEntries(journal.head + 1 - (expected ?? journal.head + 1))
  }

  #loseEntries(count: number): void {
    if (count <= 0) return
    this.#lostEntries += count
    this.#lostFrom ??= this.#replayedThrough
  }

  #loseState(): void {
    this.#isStateLost = true
    this.#lostFrom ??= 0
  }

  #decoded(bytes: Uint8Array): EntryContent | undefined {
    try {
      return decodeEntry(bytes)
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      return undefined
    }
  }

  /** Where the noted state is ahead of the journal, it is noted anew before anything is appended. */
  async correctState(): Promise<void> {
    const { storage, state } = this.#options
    const noted = readable(await storage.rows.get(STATE_KEY))
    if (noted === undefined || state === undefined || noted.checkpoint === state.checkpoint) return
    await storage.rows.write([{ type: 'put', key: STATE_KEY, value: encodeState(state) }], true)
  }

  async #take({ incarnation, commits, progress }: EntryContent): Promise<void> {
    this.#incarnation = incarnation ?? this.#incarnation
    if (this.#lostFrom === undefined) this.#progress = progress ?? this.#progress
    for (const commit of commits) {
      this.#replayed++
      this.#replayedThrough = Math.max(this.#replayedThrough, commit.sequence)
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

  /** What the item makes of the record; undefined where it builds on what is lost or cannot be read. */
  async #rowAfter({ key, sequence, base, origin }: JournalCommit, bytes: Uint8Array): Promise<RecordRow | undefined> {
    const { index } = this.#options
    try {
      const item = decodeItem(bytes)
      const current = base === index.sequenceOf(key) ? await this.#read(key) : undefined
      // An end needs nothing before it; anything else would give a record that there never was.
      if (base !== 0 && current === undefined && item.type !== 'end') return undefined
      const { next, encoded, isMissing } = takeItem(current, item, { limits: OWN_LIMITS, now: TRUSTED_NOW })
      const record = next ?? current
      if (isMissing || record === undefined) return undefined
      return rowOf(key, record, new Uint8Array(encoded ?? encodeRecord(record)), sequence, origin)
    } catch (error) {
      if (CORRUPT.some((code) => isSojournError(error, code))) return undefined
      throw error
    }
  }

  async #read(key: SessionKey): Promise<SessionRecord | undefined> {
    const { storage, checkpoint, index } = this.#options
    if (!index.has(key) || this.#corrupt.has(key)) return undefined
    const rowKey = recordRowKey(key)
    let row = checkpoint.row(key)
    if (row === undefined) {
      const value = await storage.rows.get(rowKey)
      row = value && decodeRecordRow(rowKey, value)
    }
    return row && decodeRecord(row.encoded, OWN_LIMITS, 'STORE_CORRUPT')
  }
}
