/** Reads records from wherever the latest state is: what is on its way to the journal, the cache, what waits for a checkpoint, the rows. */
import type { Limits, Rows, SessionKey, SessionRecord } from '@sojourn/core/internal'
import {
  decodeRecord,
  encodeRecord,
  isSojournError,
  OWN_LIMITS,
  RestingRecord,
  resting,
  SojournError,
  type View,
} from '@sojourn/core/internal'
import { Cache } from './cache.js'
import type { Checkpoint } from './checkpoint.js'
import type { SessionIndex } from './index/session-index.js'
import { decodeRecordRow, type RecordRow, recordRowKey } from './record-row.js'

/** A record as the store holds it. */
export interface Entry {
  readonly state: 'held'
  readonly record: SessionRecord
  /** Its latest commit in this store's feed. */
  readonly sequence: number
  /** Encoded bytes. */
  readonly size: number
  /** Built when first asked for. */
  view: View | undefined
}

/** What reading a key gives. `corrupt`: there is a record, and nobody here can read it. */
export type Reading = Entry | { readonly state: 'absent' } | { readonly state: 'corrupt' }

const ABSENT: Reading = { state: 'absent' }
const CORRUPT: Reading = { state: 'corrupt' }

/** A state that is newer than the journal. */
export interface PendingRecord {
  readonly key: SessionKey
  /** Undefined: the record is purged. */
  readonly entry: Entry | undefined
  readonly encoded: Uint8Array | undefined
  /** Part of a scan over many records, which leaves the cache as it is. */
  readonly passing: boolean
}

export interface RecordReaderOptions {
  readonly rows: Rows
  readonly index: SessionIndex
  readonly checkpoint: Checkpoint
  readonly limits: Limits
  /** A record was found that cannot be read. Called once for each, until it is healed. */
  readonly corrupt: (key: SessionKey) => void
}

/** The bytes of a record's document, where they are known. */
export const documentOf = (record: SessionRecord): Uint8Array | undefined =>
  record instanceof RestingRecord ? record.bytes : undefined

export class RecordReader<P extends PendingRecord> {
  readonly #options: RecordReaderOptions
  readonly #cache: Cache<Entry>
  /** The latest of each key; they outrank everything. */
  readonly #pending = new Map<SessionKey, P>()
  #hits = 0
  #misses = 0

  constructor(options: RecordReaderOptions) {
    this.#options = options
    this.#cache = new Cache(options.limits.maxCacheEntries, options.limits.maxCacheBytes)
  }

  get cached() {
    return { entries: this.#cache.count, bytes: this.#cache.bytes, hits: this.#hits, misses: this.#misses }
  }

  /**
   * At once, or as a promise where the engine has it so.
   * @param counts whether the read counts as a hit or a miss of the cache
   * @param keep whether the record goes into the cache: not so for scans over many records
   * @throws STORE_FAILED
   */
  read(key: SessionKey, counts: boolean, keep: boolean): Reading | Promise<Reading> {
    const known = this.#inMemory(key)
    if (counts && known) this.#hits++
    else if (counts && this.#options.index.has(key)) this.#misses++
    return known ?? this.#load(key, keep)
  }

  /** What the journal has of a key: a commit that is on its way there, and may yet be refused, is left out. @throws STORE_FAILED */
  journaled(key: SessionKey): Reading | Promise<Reading> {
    return this.#cache.get(key) ?? this.#load(key, false, false)
  }

  #inMemory(key: SessionKey): Reading | undefined {
    const pending = this.#pending.get(key)
    return pending ? (pending.entry ?? ABSENT) : this.#cache.get(key)
  }

  #load(key: SessionKey, keep: boolean, pendingCounts = true): Reading | Promise<Reading> {
    const { index, checkpoint, rows } = this.#options
    if (index.sequenceOf(key) === undefined) return ABSENT
    if (index.isCorrupt(key)) return CORRUPT
    const row = checkpoint.row(key)
    if (row) return this.#entryOf(key, row, keep)
    try {
      const value = rows.get(recordRowKey(key))
      if (!(value instanceof Promise)) return this.#checked(key, value, keep)
      return value.then(
        (late) => this.#arrived(key, late, keep, pendingCounts),
        (error: unknown) => this.#unreadable(key, error),
      )
    } catch (error) {
      return this.#unreadable(key, error)
    }
  }

