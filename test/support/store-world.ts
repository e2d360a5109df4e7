/** One record store on a simulated disk whose process dies and comes back, and beside it every state that each record ever had. */
import type {
  ActorId,
  Data,
  Decided,
  Edit,
  Journal,
  Limits,
  Row,
  SessionKey,
  SessionRecord,
  StorageEngine,
} from '@sojourn/core/internal'
import {
  changeSession,
  createSession,
  DEFAULT_LIMITS,
  decodeItem,
  EMPTY_FOLD,
  encodeItem,
  encodeRecord,
  endSession,
  type Item,
  isSojournError,
  joinRecords,
  type LiveRecord,
  mutate,
  recordVersion,
  renewLease,
  SojournError,
  sessionKey,
  takeItem,
  touchSession,
  versionHash,
} from '@sojourn/core/internal'
import {
  type Commit,
  type Committed,
  type Fsync,
  fillStore,
  type Reading,
  RecordStore,
  Rekey,
  SealedEngine,
} from '@sojourn/store'
import { expect } from 'vitest'
// Not doors of their packages: who writes which record, and the parts of simulated machines.
import { Actors } from '../../packages/replica/src/actors.js'
import { Disk } from '../../packages/sim/src/disk.js'
import { Network } from '../../packages/sim/src/network.js'
import { Prng } from '../../packages/sim/src/prng.js'
import { Process } from '../../packages/sim/src/process.js'
import { MachineClock, WorldTime } from '../../packages/sim/src/time.js'
import { newRecordOf } from './records.js'

const IDLE_MS = 1_800_000
const LIFETIME_MS = 43_200_000
/** How long anything may take, in the time of the world. */
const PATIENCE_MS = 60_000

const ABSENT = 'absent'
const PEER_FEED = 'bb'.repeat(16)

/** What a record was after a commit. */
export interface State {
  /** Names the state; {@link ABSENT} where there is no record. */
  readonly version: string
  /** Of a purge: that of the commit before. */
  readonly sequence: number
  readonly actor: string
  /** As what it came from the peer. */
  readonly origin: number | undefined
  /** The last entry of the journal that may have it; undefined: it is not known to be there. */
  entry: number | undefined
  /** Its caller was answered. */
  isAcked: boolean
  /** Its caller was refused, and it is not in the journal. */
  isRefused: boolean
}

export interface StoreWorldOptions {
  readonly seed: number
  readonly fsync: Fsync
  readonly limits: Partial<Limits>
  /** How long an append takes, milliseconds; 0: it is taken at once. */
  readonly appendMs: number
  /** Whether rows are read as promises. */
  readonly isRemote: boolean
  /** Whether the store is encrypted. Default: false. */
  readonly isSealed?: boolean
}

/** `off`: closed in order, and then the power goes. */
export type End = 'close' | 'off' | 'kill' | 'power'

export const keyOf = (n: number): SessionKey => sessionKey(`session ${n}`)

export class StoreWorld {
  readonly time = new WorldTime()
  readonly disk: Disk
  readonly #options: StoreWorldOptions
  readonly #random: Prng
  readonly #clock: MachineClock
  readonly #network: Network
  #process: Process | undefined
  #store: RecordStore | undefined
  #actors = new Actors('')
  #incarnations = 0
  /** Of the storage that is open now. */
  #journal: Journal | undefined
  /** Entries through this number outlive a loss of power; */
  #synced = 0
  /** those through this one outlived the last ones, since the store was looked at. */
  #outlived = Number.POSITIVE_INFINITY
  /** All states of each record, as far as they were not lost. */
  readonly histories = new Map<SessionKey, State[]>()
  /** Of every feed there was, the last sequence that was given out. */
  readonly #given = new Map<string, number>()
  /** What the peer holds; it has it for ever. */
  readonly #peer = new Map<SessionKey, SessionRecord>()
  #peerSequence = 0
  /** What the store holds of the peer's feed. */
  #claimed = 0
  /** Keys that the store reported as corrupt since it was opened. */
  readonly reported: SessionKey[] = []
  /** Entries that could not be read when it was opened. */
  readonly #unreadable = new Set<number>()
  /** The first entry that was read then. */
  #replayedFrom = 0
  readonly failures: unknown[] = []
  /** The keys of the ring: the ones that the store may need. */
  #ring: { readonly [id: string]: string } = { 'key-0': '00'.repeat(32) }
  #ringKeys = 0
  #rekey: Rekey | undefined
  readonly rekeys = { begun: 0, done: 0 }

