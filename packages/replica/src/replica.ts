import type {
  AnyData,
  CreateOptions,
  Data,
  EndOptions,
  EndReason,
  Level,
  Limits,
  LiveRecord,
  ReadOptions,
  ReplaceOptions,
  Session,
  SessionApi,
  SessionKey,
  SessionRecord,
  StorageRow,
  StoredSession,
  TouchOptions,
  Update,
  UpdateOptions,
  WriteOptions,
} from '@sojourn/core'
import {
  callerOf,
  checkIncrement,
  checkPointer,
  checkReason,
  checkTop,
  diff,
  type Edit,
  EMPTY_FOLD,
  editsFor,
  expiresAt,
  isSojournError,
  isVisible,
  mutate,
  newSessionId,
  openLease,
  optionalDuration,
  quorumUnmet,
  regionsNeeded,
  renewLease,
  runDraft,
  SojournError,
  sessionKey,
  verdict,
} from '@sojourn/core'
import type { Entry } from '@sojourn/store'
import type { Item } from '@sojourn/wire'
import { exportDocument } from './automerge-export.js'
import { Commits, type Made } from './commits.js'
import { SLICES } from './digests.js'
import { endAll } from './end-all.js'
import type { ReplicaEvents } from './events.js'
import { mergePatch } from './merge-patch.js'
import { checkPeer, checkRemoval } from './options.js'
import { patienceOf } from './patience.js'
import type { Runtime } from './runtime.js'
import type { ReplicaStatus } from './status.js'
import { statusOf } from './status.js'

/** How much longer than a single call `endAll` waits for the next end, milliseconds: a disk may be busy. */
const STALL_MS = 10_000

/** One region's copy: answers reads and writes from its own store, or with other regions where a level asks for them. */
export class Replica implements SessionApi, AsyncDisposable {
  readonly #runtime: Runtime
  readonly #commits: Commits
  #closing: Promise<void> | undefined

