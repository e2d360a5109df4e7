/** One region's copy: the session API, answered from its own store, or with other regions where a level asks for them. */
import type {
  AnyData,
  AtOnce,
  CreateOptions,
  Data,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndReceipt,
  EndSubjectOptions,
  IsAssigned,
  Level,
  Lifetimes,
  Limits,
  ReadOptions,
  ReplaceOptions,
  RotateOptions,
  Row,
  Session,
  SessionApi,
  SessionKey,
  Soon,
  StoredSession,
  SubjectSession,
  TouchOptions,
  Update,
  UpdateOptions,
} from '@sojourn/core/internal'
import {
  assignedAt,
  checkCall,
  checkHandle,
  checkIncrement,
  checkPointer,
  checkTop,
  DEFAULT_END_REASON,
  diff,
  GONE,
  incrementEdits,
  optionalDuration,
  quoted,
  readObjectsOf,
  resolveId,
  runDraft,
  SojournError,
  touchSession,
} from '@sojourn/core/internal'
import type { Encryption } from '@sojourn/store'
import type { ReplicaStatus } from '@sojourn/wire'
import { Changes, type Edits } from './changes.js'
import { Commits } from './commits.js'
import { Ends } from './ends.js'
import type { ReplicaEvents } from './events.js'
import { keysAlive, listSessions } from './listing.js'
import { mergePatch } from './merge-patch.js'
import { checkPeer, checkRekey, checkRemoval } from './options.js'
import { Reads } from './reads.js'
import type { Runtime } from './runtime.js'
import { statusOf } from './status.js'
import { SubjectCalls } from './subject-calls.js'

/**
 * One region's copy of all sessions. Made by {@link openReplica}.
 * @example
 * const replica = await openReplica({ region: 'eu', location: './data/eu' })
 * replica.on('ended', ({ key, reason }) => console.log(key, reason))
 */
export class Replica implements SessionApi, AtOnce, AsyncDisposable {
  readonly #runtime: Runtime
  readonly #commits: Commits
  readonly #changes: Changes
  readonly #ends: Ends
  readonly #reads: Reads
  readonly #subjects: SubjectCalls
  #closing: Promise<void> | undefined