  constructor(options: StoreWorldOptions) {
    this.#options = options
    this.#random = new Prng(`store ${options.seed}`)
    const speed = { writeMs: 2, syncMs: 8, appendMs: options.appendMs }
    this.disk = new Disk(this.time, this.#random.fork('disk'), speed)
    this.#clock = new MachineClock(this.time, 0)
    this.#network = new Network(this.time, this.#random.fork('network'), () => {})
  }

  get isAlive(): boolean {
    return this.#process?.isAlive() === true
  }

  get store(): RecordStore {
    return this.#store!
  }

  /** Lets time pass until a promise is settled; undefined where the process dies before that. */
  async settled<T>(promise: T | Promise<T>): Promise<T | undefined> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined
    Promise.resolve(promise).then(
      (value) => {
        outcome = { value }
      },
      (error: unknown) => {
        outcome = { error }
      },
    )
    await this.time.advance(PATIENCE_MS, () => outcome !== undefined || !this.isAlive)
    if (outcome === undefined && this.isAlive) throw new Error('something did not come to an end')
    if (outcome && 'error' in outcome) throw outcome.error
    return outcome?.value
  }

  #newProcess(): Process {
    const machine = { name: 'a', clock: this.#clock, disk: this.disk, time: this.time, network: this.#network }
    this.#process = new Process(machine, this.#random.fork(`process ${++this.#incarnations}`))
    return this.#process
  }

  /** Fills the place of the store, which must be empty, with a copy of another one. */
  async fill(rows: readonly (readonly Row[])[]): Promise<void> {
    const process = this.#newProcess()
    await this.settled(fillStore(process.ports.storage, '/', streamed(rows)))
    process.kill(true)
  }

  /** Opens the store in a new process; false where that dies meanwhile. */
  async open(fuse?: number): Promise<boolean> {
    const process = this.#newProcess()
    if (fuse !== undefined) process.dieAfter(fuse, () => process.kill(true))
    this.reported.length = 0
    this.#unreadable.clear()
    this.failures.length = 0
    const watched = this.#watched(process.ports.storage)
    const sealed = this.#options.isSealed ? this.#sealed(watched, process) : undefined
    const opened = await this.settled(
      RecordStore.open({
        engine: sealed ?? watched,
        location: '/',
        clock: process.ports.clock,
        random: process.ports.random,
        fsync: this.#options.fsync,
        limits: { ...DEFAULT_LIMITS, ...this.#options.limits },
        maxLifetimeMs: LIFETIME_MS,
        committed: (commits) => this.#committed(commits),
        refused: () => {},
        failed: (error) => this.failures.push(error),
        corrupt: (key) => this.reported.push(key),
        vector: () => (this.#claimed === 0 ? [] : [{ feed: PEER_FEED, through: this.#claimed }]),
      }),
    )
    if (opened === undefined || !process.isAlive()) return false
    this.#store = opened
    this.#actors = new Actors(opened.actor)
    this.#rekey = sealed && new Rekey(sealed.seal!, opened, process.ports.clock)
    process.defuse()
    return true
  }

  /** Data keys are spent soon, so that they are noted and rolled at any time. */
  #sealed(engine: StorageEngine, { ports }: Process): SealedEngine {
    const encryption = { keys: this.#ring, active: `key-${this.#ringKeys}` }
    return new SealedEngine(engine, { encryption, random: ports.random, reservedSeals: 16, maxSeals: 64 })
  }

  /** Seals the store anew under another key of the ring, while what follows goes on. Once that is through, the ring has no other key. */
  rekey(): void {
    const process = this.#process!
    if (this.#rekey === undefined || this.#rekey.status.isRekeying) return
    const active = `key-${++this.#ringKeys}`
    const key = String(this.#ringKeys % 100)
      .padStart(2, '0')
      .repeat(32)
    this.#ring = { ...this.#ring, [active]: key }
    this.rekeys.begun++
    this.#rekey.run({ keys: this.#ring, active }).then(
      () => {
        if (!process.isAlive()) return
        this.#ring = { [active]: key }
        this.rekeys.done++
      },
      (error: unknown) => expect(isSojournError(error) && error.code).toMatch(/^(STORE_FAILED|REPLICA_CLOSED)$/),
    )
  }

  /** Notes what a loss of power would leave, and reads rows as the options say. */
  #watched(engine: StorageEngine): StorageEngine {
    return {
      open: async (location) => {
        const storage = await engine.open(location)
        const { journal, rows } = storage
        this.#journal = journal
        // Whoever was closed in order needed no more of it.
        this.#synced = Math.min(this.#synced, journal.head)
        const sync = async () => {
          const { head } = journal
          await journal.sync()
          this.#synced = Math.max(this.#synced, head)
        }
        const read = (after: number) => this.#noted(journal.read(after))
        const get = (key: Uint8Array) =>
          new Promise<Uint8Array | undefined>((resolve) => this.time.schedule(1, () => resolve(rows.get(key) as never)))
        return {
          close: () => storage.close(),
          journal: Object.create(journal, { sync: { value: sync }, read: { value: read } }) as Journal,
          rows: this.#options.isRemote ? { ...rows, get } : rows,
        }
      },
    }
  }

  async *#noted(chunks: ReturnType<Journal['read']>): ReturnType<Journal['read']> {
    this.#replayedFrom = Number.POSITIVE_INFINITY
    for await (const chunk of chunks) {
      for (const { number, bytes } of chunk) {
        this.#replayedFrom = Math.min(this.#replayedFrom, number)
        if (bytes === undefined) this.#unreadable.add(number)
      }
      yield chunk
    }
  }

  #committed(commits: readonly Commit[]): void {
    for (const { key, sequence, entry } of commits) {
      const state = this.#historyOf(key).find(
        (each) => each.entry === undefined && each.sequence === sequence && (each.version === ABSENT) === !entry,
      )!
      state.entry = this.#journal!.head
      if (state.origin !== undefined) {
        this.#claimed = Math.max(this.#claimed, state.origin)
        this.store.progressed()
      }
      const { actor } = this.store
      if (entry) expect(sequence).toBeGreaterThan(this.#given.get(actor) ?? this.store.recovered.head)
      this.#given.set(actor, Math.max(sequence, this.#given.get(actor) ?? 0))
    }
  }