  /** @internal Use `openReplica`. */
  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#commits = new Commits(runtime)
  }

  get region(): string {
    return this.#runtime.settings.region
  }

  /** Where links are accepted; undefined where `listen` was not given. */
  get address(): { readonly host: string; readonly port: number } | undefined {
    return this.#runtime.links.address
  }

  /** The levels of calls that name none. */
  get levels(): { readonly read: Level; readonly write: Level } {
    const { read, write } = this.#runtime.settings
    return { read, write }
  }

  get limits(): Limits {
    return this.#runtime.settings.limits
  }

  /** A rotten record is asked for first, then the quorum; the disk takes what it takes. */
  get answersWithinMs(): number {
    return 2 * this.#runtime.settings.timeoutMs
  }

  /**
   * @internal Of a server: whom it made calls for (see CALLER in @sojourn/core) is gone for good, and what still waits for other regions is
   * answered at once, as if its time were over.
   */
  abandon(caller: object): void {
    this.#runtime.writes.abandon(caller)
    this.#runtime.inquiries.abandon(caller)
  }

  async create<T extends object = Data>(data: T, options: CreateOptions = {}): Promise<Session<T>> {
    const { store, settings } = this.#open()
    const id = options.id ?? newSessionId(settings.ports.random)
    const key = sessionKey(id)
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout') ?? settings.idleTimeoutMs
    const lifetimeMs = optionalDuration(options.maxLifetime, 'maxLifetime') ?? settings.maxLifetimeMs
    if (lifetimeMs > settings.maxLifetimeMs)
      throw new SojournError(
        'INVALID_OPTION',
        `maxLifetime is longer than the store's session.maxLifetime (${settings.maxLifetimeMs} ms), which is what regions remember an ended id for`,
        { option: 'maxLifetime' },
      )
    checkTop(data)
    // An id that was just made of 256 random bits is nobody's.
    const healing = options.id === undefined ? undefined : this.#commits.sound(key)
    if (healing) await healing
    return this.#write(options, () => {
      const { now } = this.#commits.admit()
      if (options.id !== undefined) this.#refuseTaken(store.read(key)?.record, now)
      const edits = editsFor(data, { maxDepth: settings.limits.maxDepth })
      const deadline = now + lifetimeMs
      const record: LiveRecord = {
        kind: 'live',
        document: mutate(EMPTY_FOLD, this.#runtime.actors.mint(), edits)?.fold ?? EMPTY_FOLD,
        lease: openLease(idleTimeoutMs, now, store.actor),
        limit: { createdAt: now, deadline, horizon: deadline },
      }
      return this.#commits.live<T>(id, key, record, undefined, { name: 'created', body: { key, origin: 'local' } })
    })
  }

  #refuseTaken(record: SessionRecord | undefined, now: number): void {
    if (record === undefined) return
    const state = record.kind === 'ended' ? 'ended' : isVisible(record, now) ? 'live' : 'expired'
    throw new SojournError('SESSION_EXISTS', `the id is taken by a session that is ${state}`, { state })
  }

  async get<T extends object = AnyData>(id: string, options?: ReadOptions): Promise<Session<T> | undefined> {
    const { store, settings } = this.#open()
    const key = sessionKey(id)
    const level = options?.read ?? settings.read
    if (level !== 'local' && level !== 1) await this.#consult(key, level, options)
    const healing = this.#commits.sound(key)
    if (healing) await healing
    const entry = store.read(key)
    return entry && isVisible(entry.record, settings.ports.clock.now())
      ? this.#commits.session<T>(id, entry)
      : undefined
  }

  /** What a quorum of regions holds is here afterwards. */
  async #consult(key: SessionKey, level: Level, options: ReadOptions | undefined): Promise<void> {
    const { settings, inquiries } = this.#runtime
    const need = regionsNeeded(level, settings.members, 'read')
    if (need === 1) return
    const tally = await inquiries.consult(key, need, patienceOf(settings, options?.timeout), callerOf(options))
    if (verdict(tally) !== 'met') throw quorumUnmet(tally, false)
  }

  async update<T extends object = AnyData>(
    id: string,
    update: Update<T>,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    return this.#change<T>(id, options, (data) => {
      const { maxDepth } = this.#runtime.settings.limits
      if (typeof update !== 'function') return diff(data, mergePatch(data, checkTop(update)), { maxDepth })
      return diff(data, runDraft(data, update), { maxDepth })
    })
  }

  async replace<T extends object = AnyData>(id: string, next: T, options: ReplaceOptions = {}): Promise<Session<T>> {
    const counters = new Set((options.counters ?? []).map(checkPointer))
    checkTop(next)
    return this.#change<T>(id, options, (data) =>
      diff(options.base ?? data, next, { maxDepth: this.#runtime.settings.limits.maxDepth, counters }),
    )
  }

  async increment<T extends object = AnyData>(
    id: string,
    path: string,
    by = 1,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkPointer(path)
    checkIncrement(by)
    return this.#change<T>(id, options, () => [{ kind: 'increment', path, by }])
  }

  /** The common path of everything that changes data: read, edit, commit. */
  async #change<T extends object>(
    id: string,
    options: UpdateOptions,
    edit: (data: Data) => readonly Edit[],
  ): Promise<Session<T>> {
    const { store } = this.#open()
    const key = sessionKey(id)
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout')
    const healing = this.#commits.sound(key)
    if (healing) await healing
    return this.#write(options, () => {
      const { now } = this.#commits.admit()
      const entry = this.#commits.visible(key, now)
      const { record } = entry
      const mutation = mutate(
        record.document,
        this.#runtime.actors.for(key, record.document),
        edit(store.viewOf(entry)!.data),
      )
      const lease = options.touch === false ? record.lease : renewLease(record.lease, now, store.actor, idleTimeoutMs)
      if (mutation === undefined && lease === record.lease) return this.#commits.unchanged<T>(id, key, entry)
      const next: LiveRecord = { ...record, document: mutation?.fold ?? record.document, lease }
      const renewed = lease === record.lease ? undefined : lease
      const item: Item = mutation
        ? { type: 'changes', key, changes: mutation.changes, lease: renewed }
        : { type: 'lease', key, lease }
      return this.#commits.live<T>(id, key, next, item, mutation && { name: 'updated', body: { key, origin: 'local' } })
    })
  }

  async touch<T extends object = AnyData>(id: string, options: TouchOptions = {}): Promise<Session<T> | undefined> {
    const { store, settings } = this.#open()
    const key = sessionKey(id)
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout')
    const healing = this.#commits.sound(key)
    if (healing) await healing
    const before = store.read(key)
    if (!before || !isVisible(before.record, settings.ports.clock.now())) return undefined
    return this.#write(options, () => {
      const { now } = this.#commits.admit()
      const entry = this.#commits.visible(key, now)
      const { record } = entry
      const lease = renewLease(record.lease, now, store.actor, idleTimeoutMs)
      if (lease === record.lease) return this.#commits.unchanged<T>(id, key, entry)
      return this.#commits.live<T>(id, key, { ...record, lease }, { type: 'lease', key, lease }, undefined)
    })
  }

  async end(id: string, options: EndOptions = {}): Promise<boolean> {
    this.#open()
    return this.#endKey(sessionKey(id), checkReason(options.reason) ?? 'logout', options)
  }

  async #endKey(key: SessionKey, reason: EndReason, options: WriteOptions): Promise<boolean> {
    const { store, settings } = this.#runtime
    let unheard = false
    if (store.readSound(key) === undefined) {
      // It may live elsewhere and not have arrived yet. Only where everybody says no there is nothing to end.
      const tally = await this.#runtime.inquiries.consult(key, 'linked', settings.timeoutMs, callerOf(options))
      unheard = tally.answered.length < settings.members
    }
    return this.#write(options, () => {
      const { now } = this.#commits.admit()
      const entry = store.readSound(key)
      if (entry?.record.kind === 'ended') return this.#commits.held(key, entry, false)
      if (entry === undefined && !unheard && !this.#commits.isRotten(key))
        return { sequence: 0, done: Promise.resolve(false), bytes: 0 }
      return this.#commits.end(key, entry?.record, reason, now)
    })
  }

  async rotate<T extends object = AnyData>(id: string, options: WriteOptions = {}): Promise<Session<T>> {
    const { store, settings } = this.#open()
    const key = sessionKey(id)
    const healing = this.#commits.sound(key)
    if (healing) await healing
    return this.#write(options, () => {
      const { now } = this.#commits.admit()
      const entry = this.#commits.visible(key, now)
      const { lease, limit } = entry.record
      const newId = newSessionId(settings.ports.random)
      const newKey = sessionKey(newId)
      const edits = editsFor(store.viewOf(entry)!.data, { maxDepth: settings.limits.maxDepth })
      const record: LiveRecord = {
        kind: 'live',
        document: mutate(EMPTY_FOLD, this.#runtime.actors.mint(), edits)?.fold ?? EMPTY_FOLD,
        lease: openLease(lease.idleTimeoutMs, now, store.actor),
        limit,
      }
      // One batch, the new session first: whoever has seen the end has seen what follows it.
      const made = this.#commits.live<T>(newId, newKey, record, undefined, {
        name: 'created',
        body: { key: newKey, origin: 'local' },
      })
      const ended = this.#commits.end(key, entry.record, 'rotated', now)
      const done = Promise.all([made.done, ended.done]).then(([session]) => session)
      return { sequence: ended.sequence, done, bytes: made.bytes + ended.bytes }
    })
  }

  async *sessions(): AsyncIterable<StoredSession> {
    const { store, settings } = this.#open()
    for await (const keys of store.keys())
      for (const key of keys) {
        const entry = this.#peek(key)
        if (!entry || !isVisible(entry.record, settings.ports.clock.now())) continue
        const { createdAt } = entry.record.limit
        yield { key, data: store.viewOf(entry)!.data, createdAt, expiresAt: expiresAt(entry.record) }
      }
  }

  async count(): Promise<number> {
    return this.#open().store.counts.sessions
  }

  async endAll(options: EndOptions = {}): Promise<number> {
    const { settings } = this.#open()
    const reason = checkReason(options.reason) ?? 'logout'
    return endAll({
      clock: settings.ports.clock,
      slices: Array.from({ length: SLICES }, (_, slice) => () => this.#aliveIn(slice)),
      end: (key) => this.#endKey(key, reason, options),
      stallMs: STALL_MS + this.answersWithinMs,
    })
  }

  /** The keys of a slice that show now. */
  async #aliveIn(slice: number): Promise<SessionKey[]> {
    const { store, settings } = this.#open()
    const alive: SessionKey[] = []
    for await (const keys of store.keys(slice))
      for (const key of keys) {
        const record = this.#peek(key)?.record
        if (record && isVisible(record, settings.ports.clock.now())) alive.push(key)
      }
    return alive
  }

  /** For scans over many records. A rotten one is asked for, and left out. */
  #peek(key: SessionKey): Entry | undefined {
    try {
      return this.#runtime.store.peek(key)
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      this.#runtime.rotten(key)
      return undefined
    }
  }

  /**
   * An ordinary Automerge document with the session's data; undefined where no live session has the id. The history is not
   * kept, so it holds one change. The same state gives the same bytes in every region.
   */
  async exportDocument(id: string): Promise<Awaited<ReturnType<typeof exportDocument>> | undefined> {
    const session = await this.get(id)
    return session && exportDocument(sessionKey(id), session.data)
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
    await this.#open().digests.compareAll()
  }

  /**
   * What is held of a slice of the keys (those whose first byte is `slice`, 0 to 255), for comparing regions from outside: the same in two
   * regions if and only if they hold the same records there.
   * @param asOf leave out what is due by then (milliseconds since the epoch), which some may have purged
   */
  async digest(slice: number, asOf: number): Promise<{ readonly records: number; readonly digest: string }> {
    return this.#open().digests.digestOf(slice, asOf)
  }

  /** The records behind {@link digest}: their keys, and the versions of their state. No ids, no data. */
  async versions(
    slice: number,
    asOf: number,
  ): Promise<readonly { readonly key: SessionKey; readonly version: string }[]> {
    return this.#open().digests.versions(slice, asOf)
  }

  /** A copy of the store's rows as they are at the first step, while the replica goes on: for `fillStore` of @sojourn/store. */
  rows(): AsyncIterable<readonly StorageRow[]> {
    return this.#open().store.rows()
  }

  /**
   * Makes a region a member: it is dialled at `url` (`null`: it dials us), and counts in majorities from now on. With another address for
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
    if (this.#closing) throw new SojournError('REPLICA_CLOSED', `the replica of ${this.region} was closed`)
    return this.#runtime
  }

  /** Makes the write, and waits for as many regions as its level asks for. */
  #write<T>(options: WriteOptions, make: () => Made<T>): Promise<T> {
    const { settings, writes } = this.#runtime
    const need = regionsNeeded(options.write ?? settings.write, settings.members, 'write')
    const timeoutMs = patienceOf(settings, options.timeout)
    if (need === 1) return make().done
    return writes.run(make, need, timeoutMs, callerOf(options))
  }
}
