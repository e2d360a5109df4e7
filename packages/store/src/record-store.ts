import type {
  ActorId,
  Ancestor,
  Clock,
  Held,
  Limits,
  Random,
  SessionKey,
  SessionRecord,
  Storage,
  StorageEngine,
  StorageRow,
  StorageWrite,
  View,
} from '@sojourn/core'
import { encodeRecord, expiresAt, isSojournError, materialize, SojournError } from '@sojourn/core'
import { Cache } from './cache.js'
import { Census } from './census.js'
import { CommitQueue } from './commit-queue.js'
import { expiryWrites } from './expiry.js'
import type { ExpiryRow, FeedRow, Origin } from './keyspace.js'
import {
  allRecords,
  decodeExpiryRow,
  decodeFeedRow,
  decodeRecordRow,
  encodeFeedValue,
  encodeRecordRow,
  expiryKey,
  expiryRange,
  feedKey,
  feedRange,
  keyOfRecordRow,
  openRecordRow,
  recordKey,
  STATE_KEY,
  sliceRange,
  wholeKeyspace,
} from './keyspace.js'
import { decodeState, encodeState, nextOpening, type StoreState } from './opening.js'
import { dropOrphans, hasOrphans } from './orphans.js'
import { StateWriter } from './state-writer.js'

/** In Redis's words: every commit waits for the disk; the disk is told once a second; the system decides. */
export type Fsync = 'always' | 'everysec' | 'never'

/** A record as the store holds it. */
export interface Entry {
  readonly record: SessionRecord
  /** Its latest commit in this store's feed. */
  readonly sequence: number
  /** Encoded bytes. */
  readonly size: number
  /** Where its feed row says that it came from; `unread` where it was read from the disk without its feed row. */
  readonly origin: Origin | undefined | 'unread'
  /** Built when first asked for. */
  view?: View
}

/** One commit, as listeners are told of it once it is on the disk. */
export interface Commit {
  readonly key: SessionKey
  readonly sequence: number
  /** Undefined: a purge, which has no place in the feed. */
  readonly entry: Entry | undefined
  readonly origin: Origin | undefined
  /** What whoever committed it gave to go with it. */
  readonly note: unknown
  /** Part of a walk over many records. */
  readonly passing: boolean
}

export interface RecordStoreOptions {
  readonly engine: StorageEngine
  readonly location: string
  readonly clock: Clock
  readonly random: Random
  readonly fsync: Fsync
  readonly limits: Limits
  readonly committed: (commits: readonly Commit[]) => void
  /** A batch, or the state, could not be written. */
  readonly failed: (error: unknown) => void
  /** What goes into the state beside the store's own part. */
  readonly vector: () => readonly Held[]
}

/** Records, each with its feed row and its expiry row, in one storage. Everything is read and changed in memory at once, and is on the disk when the commit resolves. */
export class RecordStore {
  readonly actor: ActorId
  readonly lineage: readonly Ancestor[]
  /** The vector that the last opening left. */
  readonly restoredVector: readonly Held[]
  readonly #options: RecordStoreOptions
  readonly #storage: Storage
  readonly #queue: CommitQueue<Commit>
  readonly #cache: Cache<Entry>
  readonly #census: Census
  /** Entries that are newer than the disk; `undefined` stands for a purge. They outrank the cache and the disk. */
  readonly #unwritten = new Map<SessionKey, Commit>()
  /** When the newest of them is on the disk. */
  readonly #writing = new Map<SessionKey, Promise<void>>()
  /** The last sequence given out. */
  #head: number
  /** All through here is on the disk. */
  #committed: number
  #expiredThrough: number
  /** Noticed since: by whoever walks on from there, and is not through. */
  readonly #telling = new Set<SessionKey>()
  #hits = 0
  #misses = 0
  readonly #stateWriter: StateWriter
  /** Whether a rotten record was replaced or removed, whose place in the feed could not be read. */
  #hasOrphans = false
  #closed = false

