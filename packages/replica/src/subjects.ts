/** The sessions of subjects: which of them cutoffs end, and which are too many. Follows from the records, in every region alike. */
import type {
  Authentication,
  Clock,
  Cutoff,
  CutoffEntry,
  Lease,
  Limit,
  LiveRecord,
  SessionKey,
  SessionRecord,
  SubjectHash,
  Timer,
} from '@sojourn/core/internal'
import { compareStamps, cutBy, cutSession, GONE, isVisible } from '@sojourn/core/internal'
import type { Commit, Reading, RecordStore } from '@sojourn/store'

/** Sessions that are looked at before others run. */
const SESSIONS_A_TURN = 64
/** How soon to look again where the disk refused an end. Milliseconds. */
const RETRY_MS = 1_000

/** Which sessions of a subject go, where there are too many. */
export type AtLimit = 'endOldest' | 'refuse'

export interface SubjectsOptions {
  readonly store: RecordStore
  readonly clock: Clock
  /** Undefined: any number. */
  readonly maxPerSubject: number | undefined
  readonly atLimit: AtLimit
  /** Ends a session that is one too many. */
  readonly displace: (key: SessionKey) => Promise<void>
  readonly failed: (error: unknown) => void
}

/** A session of a subject that shows. Without its data: a subject may have more sessions than fit into the memory with it. */
export interface Shown {
  readonly key: SessionKey
  readonly lease: Lease
  readonly limit: Limit
  readonly authentication: Authentication
}

export class Subjects {
  readonly #options: SubjectsOptions
  /** Of subjects that have some. */
  readonly #cutoffs = new Map<SubjectHash, Cutoff>()
  /** Where each of them is, so that a purge is noticed. */
  readonly #places = new Map<SessionKey, SubjectHash>()
  /** Subjects whose sessions are to be looked at. Bounded by the sessions: each is one of a subject. */
  readonly #due = new Set<SubjectHash>()
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #closed = false

  constructor(options: SubjectsOptions) {
    this.#options = options
  }

  /** Reads the cutoffs that the store has, and goes through what they end: the last process may not have come to it. */
  async start(): Promise<void> {
    const { store } = this.#options
    for (const key of [...store.index.cutoffKeys()]) this.#note(key, await store.peek(key))
    for (const subject of this.#cutoffs.keys()) this.#look(subject)
  }

  #note(key: SessionKey, reading: Reading): void {
    if (reading.state !== 'held' || reading.record.kind !== 'ended' || !reading.record.cutoff) return
    const { cutoff } = reading.record
    this.#cutoffs.set(cutoff.subject, cutoff)
    this.#places.set(key, cutoff.subject)
  }

  /** Commits are in the journal. */
  committed(commits: readonly Commit[]): void {
    for (const { key, entry } of commits) {
      if (entry === undefined) this.#forget(key)
      else if (entry.record.kind === 'ended') {
        if (!entry.record.cutoff) continue
        this.#note(key, entry)
        this.#look(entry.record.cutoff.subject)
      } else {
        const subject = entry.record.identity?.authentication?.subject
        if (subject !== undefined && this.#concerns(subject)) this.#look(subject)
      }
    }
  }

  /** Of a commit, the sessions that show otherwise after it: with a cutoff, all that it may end, before they are ended one by one. */
  changedBy({ key, entry }: Commit): readonly SessionKey[] {
    const cutoff = entry?.record.kind === 'ended' ? entry.record.cutoff : undefined
    return cutoff ? [key, ...this.#options.store.index.keysOfSubject(cutoff.subject)] : [key]
  }

  #concerns(subject: SubjectHash): boolean {
    return this.#options.maxPerSubject !== undefined || this.#cutoffs.has(subject)
  }

  #forget(key: SessionKey): void {
    const subject = this.#places.get(key)
    if (subject === undefined) return
    this.#places.delete(key)
    this.#cutoffs.delete(subject)
  }

  /** Subjects that have cutoffs here. */
  get cutoffs(): number {
    return this.#cutoffs.size
  }

  /** The cutoffs of a subject that are in force here. */
  cutoffOf(subject: SubjectHash): Cutoff | undefined {
    return this.#cutoffs.get(subject)
  }

  /** Whether a session shows at `now`, and no cutoff has ended it. */
  shows(key: SessionKey, record: SessionRecord, now: number): record is LiveRecord {
    return isVisible(record, now) && this.cutOf(key, record) === undefined
  }

  /** The cutoff that ends a session; undefined where none does. */
  cutOf(key: SessionKey, record: LiveRecord): CutoffEntry | undefined {
    if (this.#cutoffs.size === 0) return undefined
    const subject = record.identity?.authentication?.subject
    return subject === undefined ? undefined : cutBy(this.#cutoffs.get(subject), key, record)
  }

  /** The sessions of a subject that show, the oldest login first. */
  async shownOf(subject: SubjectHash): Promise<Shown[]> {
    const { store, clock } = this.#options
    const shown: Shown[] = []
    for (const [count, key] of store.index.keysOfSubject(subject).entries()) {
      if (count % SESSIONS_A_TURN === SESSIONS_A_TURN - 1) await new Promise<void>((resolve) => clock.soon(resolve))
      const entry = await store.peek(key)
      if (entry.state !== 'held' || !isVisible(entry.record, clock.now())) continue
      const { lease, limit, identity } = entry.record
      const authentication = identity?.authentication
      // Not the credentials: they are in the memory of the record, and would keep its data.
      if (authentication?.subject === subject && this.cutOf(key, entry.record) === undefined)
        shown.push({ key, lease, limit, authentication })
    }
    return shown.sort(byLogin)
  }

  #look(subject: SubjectHash): void {
    this.#due.add(subject)
    if (!this.#closed) this.#running ??= this.#work()
  }

  async #work(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
    for (const subject of this.#due) {
      if (this.#closed) break
      // Before it is looked at: what changes meanwhile is looked at again.
      this.#due.delete(subject)
      try {
        await this.#cut(subject)
        await this.#displace(subject)
      } catch (error) {
        this.#options.failed(error)
        this.#timer = this.#options.clock.after(RETRY_MS, () => this.#look(subject))
        break
      }
    }
    this.#running = undefined
  }

  /** Ends what a cutoff ends: its data is not kept any longer. */
  async #cut(subject: SubjectHash): Promise<void> {
    const { store, clock } = this.#options
    if (!this.#cutoffs.has(subject)) return
    for (const [count, key] of store.index.keysOfSubject(subject).entries()) {
      if (count % SESSIONS_A_TURN === SESSIONS_A_TURN - 1) await new Promise<void>((resolve) => clock.soon(resolve))
      const made = await store.transact(key, (reading) => {
        if (reading.state !== 'held' || reading.record.kind !== 'live') return GONE
        const entry = this.cutOf(key, reading.record)
        return entry ? cutSession(key, reading.record, entry) : GONE
      })
      await made.done
    }
  }

  /** Ends what is too much: the same sessions in every region that holds them, by the stamp of the login, and the key. */
  async #displace(subject: SubjectHash): Promise<void> {
    const { maxPerSubject, atLimit, displace } = this.#options
    if (maxPerSubject === undefined) return
    const shown = await this.shownOf(subject)
    const extra = atLimit === 'endOldest' ? shown.slice(0, -maxPerSubject) : shown.slice(maxPerSubject)
    for (const { key } of extra) await displace(key)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }
}

const byLogin = (a: Shown, b: Shown): number =>
  compareStamps(a.authentication.stamp, b.authentication.stamp) || (a.key < b.key ? -1 : 1)