  /** @internal Use `openReplica`. */
  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#commits = new Commits(runtime)
    this.#changes = new Changes(runtime, this.#commits)
    this.#ends = new Ends(runtime, this.#commits)
    this.#reads = new Reads(runtime, this.#commits)
    this.#subjects = new SubjectCalls(runtime, this.#commits, this.#changes, this.#ends)
  }

  get region(): string {
    return this.#runtime.settings.region
  }

  /** Where links are accepted; undefined where `listen` was not given. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#runtime.links.address
  }

  /** How long sessions live where a call says nothing. */
  lifetimes(): Lifetimes {
    const { idleTimeoutMs, maxLifetimeMs, atomic } = this.#runtime.settings
    return { idleTimeoutMs, maxLifetimeMs, ...(atomic.size > 0 && { atomic: [...atomic] }) }
  }

  /** The levels of calls that name none. */
  get levels(): { readonly read: Level; readonly write: Level } {
    const { read, write } = this.#runtime.settings
    return { read, write }
  }

  get limits(): Limits {
    return this.#runtime.settings.limits
  }

  /** A corrupt record is asked for first, then the quorum; the disk takes what it takes. */
  get answersWithinMs(): number {
    return 2 * this.#runtime.settings.timeoutMs
  }

  /**
   * @internal Of a server: whom it made calls for (see CALLER in @sojourn/core) is gone for good, and what still waits for other regions is
   * answered at once, as if its time were over.
   */
  abandon(caller: object): void {
    this.#runtime.writes.abandon(caller)
    this.#runtime.reads.abandon(caller)
  }

  async create<T extends object = Data>(data: T, options: CreateOptions = {}): Promise<Session<T>> {
    checkCall('create', options)
    this.#open()
    return this.#subjects.create(data, options)
  }

  async get<T extends object = AnyData>(id: string, options?: ReadOptions): Promise<Session<T> | undefined> {
    return this.getNow<T>(id, options)
  }

  /** @internal As `get`; see {@link AtOnce}. */
  getNow<T extends object = AnyData>(id: string, options?: ReadOptions): Soon<Session<T> | undefined> {
    checkCall('get', options)
    this.#open()
    return this.#reads.get<T>(id, options)
  }

  async update<T extends object = AnyData>(
    id: string,
    update: Update<T>,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkCall('update', options)
    return this.#change<T>(id, options, (data) => {
      const dataOptions = this.#changes.dataOptions(options)
      if (typeof update !== 'function') return diff(data, mergePatch(data, checkTop(update)), dataOptions)
      const { next, isAssigned } = runDraft(data, update)
      return diff(data, next, { ...dataOptions, isAssigned })
    })
  }

  async replace<T extends object = AnyData>(id: string, next: T, options: ReplaceOptions = {}): Promise<Session<T>> {
    return this.replaceNow<T>(id, next, options)
  }

  /** @internal As `replace`; see {@link AtOnce}. */
  replaceNow<T extends object = AnyData>(
    id: string,
    next: T,
    options: ReplaceOptions = {},
    isAssigned?: IsAssigned,
  ): Soon<Session<T>> {
    checkCall('replace', options)
    checkTop(next)
    const dataOptions = {
      ...this.#changes.dataOptions(options),
      counters: new Set(options.counters),
      isAssigned: isAssigned ?? assignedAt(options.assigned),
      objects: readObjectsOf(options),
    }
    return this.#change<T>(id, options, (data) => diff(options.base ?? data, next, dataOptions))
  }

  async increment<T extends object = AnyData>(
    id: string,
    path: string,
    by = 1,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkPointer(path)
    checkIncrement(by)
    checkCall('increment', options)
    const bounds = this.#changes.dataOptions({})
    return this.#change<T>(id, options, (data) => incrementEdits(data, path, by, bounds))
  }

  #change<T extends object>(id: string, options: UpdateOptions, edit: Edits): Soon<Session<T>> {
    this.#open()
    return this.#changes.change<T>(id, options, edit)
  }

  async touch<T extends object = AnyData>(id: string, options: TouchOptions = {}): Promise<Session<T> | undefined> {
    return this.touchNow<T>(id, options)
  }

  /** @internal As `touch`; see {@link AtOnce}. */
  touchNow<T extends object = AnyData>(id: string, options: TouchOptions = {}): Soon<Session<T> | undefined> {
    checkCall('touch', options)
    const { store, settings } = this.#open()
    const resolved = resolveId(id)
    const { key } = resolved
    const request = {
      key,
      renewal: {
        idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
        granularityMs: settings.touchGranularityMs,
      },
      stamps: store.actor,
    }
    return this.#commits.change(
      resolved,
      options,
      (record, now) => {
        const decided = touchSession(record, now, request)
        return 'refusal' in decided ? GONE : decided
      },
      (made) => (made.decision === GONE ? undefined : this.#commits.session<T>(id, key, made.entry!)),
      GONE,
    )
  }

  async end(id: string, options: EndOptions = {}): Promise<boolean> {
    checkCall('end', options)
    this.#open()
    return this.#ends.byId(resolveId(id), options.reason ?? DEFAULT_END_REASON, options)
  }

  async elevate<T extends object = AnyData>(id: string, options: ElevateOptions): Promise<Session<T>> {
    checkCall('elevate', options)
    this.#open()
    return this.#subjects.elevate<T>(id, options)
  }

  async rotate<T extends object = AnyData>(id: string, options: RotateOptions = {}): Promise<Session<T>> {
    checkCall('rotate', options)
    this.#open()
    return this.#subjects.rotate<T>(id, options)
  }

  async *sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    this.#open()
    yield* this.#subjects.sessionsOf(subject)
  }

  async isLive(handle: SessionKey): Promise<boolean> {
    return this.isLiveNow(handle)
  }

  /** @internal As `isLive`; see {@link AtOnce}. */
  isLiveNow(handle: SessionKey): Soon<boolean> {
    this.#open()
    return this.#commits.isLive(checkHandle(handle))
  }

  async endHandle(handle: SessionKey, options: EndHandleOptions = {}): Promise<EndReceipt> {
    checkCall('endHandle', options)
    this.#open()
    return this.#subjects.endHandle(handle, options)
  }

  async endOthers(id: string, options: EndHandleOptions = {}): Promise<EndReceipt> {
    checkCall('endOthers', options)
    this.#open()
    return this.#subjects.endOthers(id, options)
  }

  async endSubject(subject: string, options: EndSubjectOptions = {}): Promise<EndReceipt> {
    checkCall('endSubject', options)
    this.#open()
    return this.#subjects.endSubject(subject, options)
  }

  async *sessions(): AsyncIterable<StoredSession> {
    yield* listSessions(this.#open())
  }

  async count(): Promise<number> {
    return this.#open().store.counts.sessions
  }

  async endAll(options: EndOptions = {}): Promise<number> {
    checkCall('endAll', options)
    this.#open()
    // Asked slice by slice, so that a replica that closes meanwhile says so.
    const keysIn = async (slice: number) => keysAlive(this.#open(), slice)
    return this.#ends.all(options.reason ?? DEFAULT_END_REASON, options, keysIn, this.answersWithinMs)
  }

  /** What the replica is, holds and hears; of a closed one, what it was last. */
  status(): ReplicaStatus {
    return statusOf(this.#runtime)
  }

  on<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): this {
    this.#runtime.events.on(name, listener)
    return this
  }

  off<K extends keyof ReplicaEvents>(name: K, listener: (...event: ReplicaEvents[K]) => void): this {
    this.#runtime.events.off(name, listener)
    return this
  }

  /** Closes every link and refuses new ones, as if the region were cut off, until {@link rejoin}. */
  isolate(): void {
    this.#open().links.isolate()
  }

  rejoin(): void {
    this.#open().links.rejoin()
  }

  /**
   * Compares all keys with every peer in step, rather than a slice now and then, and has what differs repaired. Resolves when all was
   * sent, not when all is repaired; what a link that breaks takes with it is left to the next round.
   */
  async compareDigests(): Promise<void> {
    await this.#open().compareDigests()
  }

  /**
   * What is held of a slice of the keys (those whose first byte is `slice`, 0 to 255), for comparing regions from outside: the same in two
   * regions if and only if they hold the same records there.
   * @param asOf leave out what is due by then (milliseconds since the epoch), which some may have purged
   */
  async digest(slice: number, asOf: number): Promise<{ readonly records: number; readonly digest: string }> {
    return this.#open().digests.digestOf(slice, asOf)
  }

  /** The records that {@link digest} sums: their keys, and the versions of their state. No ids, no data. */
  async versions(
    slice: number,
    asOf: number,
  ): Promise<readonly { readonly key: SessionKey; readonly version: string }[]> {
    return this.#open().digests.versions(slice, asOf)
  }

  /**
   * Seals the store anew while it goes on, with a new data key under the ring's active key; afterwards no other key is needed.
   * @param encryption the key ring from now on; default: the one that the replica was opened with
   * @throws INVALID_OPTION where the store is in the clear; ENCRYPTION_KEY, STORE_FAILED, STORE_CORRUPT, REPLICA_CLOSED
   */
  async rekey(encryption?: Encryption): Promise<void> {
    const { settings, rekey } = this.#open()
    checkRekey(settings, encryption)
    await rekey!.run(encryption)
  }

  /** A copy of the store's rows, made while the replica goes on: for `fillStore` of @sojourn/store. */
  rows(): AsyncIterable<readonly Row[]> {
    return this.#open().store.rows()
  }

  /**
   * Makes a region a member: it is dialed at `url` (`null`: it dials us), and counts in majorities from now on. With another address for
   * a member, dials that one from the next time on. Not remembered: whoever opens the replica again names it in `peers`.
   *
   * One region at a time: majorities of before and after meet in a region only where they differ by one.
   * @throws INVALID_OPTION
   */
  addPeer(region: string, url: string | null): void {
    const runtime = this.#open()
    checkPeer(runtime.settings, region, url)
    runtime.addPeer(region, url)
  }

  /**
   * A region is no member any more: its link is closed, it is refused, and it counts in no majority. Returns whether it was one.
   * @throws INVALID_OPTION where `consistency` asks for more regions than would be left
   */
  removePeer(region: string): boolean {
    const runtime = this.#open()
    if (!runtime.settings.peers.has(region)) return false
    checkRemoval(runtime.settings)
    runtime.removePeer(region)
    return true
  }

  /** Writes what waits, sends it to the peers in step, closes the links, then the store. */
  close(): Promise<void> {
    this.#closing ??= this.#runtime.close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): Runtime {
    if (this.#closing) throw new SojournError('REPLICA_CLOSED', `the replica of ${quoted(this.region)} was closed`)
    return this.#runtime
  }
}