  private constructor(options: RecordStoreOptions, storage: Storage, state: StoreState) {
    this.#options = options
    this.#storage = storage
    this.actor = state.actor
    this.lineage = state.lineage
    this.restoredVector = state.vector
    this.#head = state.head
    this.#committed = state.head
    this.#expiredThrough = state.expiredThrough
    this.#census = new Census(storage, (key) => this.#cache.get(key)?.record.kind)
    this.#stateWriter = new StateWriter({
      storage,
      clock: options.clock,
      sync: options.fsync !== 'never',
      state: () => this.#state(),
      failed: options.failed,
    })
    this.#cache = new Cache(options.limits.maxCacheEntries, options.limits.maxCacheBytes)
    this.#queue = new CommitQueue({
      storage,
      sync: options.fsync === 'always',
      maxPending: options.limits.maxPendingCommits,
      maxPendingBytes: options.limits.maxPendingBytes,
      committed: (commits) => this.#onCommitted(commits),
      failed: (commits, error) => this.#onFailed(commits, error),
    })
  }

  /** @throws STORE_LOCKED, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    const storage = await options.engine.open(options.location)
    try {
      const row = storage.get(STATE_KEY)
      let lastSequence = 0
      for await (const rows of storage.scan({ ...feedRange(), reverse: true, limit: 1 }))
        for (const [key, value] of rows) lastSequence = decodeFeedRow(key, value)?.sequence ?? 0
      const actor = Buffer.from(options.random.bytes(16)).toString('hex')
      const state = nextOpening(row && decodeState(row), lastSequence, actor)
      await storage.write([{ type: 'put', key: STATE_KEY, value: encodeState(state) }], options.fsync !== 'never')
      const store = new RecordStore(options, storage, state)
      await store.#recount()
      const { sessions, expired, tombstones } = store.counts
      store.#hasOrphans = await hasOrphans(storage, sessions + expired + tombstones)
      store.#stateWriter.start()
      return store
    } catch (error) {
      await storage.close()
      throw error
    }
  }

  #recount(): Promise<void> {
    const unwritten = [...this.#unwritten].map(([key, { entry }]) => [key, entry?.record.kind] as const)
    return this.#census.take(unwritten, () => this.#noticed())
  }

  /** Live sessions whose deadline was noticed before, by the index, and by a walk under way. */
  async *#noticed(): AsyncIterable<SessionKey> {
    for (const key of this.#telling) {
      const record = this.readSound(key)?.record
      if (record?.kind === 'live' && expiresAt(record) <= this.#options.clock.now()) yield key
    }
    for await (const rows of this.due(-1, this.#expiredThrough))
      for (const { key, at } of rows) {
        const record = this.readSound(key)?.record
        if (record?.kind === 'live' && expiresAt(record) === at) yield key
      }
  }

  get head(): number {
    return this.#head
  }

  get committed(): number {
    return this.#committed
  }

  get counts() {
    return this.#census.counts
  }

  get cached() {
    return { entries: this.#cache.count, bytes: this.#cache.bytes, hits: this.#hits, misses: this.#misses }
  }

  get pendingCommits(): number {
    return this.#queue.pending
  }

  /**
   * @param counts whether the read counts as a hit or a miss of the cache: a call reads its record more than once
   * @throws STORE_CORRUPT, STORE_FAILED
   */
  read(key: SessionKey, counts = false): Entry | undefined {
    const unwritten = this.#unwritten.get(key)
    const known = unwritten ? unwritten.entry : this.#cache.get(key)
    if (unwritten || known) {
      if (counts) this.#hits++
      return known
    }
    if (counts) this.#misses++
    const entry = this.#load(key)
    if (entry) this.#cache.set(key, entry)
    return entry
  }

  #load(key: SessionKey): Entry | undefined {
    const row = this.#storage.get(recordKey(key))
    return row && { ...decodeRecordRow(key, row, this.#options.limits), origin: 'unread' }
  }

  /** Like {@link read}, for walks over many records: they leave the cache as it is. @throws STORE_CORRUPT */
  peek(key: SessionKey): Entry | undefined {
    const unwritten = this.#unwritten.get(key)
    return unwritten ? unwritten.entry : (this.#cache.get(key) ?? this.#load(key))
  }

  /** The bytes of a record, for whoever only passes it on. @throws STORE_CORRUPT */
  encoded(key: SessionKey): Uint8Array | undefined {
    const unwritten = this.#unwritten.get(key)
    const entry = unwritten ? unwritten.entry : this.#cache.get(key)
    if (entry) return encodeRecord(entry.record)
    const row = unwritten ? undefined : this.#storage.get(recordKey(key))
    return row && openRecordRow(key, row).encoded
  }

  /** Like {@link read}, but a rotten record is as good as none. */
  readSound(key: SessionKey): Entry | undefined {
    try {
      return this.read(key)
    } catch (error) {
      if (isSojournError(error, 'STORE_CORRUPT')) return undefined
      throw error
    }
  }

  /** The data that a live record shows; built once for each state of a record. */
  viewOf(entry: Entry): View | undefined {
    if (entry.record.kind !== 'live') return undefined
    if (entry.view?.shareable) return entry.view
    const view = materialize(entry.record.document)
    entry.view = view
    return view
  }

  /** @throws OVERLOADED: call it before computing what to commit */
  admit(): void {
    if (this.#closed) throw new SojournError('REPLICA_CLOSED', 'the replica was closed')
    this.#queue.admit()
  }

  /**
   * Makes `record` the state of `key`: in memory at once, on the disk when `done` resolves.
   * @param origin the feed and sequence by which it came from a peer
   * @param note handed to the listener with the commit
   * @param passing part of a walk over many records, which leaves the cache as it is
   * @param before what the key's record is now, where the caller has just read it
   */
  commit(
    key: SessionKey,
    record: SessionRecord,
    {
      encoded = encodeRecord(record),
      origin,
      note,
      passing = false,
      before = this.#current(key),
    }: {
      encoded?: Uint8Array
      origin?: Origin | undefined
      note?: unknown
      passing?: boolean
      before?: Entry | undefined
    },
  ): { readonly sequence: number; readonly entry: Entry; readonly done: Promise<void> } {
    if (before) this.#census.removed(key, before.record.kind)
    const sequence = ++this.#head
    const ours = passing && before?.origin === 'unread' ? undefined : this.#inherit(before, origin)
    const row = recordKey(key)
    const place = feedKey(sequence)
    const writes: StorageWrite[] = [
      { type: 'put', key: row, value: encodeRecordRow(row, sequence, encoded) },
      { type: 'put', key: place, value: encodeFeedValue(place, key, ours) },
    ]
    if (before) writes.push({ type: 'del', key: feedKey(before.sequence) })
    writes.push(...expiryWrites(key, before?.record, record))
    this.#census.added(key, record.kind)
    const entry: Entry = { record, sequence, size: encoded.length, origin: ours }
    const commit: Commit = { key, sequence, entry, origin, note, passing }
    this.#unwritten.set(key, commit)
    this.#stateWriter.touch()
    const done = this.#queue.add(writes, commit)
    this.#writing.set(key, done)
    return { sequence, entry, done }
  }

  /** Resolves when what {@link read} gives is on the disk; undefined where it is. */
  written(key: SessionKey): Promise<void> | undefined {
    return this.#writing.get(key)
  }

  /** What a commit takes the place of. Rot counts no more. */
  #current(key: SessionKey): Entry | undefined {
    try {
      return this.peek(key)
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      this.#census.removedUnread(key)
      this.#hasOrphans = true
      return undefined
    }
  }

  /** A record may name an origin only if all that it holds came from there: else a peer that skips it would miss something. */
  #inherit(before: Entry | undefined, origin: Origin | undefined): Origin | undefined {
    if (origin === undefined || before === undefined) return origin
    const previous = before.origin === 'unread' ? this.#originOf(before.sequence) : before.origin
    return previous?.feed === origin.feed ? origin : undefined
  }

  #originOf(sequence: number): Origin | undefined {
    const key = feedKey(sequence)
    const row = this.#storage.get(key)
    return row && decodeFeedRow(key, row)?.origin
  }

  /** Removes every row of a record. Not a fact that travels: every store does it by itself. */
  purge(key: SessionKey, entry: Entry): Promise<void> {
    this.#census.removed(key, entry.record.kind)
    const { sequence } = entry
    const commit: Commit = { key, sequence, entry: undefined, origin: undefined, note: undefined, passing: false }
    this.#unwritten.set(key, commit)
    this.#stateWriter.touch()
    const dead: StorageWrite[] = [recordKey(key), feedKey(entry.sequence)].map((row) => ({ type: 'del', key: row }))
    return this.#queue.add([...dead, ...expiryWrites(key, entry.record, undefined)], commit)
  }

  /**
   * Removes an expiry row that has served, or belongs to no record: it rotted, or was replaced when its rows were not known.
   * @param rotten whether to remove what is left of the record, too
   */
  async dropExpiryRow(row: ExpiryRow, rotten: boolean): Promise<void> {
    if (rotten && !this.#unwritten.has(row.key)) this.#census.removedUnread(row.key)
    this.#hasOrphans ||= rotten
    const dead = [expiryKey(row.at, row.key), ...(rotten ? [recordKey(row.key)] : [])]
    await this.#storage.write(
      dead.map((key) => ({ type: 'del', key })),
      false,
    )
  }

  /** Removes what rotten records left in the feed, if any did. */
  async dropOrphans(): Promise<void> {
    if (!this.#hasOrphans) return
    this.#hasOrphans = false
    let isClean = false
    try {
      isClean = await dropOrphans(this.#storage, (key) => this.#unwritten.has(key))
    } finally {
      this.#hasOrphans ||= !isClean
    }
    // Nor could anybody read of what kind they were when they were counted out.
    await this.#recount()
  }

  /** The feed behind a sequence, as it is on the disk at the first step: each key once, at its latest commit. */
  async *feed(after: number): AsyncIterable<readonly FeedRow[]> {
    for await (const rows of this.#storage.scan(feedRange(after)))
      yield rows.flatMap(([key, value]) => decodeFeedRow(key, value) ?? [])
  }

  /** The expiry rows of (after, through], in the order of time. */
  async *due(after: number, through: number): AsyncIterable<readonly ExpiryRow[]> {
    for await (const rows of this.#storage.scan(expiryRange(after, through)))
      yield rows.map(([key, value]) => decodeExpiryRow(key, value))
  }

  /** The time of the first expiry row behind `after`. */
  async nextDue(after: number): Promise<number | undefined> {
    const range = expiryRange(after, Number.MAX_SAFE_INTEGER - 1)
    for await (const rows of this.#storage.scan({ ...range, limit: 1 }))
      for (const [key, value] of rows) return decodeExpiryRow(key, value).at
    return undefined
  }

  /** The keys of all records, or of those that start with a byte, in order. */
  async *keys(slice?: number): AsyncIterable<readonly SessionKey[]> {
    for await (const rows of this.#storage.scan(slice === undefined ? allRecords : sliceRange(slice)))
      yield rows.map(([key]) => keyOfRecordRow(key))
  }

  /** Every row of the store, as they are on the disk at the first step: a copy of it, for {@link fillStore}. */
  rows(): AsyncIterable<readonly StorageRow[]> {
    return this.#storage.scan(wholeKeyspace)
  }

  get expiredThrough(): number {
    return this.#expiredThrough
  }

  /** A live session's deadline passed; it is no session any more, until a renewal comes or it is purged. Whether that is news. */
  noteExpired(key: SessionKey): boolean {
    this.#telling.add(key)
    return this.#census.expired(key)
  }

  /** All sessions due by `time` were noted. */
  advanceExpired(time: number): void {
    this.#telling.clear()
    if (time === this.#expiredThrough) return
    this.#expiredThrough = time
    this.#stateWriter.touch()
  }

  #onCommitted(commits: readonly Commit[]): void {
    for (const commit of commits) {
      this.#committed = Math.max(this.#committed, commit.sequence)
      if (commit.entry && (!commit.passing || this.#cache.has(commit.key))) this.#cache.set(commit.key, commit.entry)
      else this.#cache.delete(commit.key)
      if (this.#unwritten.get(commit.key) !== commit) continue
      this.#unwritten.delete(commit.key)
      this.#writing.delete(commit.key)
    }
    this.#options.committed(commits)
  }

  #onFailed(commits: readonly Commit[], error: unknown): void {
    // What is on the disk counts again; the counters are read from there, too.
    for (const { key } of commits) {
      this.#unwritten.delete(key)
      this.#writing.delete(key)
      this.#cache.delete(key)
    }
    this.#options.failed(error)
    void this.#recount().catch((reason: unknown) => this.#options.failed(reason))
  }

  /** The vector moved, so the state is worth writing. */
  touchState(): void {
    this.#stateWriter.touch()
  }

  #state(): StoreState {
    return {
      actor: this.actor,
      head: this.#committed,
      lineage: this.lineage,
      vector: this.#options.vector(),
      expiredThrough: this.#expiredThrough,
    }
  }

  /** Writes what waits, then closes the storage. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#queue.idle()
    try {
      await this.#stateWriter.close()
    } finally {
      await this.#storage.close()
    }
  }
}