  /** Whether opening the store replayed the entry that has a state. */
  #isReplayed({ entry }: State): boolean {
    return entry !== undefined && entry >= this.#replayedFrom
  }

  #historyOf(key: SessionKey): State[] {
    let history = this.histories.get(key)
    if (history === undefined) {
      history = [
        { version: ABSENT, sequence: 0, actor: '', origin: undefined, entry: 0, isAcked: true, isRefused: false },
      ]
      this.histories.set(key, history)
    }
    return history
  }

  // What callers do.

  #writer(key: SessionKey) {
    return { stamps: this.store.actor, actorFor: (seen: Iterable<ActorId>) => this.#actors.for(key, seen) }
  }

  async create(key: SessionKey, size: number): Promise<void> {
    const edits: Edit[] = [{ kind: 'set', path: '/text', value: 'x'.repeat(size) }]
    const writer = { stamps: this.store.actor, actorFor: () => this.#actors.mint() }
    const request = { edits, idleTimeoutMs: IDLE_MS, lifetimeMs: LIFETIME_MS, writer }
    await this.#transact(key, (record) => createSession(record, this.#clock.wall, request))
  }

  async change(key: SessionKey, edits: readonly Edit[]): Promise<void> {
    const options = { touch: false, renewal: {}, writer: this.#writer(key) }
    const request = { key, edit: () => edits, view: (): Data => ({}), ...options }
    await this.#transact(key, (record) => changeSession(record, this.#clock.wall, request))
  }

  async touch(key: SessionKey): Promise<void> {
    const renewal = { idleTimeoutMs: IDLE_MS + this.#random.int(1, 1_000_000) }
    const request = { key, renewal, stamps: this.store.actor }
    await this.#transact(key, (record) => touchSession(record, this.#clock.wall, request))
  }

  /** Also what cannot be read. */
  async end(key: SessionKey): Promise<void> {
    const request = { key, reason: 'logout', stamps: this.store.actor, maxLifetimeMs: LIFETIME_MS } as const
    await this.#transact(key, (record) => endSession(record, this.#clock.wall, request), {}, true)
  }

  purge(key: SessionKey): void {
    const history = this.#historyOf(key)
    if (this.latest(key).version === ABSENT) return
    const sequence = this.store.head
    const state = this.#newState(ABSENT, sequence, undefined)
    history.push(state)
    this.#await(state, this.store.purge(key))
  }

  /** The peer edits its copy, or renews it, and sends what changed. */
  async peerChanges(key: SessionKey, value: string, kind: 'changes' | 'lease' | 'record'): Promise<void> {
    const item = this.#peerItem(key, value, kind)
    const origin = { feed: PEER_FEED, sequence: ++this.#peerSequence }
    const bytes = encodeItem(item)
    const made = await this.#take(key, bytes, origin)
    if (!made?.decision.isMissing) return
    const whole: Item = { type: 'record', key, record: encodeRecord(this.#peer.get(key)!) }
    await this.#take(key, encodeItem(whole), origin)
  }

  #peerItem(key: SessionKey, value: string, kind: 'changes' | 'lease' | 'record'): Item {
    const before = this.#peer.get(key) ?? newRecord(this.#clock.wall)
    if (before.kind === 'ended') return { type: 'end', key, end: before.end }
    const renewal = { idleTimeoutMs: IDLE_MS + 2_000_000 + this.#peerSequence }
    const lease = renewLease(before.lease, this.#clock.wall, PEER_FEED, renewal)
    const mutation = mutate(before.document, PEER_FEED, [{ kind: 'set', path: '/peer', value }])
    const document = mutation?.fold ?? before.document
    const record = { ...before, document, lease: kind === 'lease' ? lease : before.lease }
    this.#peer.set(key, record)
    if (kind === 'lease') return { type: 'lease', key, lease }
    if (kind === 'changes' && mutation) return { type: 'changes', key, changes: mutation.changes, lease: undefined }
    return { type: 'record', key, record: encodeRecord(record) }
  }

  /** The peer hears of what the store holds. */
  async peerLearns(key: SessionKey): Promise<void> {
    const reading = await this.settled(this.store.read(key))
    if (reading?.state !== 'held') return
    const theirs = this.#peer.get(key)
    this.#peer.set(key, theirs ? joinRecords(theirs, reading.record) : reading.record)
  }

  #take(key: SessionKey, bytes: Uint8Array, origin: { feed: string; sequence: number }) {
    const limits = { ...DEFAULT_LIMITS, ...this.#options.limits }
    return this.#transact(key, (record) => takeItem(record, decodeItem(bytes), { limits, now: this.#clock.wall }), {
      source: 'b',
      origin,
      bytes,
    })
  }

  async #transact(
    key: SessionKey,
    decide: (record: SessionRecord | undefined) => Decided,
    options: Parameters<RecordStore['transact']>[2] = {},
    alsoCorrupt = false,
  ): Promise<Committed | undefined> {
    let made: Committed | undefined
    let before: SessionRecord | undefined
    const look = (reading: Reading): Decided => {
      if (reading.state === 'corrupt' && !alsoCorrupt)
        return { refusal: new SojournError('STORE_CORRUPT', 'it cannot be read') }
      before = reading.state === 'held' ? reading.record : undefined
      return decide(before)
    }
    try {
      made = await this.settled(this.store.transact(key, look, options))
    } catch (error) {
      if (!isSojournError(error)) throw error
      expect(['SESSION_NOT_FOUND', 'SESSION_EXISTS', 'STORE_FENCED', 'STORE_CORRUPT']).toContain(error.code)
      return undefined
    }
    const next = made?.decision.next
    if (made && next) {
      if (options.origin && next.kind === 'live' && !before) this.#actors.arrived(key, next.document.seen.keys())
      const state = this.#newState(recordVersion(next), made.sequence, options.origin?.sequence)
      this.#historyOf(key).push(state)
      this.#await(state, made.done!)
    }
    return made
  }

  #newState(version: string, sequence: number, origin: number | undefined): State {
    return { version, sequence, actor: this.store.actor, origin, entry: undefined, isAcked: false, isRefused: false }
  }

  #await(state: State, done: Promise<void>): void {
    const process = this.#process!
    done.then(
      () => {
        if (process.isAlive()) state.isAcked = true
      },
      (error: unknown) => {
        expect(isSojournError(error) && error.code).toMatch(/^STORE_(FAILED|FENCED)$/)
        state.isRefused = state.entry === undefined
      },
    )
  }

  // What goes wrong.

  /** The process dies in the n-th call of a port from now on. */
  dieAfter(calls: number): void {
    const process = this.#process!
    process.dieAfter(calls, () => process.kill(true))
  }

  /** Ends the process, in order or not; returns how it went. */
  async stop(how: End): Promise<End> {
    let went = how
    if ((how === 'close' || how === 'off') && this.isAlive) {
      await this.settled(this.#rekey?.close())
      const isClosed = await this.settled(this.store.close().then(() => true)).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'STORE_FAILED' })
      })
      // Whoever closes in order has all of it on the disk, whatever `fsync` says.
      if (isClosed) this.#synced = this.#journal!.head
      else went = how === 'off' ? 'power' : 'kill'
    } else if (how === 'close') went = 'kill'
    else if (how === 'off') went = 'power'
    const hasPower = how === 'close' || how === 'kill'
    if (this.isAlive) this.#process!.kill(hasPower)
    this.#outlived = Math.min(this.#outlived, this.#synced)
    if (!hasPower) this.disk.lostPower()
    await this.time.advance(1)
    return went
  }

  // What must be so.

  /** The state in which a record is. */
  latest(key: SessionKey): State {
    return this.#historyOf(key).findLast(({ isRefused }) => !isRefused)!
  }

  /**
   * After the store was opened again: each record is in a state that it had, none older than what must have outlived the end; what the
   * store says of itself is true.
   */
  async verify(how: End): Promise<void> {
    const held = new Map<SessionKey, Reading>()
    const lost: State[] = []
    for (const [key, history] of this.histories) {
      const reading = (await this.settled(this.store.read(key)))!
      held.set(key, reading)
      const place = placeOf(history, reading)
      const kept = history.findLastIndex((state) => this.#mustBeKept(state, how))
      const least = how === 'close' || how === 'off' ? history.indexOf(this.latest(key)) : kept
      if (place < least) throw new Error(`${key} is ${describe(reading)}, after ${how}; it was ${show(history, least)}`)
      lost.push(...history.splice(place + 1).filter(({ isRefused }) => !isRefused))
      for (const state of history) state.isAcked = true
      history[place]!.entry ??= this.#journal!.head
    }
    expect(this.reported).toEqual([])
    expect(this.store.recovered).toMatchObject({ corrupt: [], lostEntries: 0 })
    this.#outlived = Number.POSITIVE_INFINITY
    this.#verifyClaims(lost)
    this.verifyIndex(held)
  }

  #mustBeKept({ entry, isAcked }: State, how: End): boolean {
    return how === 'power' ? entry !== undefined && entry <= this.#outlived : isAcked || entry !== undefined
  }

  /**
   * After something of a killed store was damaged: a record is in a state that it had, or corrupt, which is reported; it is not in an older
   * state where the journal says that there was a later one.
   * @param rows keys whose rows were damaged, or brought back
   * @param isTorn whether the end of the journal was lost
   */
  async verifyDamaged(rows: ReadonlySet<SessionKey>, isTorn: boolean): Promise<void> {
    const { recovered } = this.store
    const lost: State[] = []
    const readings = new Map<SessionKey, Reading>()
    expect(recovered.lostEntries).toBe(this.#unreadable.size)
    for (const [key, history] of this.histories) {
      const reading = (await this.settled(this.store.read(key)))!
      readings.set(key, reading)
      if (reading.state === 'corrupt') {
        expect(recovered.corrupt.includes(key) || this.reported.includes(key)).toBe(true)
        if (!rows.has(key)) lost.push(...history.filter((state) => this.#isUnreadable(state)))
        continue
      }
      const place = placeOf(history, reading)
      const least = this.#leastDamaged(history, rows.has(key), isTorn)
      if (place < least) throw new Error(`${key} is ${describe(reading)}; it was ${show(history, least)}`)
      const after = history.splice(place + 1).filter(({ isRefused }) => !isRefused)
      if (!rows.has(key)) lost.push(...after)
      for (const state of history) state.isAcked = true
      history[place]!.entry ??= this.#journal!.head
    }
    this.#outlived = Number.POSITIVE_INFINITY
    this.#synced = Math.min(this.#synced, this.#journal!.head)
    this.#verifyClaims(lost)
    this.verifyIndex(readings)
    await this.#giveUp(readings)
  }

  #isUnreadable({ entry }: State): boolean {
    return entry !== undefined && this.#unreadable.has(entry)
  }

  /** The oldest state in which a record can be that is not corrupt. */
  #leastDamaged(history: readonly State[], isRowDamaged: boolean, isTorn: boolean): number {
    const { head } = this.#journal!
    const latest = history.findLastIndex(({ isAcked, entry }) => isAcked || entry !== undefined)
    // Its own last entries are lost, so nobody can know that there was more.
    if (isTorn) return history.findLastIndex(({ entry }) => entry !== undefined && entry < head)
    const read = history.slice(0, latest + 1).findLastIndex((state) => !this.#isUnreadable(state))
    return isRowDamaged && !this.#isReplayed(history[read]!) ? 0 : read
  }

  /** Corrupt records are ended: so the store goes on without any. */
  async #giveUp(readings: ReadonlyMap<SessionKey, Reading>): Promise<void> {
    for (const [key, { state }] of readings) {
      if (state !== 'corrupt') continue
      this.histories.delete(key)
      await this.end(key)
    }
  }

  /** Nothing is claimed of any feed, own ones and the peer's, that was lost. */
  #verifyClaims(lost: readonly State[]): void {
    const { recovered, lineage, actor } = this.store
    expect(this.#given.has(actor)).toBe(false)
    expect(recovered.heldThrough).toBeLessThanOrEqual(recovered.head)
    const through = recovered.progress.vector.find(({ feed }) => feed === PEER_FEED)?.through ?? 0
    this.#claimed = through
    for (const { version, sequence, actor: feed, origin } of lost) {
      if (origin !== undefined) expect(origin, 'claimed of the peer').toBeGreaterThan(through)
      const ancestor = lineage.find((each) => each.feed === feed)
      if (ancestor && version !== ABSENT) expect(sequence, 'claimed of itself').toBeGreaterThan(ancestor.through)
    }
  }

  /** The index says what reading all records says. */
  verifyIndex(readings: ReadonlyMap<SessionKey, Reading>): void {
    const { index, counts } = this.store
    const held = [...readings].flatMap(([key, reading]) => (reading.state === 'held' ? [{ key, ...reading }] : []))
    const known = [...readings].filter(([, { state }]) => state !== 'absent').map(([key]) => key)
    expect([...index.keys()].flat()).toEqual(known.sort())
    const sum = (half: 'high' | 'low') =>
      held.reduce((total, { key, record }) => (total + versionHash(key, record)[half]) >>> 0, 0)
    expect(index.sum).toEqual({ high: sum('high'), low: sum('low') })
    const tombstones = held.filter(({ record }) => record.kind === 'ended').length
    expect(counts).toEqual({ sessions: known.length - tombstones, expired: 0, tombstones })
    const feed = []
    const cursor = index.openFeed(0)
    for (let next = index.nextInFeed(cursor); next; next = index.nextInFeed(cursor)) feed.push(next)
    index.closeFeed(cursor)
    const bySequence = held.sort((a, b) => a.sequence - b.sequence)
    expect(
      feed.filter(({ key }) => readings.get(key)?.state === 'held').map(({ key, sequence }) => ({ key, sequence })),
    ).toEqual(bySequence.map(({ key, sequence }) => ({ key, sequence })))
  }
}

const streamed = async function* <T>(list: readonly T[]): AsyncIterable<T> {
  yield* list
}

const newRecord = (now: number): LiveRecord =>
  newRecordOf(EMPTY_FOLD, PEER_FEED, { now, idleMs: IDLE_MS, lifeMs: LIFETIME_MS })

/** The latest state that a reading can be. */
const placeOf = (history: readonly State[], reading: Reading): number =>
  history.findLastIndex(({ version, sequence, isRefused }) =>
    reading.state === 'held'
      ? !isRefused && version === recordVersion(reading.record) && sequence === reading.sequence
      : !isRefused && reading.state === 'absent' && version === ABSENT,
  )

const describe = (reading: Reading): string =>
  reading.state === 'held' ? `${recordVersion(reading.record)} at ${reading.sequence}` : reading.state

const show = (history: readonly State[], from: number): string =>
  history
    .map(({ version, sequence, entry, isAcked, isRefused }, place) => {
      const how = isRefused ? ', refused' : isAcked ? ', acknowledged' : ''
      return `${place >= from ? '' : 'formerly '}${version} at ${sequence} in entry ${entry}${how}`
    })
    .join('; ')
