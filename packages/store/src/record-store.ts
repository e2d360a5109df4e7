/** Records in memory, journal and rows: read at once, changed by decisions, committed to the journal, found by the index. */
import type { Ancestor, Decided, Decision, FeedId, Row, SessionKey, SessionRecord, View } from '@sojourn/core/internal'
import { dueAt, expiresAt, isTaken, longestLifeMs, materialize, SojournError } from '@sojourn/core/internal'
import { type Commit, type Committed, type EnterOptions, itemOf, nextState, type TransactOptions } from './commit.js'
import type { IndexView } from './index/index-view.js'
import type { Origin, SessionIndex } from './index/session-index.js'
import { writeIndexCopy } from './index-copy.js'
import { JournalTail } from './journal-tail.js'
import { atOnce, type Entry, type Reading, RecordReader } from './record-reader.js'
import { rowOf, STATE_KEY } from './record-row.js'
import type { Recovered } from './recovery.js'
import { snapshotRows } from './snapshot.js'
import { openParts, type Parts, type RecordStoreOptions } from './store-parts.js'
import { encodeState, type StoreState } from './store-state.js'

export type { RecordStoreOptions } from './store-parts.js'

type Pending = Commit & { done: Promise<void> }

/**
 * The records of one replica: the only way to read and to change them.
 * @example
 * const store = await RecordStore.open({ engine: levelEngine, location: './data', region: 'eu', …ports })
 * const made = store.transact(key, (reading) => decide(reading))
 */
export class RecordStore {
  readonly actor: FeedId
  readonly lineage: readonly Ancestor[]
  /** What was found when the store was opened. */
  readonly recovered: Recovered
  readonly tail: JournalTail
  readonly #options: RecordStoreOptions
  readonly #parts: Parts<Pending>
  readonly #index: SessionIndex
  readonly #reader: RecordReader<Pending>
  /** The last sequence given out. */
  #head: number
  /** All through here is in the journal. */
  #committed: number
  #expiredThrough: number
  #closed = false

