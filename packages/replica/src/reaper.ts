import type { LiveRecord, SessionKey, Timer } from '@sojourn/core'
import { dueAt, expiresAt } from '@sojourn/core'
import type { ExpiryRow, RecordStore } from '@sojourn/store'
import type { TrustedClock } from './trusted-clock.js'

/** However far the next deadline is: the wall clock may have stepped. */
const MAX_SLEEP_MS = 10_000

/** How soon to look again where a collection failed, because the disk was full, say. */
const RETRY_MS = 1_000

export interface ReaperOptions {
  readonly store: RecordStore
  readonly clock: TrustedClock
  readonly purgeGraceMs: number
  /** A live session's deadline passed. */
  readonly expired: (key: SessionKey, cause: 'idle' | 'absolute') => void
  readonly failed: (error: unknown) => void
}

/**
 * Collects what is due, asking nobody: first tells of sessions whose deadline passed, then, a grace later, removes every row of them,
 * and of tombstones past their horizon. Walks the expiry index in small batches.
 */
export class Reaper {
  readonly #options: ReaperOptions
  #timer: Timer | undefined
  #wakesAt = Number.POSITIVE_INFINITY
  #running: Promise<void> | undefined
  /** Before the first deadline of those that came during a walk, which may have passed their places: the next one goes back to here. */
  #missedAfter = Number.POSITIVE_INFINITY
  #closed = false

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  start(): void {
    this.#run()
  }

  /** What can be done by the clock may be more than before. */
  wake(): void {
    if (!this.#running) this.#sleep(0)
  }

  /** A live record came to the disk: wakes up in time to tell that its deadline passes, or tells it now, where it was too late for that. */
  noticed(key: SessionKey, record: LiveRecord): void {
    const { store, clock } = this.#options
    const due = expiresAt(record)
    if (due <= Math.min(store.expiredThrough, clock.now())) this.#told(key, due)
    else this.#wakeBy(due)
  }

  #told(key: SessionKey, due: number): void {
    const { store, expired } = this.#options
    const record = store.readSound(key)?.record
    if (record?.kind !== 'live' || expiresAt(record) !== due) return
    if (store.noteExpired(key)) expired(key, due === record.limit.deadline ? 'absolute' : 'idle')
  }

  #wakeBy(due: number): void {
    if (this.#running) {
      this.#missedAfter = Math.min(this.#missedAfter, due - 1)
      this.#wakesAt = Math.min(this.#wakesAt, due)
    } else if (due < this.#wakesAt) this.#sleep(due)
  }

  #sleep(until: number): void {
    const { clock } = this.#options
    this.#timer?.cancel()
    if (this.#closed) return
    const now = clock.now()
    const delayMs = Math.min(Math.max(1, until - now), MAX_SLEEP_MS)
    this.#wakesAt = now + delayMs
    this.#timer = clock.after(delayMs, () => this.#run())
  }

  #run(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY
    this.#running = this.#collect()
      .catch((error: unknown) => {
        this.#options.failed(error)
        return this.#options.clock.now() + RETRY_MS
      })
      .then((next) => {
        this.#running = undefined
        this.#sleep(Math.min(next, this.#wakesAt))
      })
  }

  /** Returns when to look again. */
  async #collect(): Promise<number> {
    const { store, clock, purgeGraceMs } = this.#options
    const now = clock.now()
    if (!clock.isKnown) return now + RETRY_MS
    await this.#tell(now)
    const isPurged = clock.mayPurge
    if (isPurged) await this.#purge(now - purgeGraceMs)
    await store.dropOrphans()
    const firstDue = ((await store.nextDue(-1)) ?? Number.POSITIVE_INFINITY) + purgeGraceMs
    const nextPurge = isPurged ? firstDue : Math.max(firstDue, now + RETRY_MS)
    const nextExpiry = (await store.nextDue(store.expiredThrough)) ?? Number.POSITIVE_INFINITY
    return Math.min(nextPurge + 1, nextExpiry)
  }

  async #tell(now: number): Promise<void> {
    const { store } = this.#options
    // Where the wall clock stepped back, what is due in between is due once more.
    const after = Math.min(store.expiredThrough, now, this.#missedAfter)
    this.#missedAfter = Number.POSITIVE_INFINITY
    for await (const rows of store.due(after, now)) {
      if (this.#closed) return
      for (const row of rows) this.#told(row.key, row.at)
    }
    store.advanceExpired(now)
  }

  async #purge(before: number): Promise<void> {
    const { store } = this.#options
    for await (const rows of store.due(-1, before)) {
      if (this.#closed) return
      await Promise.all(rows.map((row) => this.#purgeRow(row)))
    }
  }

  #purgeRow(row: ExpiryRow): Promise<void> | undefined {
    const { store } = this.#options
    const entry = store.readSound(row.key)
    if (entry === undefined) return store.dropExpiryRow(row, row.kind !== 'expiry')
    // Whatever the row says of itself: that could be rot, and the record would stay for ever.
    if (dueAt(entry.record) === row.at) return store.purge(row.key, entry)
    // The row has served, or its deletion is being written, or it was left when a rotten record was replaced.
    return store.written(row.key) === undefined ? store.dropExpiryRow(row, false) : undefined
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }
}