  /** Where the engine finds its own bytes corrupt, the row is as bad as one that does not pass its checksum. */
  #unreadable(key: SessionKey, error: unknown): Reading {
    if (isSojournError(error, 'STORE_CORRUPT')) return this.#foundCorrupt(key)
    throw error
  }

  /** A row that was read while other things went on: what is known by now counts more. */
  #arrived(
    key: SessionKey,
    value: Uint8Array | undefined,
    keep: boolean,
    pendingCounts: boolean,
  ): Reading | Promise<Reading> {
    const known = pendingCounts ? this.#inMemory(key) : this.#cache.get(key)
    if (known) return known
    return this.#options.checkpoint.has(key) ? this.#load(key, keep, pendingCounts) : this.#checked(key, value, keep)
  }

  /** A row must be the one that the index knows of: an older one was brought back by the engine, and is as bad as a corrupt one. */
  #checked(key: SessionKey, value: Uint8Array | undefined, keep: boolean): Reading {
    const row = value && decodeRecordRow(recordRowKey(key), value)
    if (row && row.sequence === this.#options.index.sequenceOf(key)) return this.#entryOf(key, row, keep)
    return this.#foundCorrupt(key)
  }

  #foundCorrupt(key: SessionKey): Reading {
    const { index, corrupt } = this.#options
    if (!index.has(key)) return ABSENT
    if (!index.isCorrupt(key)) corrupt(key)
    return CORRUPT
  }

  #entryOf(key: SessionKey, { encoded, sequence }: RecordRow, keep: boolean): Reading {
    let record: SessionRecord
    try {
      record = decodeRecord(encoded, OWN_LIMITS, 'STORE_CORRUPT')
    } catch (error) {
      if (isSojournError(error, 'STORE_CORRUPT')) return this.#foundCorrupt(key)
      throw error
    }
    const held = resting(record, encoded)
    const entry: Entry = { state: 'held', record: held, sequence, size: encoded.length, view: undefined }
    if (keep) this.#cache.set(key, entry)
    return entry
  }

  /** The bytes of the record that the journal has, for whoever only passes it on; undefined where there is none that can be read. */
  encoded(key: SessionKey): Uint8Array | undefined {
    const { index, checkpoint } = this.#options
    const row = checkpoint.row(key)
    if (row && !index.isCorrupt(key)) return row.encoded
    const reading = this.journaled(key)
    if (reading instanceof Promise) throw new SojournError('STORE_FAILED', 'the rows cannot be read at the moment')
    return reading.state === 'held' ? encodeRecord(reading.record, documentOf(reading.record)) : undefined
  }

  /** The state of a key that is on its way to the journal. */
  pending(key: SessionKey): P | undefined {
    return this.#pending.get(key)
  }

  pend(pending: P): void {
    this.#pending.set(pending.key, pending)
  }

  /** The journal has it. */
  settled(pending: P): void {
    const { key, entry, passing } = pending
    if (entry && (!passing || this.#cache.has(key))) this.#cache.set(key, entry)
    else this.#cache.delete(key)
    if (this.#pending.get(key) === pending) this.#pending.delete(key)
  }

  /** The journal refused it: what is there counts again. */
  failed({ key }: P): void {
    this.#pending.delete(key)
    this.#cache.delete(key)
  }
}

/** What was read, where the engine reads at once. @throws STORE_FAILED where it does not, at the moment */
export const atOnce = (reading: Reading | Promise<Reading>): Reading => {
  if (reading instanceof Promise) throw new SojournError('STORE_FAILED', 'the rows cannot be read at the moment')
  return reading
}