  private constructor(options: RecordStoreOptions, parts: Parts<Pending>) {
    const { storage, index, checkpoint, recovered, incarnation } = parts
    this.#options = options
    this.#parts = parts
    this.#index = index
    this.recovered = recovered
    ;({ actor: this.actor, lineage: this.lineage } = incarnation)
    this.#head = this.#committed = recovered.head
    this.#expiredThrough = recovered.progress.expiredThrough
    this.tail = new JournalTail(options.limits, recovered.head)
    this.#reader = new RecordReader({
      rows: storage.rows,
      index,
      checkpoint,
      limits: options.limits,
      corrupt: (key) => this.markCorrupt(key),
    })
  }

  /** @throws STORE_LOCKED, STORE_FOREIGN, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED */
  static async open(options: RecordStoreOptions): Promise<RecordStore> {
    // The parts report to the store from the moment it is open; it needs them to be made.
    let store: RecordStore | undefined
    const parts = await openParts<Pending>(options, {
      progress: () => store?.progress,
      stateAt: (checkpoint) => store!.stateAt(checkpoint),
      appended: (commits) => store?.appended(commits),
      failed: (commits, error) => store?.refused(commits, error),
    })
    store = new RecordStore(options, parts)
    // What was replayed may be all that there is room for.
    parts.checkpoint.poll()
    return store
  }

  get head(): number {
    return this.#head
  }

  get committed(): number {
    return this.#committed
  }

  get counts() {
    return this.#index.counts
  }

  get cached() {
    return this.#reader.cached
  }

  get pendingCommits(): number {
    return this.#parts.writer.pending
  }

  /** What the store holds beside its cache. */
  get figures() {
    const { checkpoint, storage } = this.#parts
    return {
      indexBytes: this.#index.bytes,
      journalBytes: storage.journal.bytes,
      uncheckpointed: { records: checkpoint.count, bytes: checkpoint.bytes },
      checkpoints: { ...checkpoint.totals },
    }
  }

  /** What finds records without reading them. */
  get index(): IndexView {
    return this.#index
  }

  /** The record of a key. @throws STORE_FAILED; see {@link RecordReader.read} */
  read(key: SessionKey, counts = false): Reading | Promise<Reading> {
    return this.#reader.read(key, counts, true)
  }

  /** Like {@link read}, for scans over many records: they leave the cache as it is. */
  peek(key: SessionKey): Reading | Promise<Reading> {
    return this.#reader.read(key, false, false)
  }

  /** Like {@link read}, where the engine reads at once. @throws STORE_FAILED where it does not, at the moment */
  readNow(key: SessionKey, passing = false): Reading {
    return atOnce(this.#reader.read(key, false, !passing))
  }

  /**
   * What the journal has of a key, for sending to others. Should the disk refuse what is on its way there, it was never written (ADR 6).
   * @throws STORE_FAILED
   */
  journaled(key: SessionKey): Reading | Promise<Reading> {
    return this.#reader.journaled(key)
  }

  /** Like {@link journaled}, where the engine reads at once. @throws STORE_FAILED where it does not, at the moment */
  journaledNow(key: SessionKey): Reading {
    return atOnce(this.#reader.journaled(key))
  }

  /** The bytes of the record that the journal has; undefined where there is none that can be read. */
  encoded(key: SessionKey): Uint8Array | undefined {
    return this.#reader.encoded(key)
  }

  /** The data that a live record shows; built once for each state of a record. */
  viewOf(entry: Entry): View | undefined {
    if (entry.record.kind !== 'live') return undefined
    if (entry.view?.shareable) return entry.view
    const view = materialize(entry.record.document)
    entry.view = view
    return view
  }

  /**
   * The only way to change a record: reads it, decides, and commits what was decided, in one turn. The next state is there at once for
   * whoever reads, and in the journal when `done` resolves. Where the engine reads as a promise, it reads first, and decides then.
   * @throws what the decision is refused with; OVERLOADED, STORE_FENCED, REPLICA_CLOSED; nothing has changed then
   */
  transact(
    key: SessionKey,
    decide: (reading: Reading) => Decided,
    options: TransactOptions = {},
  ): Committed | Promise<Committed> {
    this.#checkOpen()
    if (!options.isAdmitted) this.#admit(options.source === undefined)
    const reading = this.#reader.read(key, options.source === undefined, !options.passing)
    if (reading instanceof Promise) return reading.then(() => this.transact(key, decide, options))
    const decided = decide(reading)
    if ('refusal' in decided) throw decided.refusal
    return this.#commit(key, reading, decided, options)
  }

  /**
   * Commits what was decided in this very turn: of what `reading` was, and nothing has changed since. Resolves when it is as durable as the store
   * was asked to make it; what is entered in one turn shares the promise.
   * @throws as {@link transact}
   */
  enter(key: SessionKey, reading: Reading, decision: Decision, options: EnterOptions): Promise<void> | undefined {
    this.#checkOpen()
    this.#admit(options.source === undefined)
    return this.#commit(key, reading, decision, options).done
  }

  #checkOpen(): void {
    if (this.#closed) throw new SojournError('REPLICA_CLOSED', 'the replica was closed')
  }

  /** What a peer sent is not refused for what the rows lack: it is acknowledged when there is {@link room}, and that bounds it. */
  #admit(isLocal: boolean): void {
    const { writer, checkpoint } = this.#parts
    writer.admit()
    if (isLocal) checkpoint.admit()
  }

  /** Resolves when the rows have so much of what changed that more may change; undefined where they have. */
  room(): Promise<void> | undefined {
    return this.#parts.checkpoint.room()
  }

  #commit(key: SessionKey, reading: Reading, decision: Decision, options: TransactOptions): Committed {
    const { next } = decision
    if (next === undefined) {
      const entry = reading.state === 'held' ? reading : undefined
      const [sequence, bytes] = [entry?.sequence ?? 0, entry?.size ?? 0]
      return { decision, entry, sequence, bytes, done: this.written(key) }
    }
    const { entry, encoded } = nextState(reading, decision, next, this.#head + 1)
    options.checkSize?.(encoded.length, next, reading)
    const origin = decision.isRevived ? undefined : this.#inherit(key, reading, options.origin)
    this.#head++
    const done = this.#add({
      key,
      sequence: entry.sequence,
      base: reading.state === 'held' ? reading.sequence : 0,
      entry,
      encoded,
      item: itemOf(key, decision, encoded, options.bytes, this.#isTaken),
      origin,
      event: decision.event,
      source: options.source ?? 'local',
      passing: options.passing ?? false,
    })
    return { decision, entry, sequence: entry.sequence, bytes: entry.size, done }
  }

  readonly #isTaken = (change: Uint8Array): boolean => isTaken(change, this.#options.limits)

  #add(commit: Commit): Promise<void> {
    const pending = commit as Pending
    pending.done = this.#parts.writer.add(pending)
    this.#reader.pend(pending)
    return pending.done
  }

  /** A record may name an origin only if all that it holds came from there: else a peer that skips it would miss something. */
  #inherit(key: SessionKey, reading: Reading, origin: Origin | undefined): Origin | undefined {
    if (origin === undefined || reading.state === 'absent') return origin
    const pending = this.#reader.pending(key)
    const previous = pending ? pending.origin : this.#index.originOf(key)
    return previous?.feed === origin.feed ? origin : undefined
  }

  /** Resolves when what {@link read} gives is in the journal; undefined where it is. */
  written(key: SessionKey): Promise<void> | undefined {
    return this.#reader.pending(key)?.done
  }

  /** Removes a record, and all that is known of it. Not a fact that travels: every store does it by itself. */
  purge(key: SessionKey): Promise<void> {
    return this.#add({
      key,
      sequence: this.#head,
      base: 0,
      entry: undefined,
      encoded: undefined,
      item: undefined,
      origin: undefined,
      event: undefined,
      source: 'local',
      passing: false,
    })
  }

  /** @internal The journal has these commits. */
  appended(commits: readonly Pending[]): void {
    const { clock } = this.#options
    const committedAt = clock.monotonic()
    const now = clock.now()
    for (const commit of commits) {
      const { key, sequence, entry, encoded, item, origin } = commit
      this.#committed = Math.max(this.#committed, sequence)
      if (entry && encoded && item) {
        this.#indexed(key, entry.record, encoded, sequence, origin, now)
        this.tail.push({ key, sequence, origin, committedAt, item })
      } else {
        this.#index.remove(key)
        this.#parts.checkpoint.put(key, undefined)
      }
      this.#reader.settled(commit)
    }
    this.#parts.checkpoint.poll()
    this.#options.committed(commits)
  }

  #indexed(
    key: SessionKey,
    record: SessionRecord,
    encoded: Uint8Array,
    sequence: number,
    origin: Origin | undefined,
    now: number,
  ): void {
    const row = rowOf(key, record, encoded, sequence, origin)
    // What comes late can have expired before; the next look at what is due reports it.
    const next = record.kind === 'live' ? expiresAt(record) : row.dueAt
    const { version, isEnded, isCutoff, subject } = row
    this.#index.put(key, {
      sequence,
      origin,
      version,
      isEnded,
      isExpired: false,
      isDue: row.dueAt <= now,
      isCutoff,
      subject,
      dueAt: next,
    })
    this.#parts.checkpoint.put(key, row)
  }

  /** @internal The journal refused these commits. */
  refused(commits: readonly Pending[], error: unknown): void {
    for (const commit of commits) this.#reader.failed(commit)
    this.#options.refused(commits.map(({ key }) => key))
    this.#options.failed(error)
  }

  /** A record is found to be unreadable: it is healed by whoever has it, or given up when nobody can have it any more. */
  markCorrupt(key: SessionKey): void {
    const { clock, maxLifetimeMs, corrupt } = this.#options
    this.#index.markCorrupt(key, clock.now() + longestLifeMs(maxLifetimeMs))
    corrupt(key)
  }

  /** Notes what the clock has made of a record, and when to look again. Returns whether that it expired is news. */
  lookAgain(key: SessionKey, record: SessionRecord, now: number, at: number): boolean {
    const known = this.#index.get(key)
    const isExpired = record.kind === 'live' && expiresAt(record) <= now
    this.#index.markPassed(key, isExpired, dueAt(record) <= now)
    this.#index.setDue(key, at)
    return isExpired && known?.isExpired === false
  }

  /** Comes back to a key later. */
  postpone(key: SessionKey, at: number): void {
    this.#index.setDue(key, at)
  }

  /** Sessions that expired by then were reported. */
  get expiredThrough(): number {
    return this.#expiredThrough
  }

  advanceExpired(time: number): void {
    if (time === this.#expiredThrough) return
    this.#expiredThrough = time
    this.progressed()
  }

  /** The vector moved, so that is worth noting. */
  progressed(): void {
    this.#parts.writer.progressed()
  }

  /** @internal */
  get progress() {
    return { vector: this.#options.vector(), expiredThrough: this.#expiredThrough }
  }

  /** @internal */
  stateAt(checkpoint: number, indexRows = 0): StoreState {
    const { actor, lineage } = this
    return { actor, lineage, ...this.progress, head: this.#committed, checkpoint, indexRows, isIndexCurrent: true }
  }

  /** A copy of the store, for `fillStore`: its records as they are when they are come to, and none older than the first step. */
  rows(): AsyncIterable<readonly Row[]> {
    return snapshotRows(this, this.#options.clock)
  }

  /** Brings all that is in the journal now to the rows. @throws REPLICA_CLOSED, STORE_FAILED, STORE_CORRUPT */
  checkpoint(): Promise<void> {
    return this.#parts.checkpoint.now()
  }

  /** Writes what waits, brings it to the rows, then closes the storage. */
  async close(): Promise<void> {
    this.#closed = true
    const { writer, checkpoint, storage } = this.#parts
    try {
      await writer.close()
      await checkpoint.close()
      const state = this.stateAt(writer.head, await writeIndexCopy(storage.rows, this.#index))
      await storage.rows.write([{ type: 'put', key: STATE_KEY, value: encodeState(state) }], true)
    } finally {
      await storage.close()
    }
  }
}
