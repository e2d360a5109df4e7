/** One record store on a simulated disk whose process dies and comes back: what callers do to it, and what must be so afterwards. */
import type { ActorId, Data, Decided, Edit, Item, Limits, SessionKey, SessionRecord } from '@sojourn/core/internal'
import {
  changeSession,
  createSession,
  DEFAULT_LIMITS,
  decodeItem,
  encodeItem,
  endSession,
  isSojournError,
  recordVersion,
  SojournError,
  sessionKey,
  takeItem,
  touchSession,
} from '@sojourn/core/internal'
import { type Commit, type Committed, type Fsync, type Reading, RecordStore } from '@sojourn/store'
import { expect } from 'vitest'
// Not a door of its package: who writes which record.
import { Actors } from '../../packages/replica/src/actors.js'
import {
  ABSENT,
  describeReading,
  describeStates,
  expectIndex,
  firstState,
  placeOf,
  type State,
} from './record-states.js'
import { type End, StoreMachine, type StoreMachineOptions } from './store-machine.js'
import { PEER_FEED, type PeerItemKind, StorePeer } from './store-peer.js'

export type { End }

const IDLE_MS = 1_800_000
const LIFETIME_MS = 43_200_000

export interface StoreWorldOptions extends StoreMachineOptions {
  readonly fsync: Fsync
  readonly limits: Partial<Limits>
}

export const keyOf = (n: number): SessionKey => sessionKey(`session ${n}`)

/** A store on such a machine, and beside it every state that each record ever had. */
export class StoreWorld extends StoreMachine {
  readonly #options: StoreWorldOptions
  #actors = new Actors('')
  /** All states of each record, as far as they were not lost. */
  readonly histories = new Map<SessionKey, State[]>()
  /** Of every feed there was, the last sequence that was given out. */
  readonly #given = new Map<string, number>()
  readonly #peer = new StorePeer({ idleMs: IDLE_MS, lifeMs: LIFETIME_MS })
  /** What the store holds of the peer's feed. */
  #claimed = 0
  /** Keys that the store reported as corrupt since it was opened. */
  readonly reported: SessionKey[] = []
  readonly failures: unknown[] = []

  constructor(options: StoreWorldOptions) {
    super(options)
    this.#options = options
  }

  /** Opens the store in a new process; false where that dies meanwhile. @param fuse calls of ports after which it dies */
  async open(fuse?: number): Promise<boolean> {
    this.reported.length = 0
    this.failures.length = 0
    const isOpen = await this.opened(
      (engine, { ports }) =>
        RecordStore.open({
          engine,
          location: '/',
          clock: ports.clock,
          random: ports.random,
          fsync: this.#options.fsync,
          limits: { ...DEFAULT_LIMITS, ...this.#options.limits },
          maxLifetimeMs: LIFETIME_MS,
          committed: (commits) => this.#committed(commits),
          refused: () => {},
          failed: (error) => this.failures.push(error),
          corrupt: (key) => this.reported.push(key),
          vector: () => (this.#claimed === 0 ? [] : [{ feed: PEER_FEED, through: this.#claimed }]),
        }),
      fuse,
    )
    if (isOpen) this.#actors = new Actors(this.store.actor)
    return isOpen
  }

  #committed(commits: readonly Commit[]): void {
    for (const { key, sequence, entry } of commits) {
      const state = this.#historyOf(key).find(
        (each) => each.entry === undefined && each.sequence === sequence && (each.version === ABSENT) === !entry,
      )!
      state.entry = this.journal!.head
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
    return entry !== undefined && entry >= this.replayedFrom
  }

  #historyOf(key: SessionKey): State[] {
    let history = this.histories.get(key)
    if (history === undefined) {
      history = [firstState()]
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
    await this.#transact(key, (record) => createSession(record, this.clock.wall, request))
  }

  async change(key: SessionKey, edits: readonly Edit[]): Promise<void> {
    const options = { touch: false, renewal: {}, writer: this.#writer(key) }
    const request = { key, edit: () => edits, view: (): Data => ({}), ...options }
    await this.#transact(key, (record) => changeSession(record, this.clock.wall, request))
  }

  async touch(key: SessionKey): Promise<void> {
    const renewal = { idleTimeoutMs: IDLE_MS + this.random.int(1, 1_000_000) }
    const request = { key, renewal, stamps: this.store.actor }
    await this.#transact(key, (record) => touchSession(record, this.clock.wall, request))
  }

  /** Also what cannot be read. */
  async end(key: SessionKey): Promise<void> {
    const request = { key, reason: 'logout', stamps: this.store.actor, maxLifetimeMs: LIFETIME_MS } as const
    await this.#transact(key, (record) => endSession(record, this.clock.wall, request), {}, true)
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
  async peerChanges(key: SessionKey, value: string, kind: PeerItemKind): Promise<void> {
    const item = this.#peer.change(key, value, kind, this.clock.wall)
    const origin = this.#peer.next()
    const made = await this.#take(key, item, origin)
    if (made?.decision.isMissing) await this.#take(key, this.#peer.whole(key), origin)
  }

  /** The peer hears of what the store holds. */
  async peerLearns(key: SessionKey): Promise<void> {
    const reading = await this.settled(this.store.read(key))
    if (reading?.state === 'held') this.#peer.learn(key, reading.record)
  }

  #take(key: SessionKey, item: Item, origin: { readonly feed: string; readonly sequence: number }) {
    const bytes = encodeItem(item)
    const limits = { ...DEFAULT_LIMITS, ...this.#options.limits }
    return this.#transact(key, (record) => takeItem(record, decodeItem(bytes), { limits, now: this.clock.wall }), {
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
    const process = this.process!
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
      if (place < least)
        throw new Error(`${key} is ${describeReading(reading)}, after ${how}; it was ${describeStates(history, least)}`)
      lost.push(...history.splice(place + 1).filter(({ isRefused }) => !isRefused))
      for (const state of history) state.isAcked = true
      history[place]!.entry ??= this.journal!.head
    }
    expect(this.reported).toEqual([])
    expect(this.store.recovered).toMatchObject({ corrupt: [], lostEntries: 0 })
    this.outlived = Number.POSITIVE_INFINITY
    this.#verifyClaims(lost)
    expectIndex(this.store, held)
  }

  #mustBeKept({ entry, isAcked }: State, how: End): boolean {
    return how === 'power' ? entry !== undefined && entry <= this.outlived : isAcked || entry !== undefined
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
    expect(recovered.lostEntries).toBe(this.unreadable.size)
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
      if (place < least)
        throw new Error(`${key} is ${describeReading(reading)}; it was ${describeStates(history, least)}`)
      const after = history.splice(place + 1).filter(({ isRefused }) => !isRefused)
      if (!rows.has(key)) lost.push(...after)
      for (const state of history) state.isAcked = true
      history[place]!.entry ??= this.journal!.head
    }
    this.outlived = Number.POSITIVE_INFINITY
    this.synced = Math.min(this.synced, this.journal!.head)
    this.#verifyClaims(lost)
    expectIndex(this.store, readings)
    await this.#giveUp(readings)
  }

  #isUnreadable({ entry }: State): boolean {
    return entry !== undefined && this.unreadable.has(entry)
  }

  /** The oldest state in which a record can be that is not corrupt. */
  #leastDamaged(history: readonly State[], isRowDamaged: boolean, isTorn: boolean): number {
    const { head } = this.journal!
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
}
