/** Collects what is due, asking nobody: reports sessions whose deadline passed, and a grace later removes all that is left of them. */
import type { SessionKey, SessionRecord, Timer } from '@sojourn/core/internal'
import { dueAt, expiresAt } from '@sojourn/core/internal'
import type { Reading, RecordStore } from '@sojourn/store'
import type { TrustedClock } from './trusted-clock.js'

/** However far the next deadline is: the wall clock may have stepped. */
const MAX_SLEEP_MS = 10_000

/** How soon to look again where a collection failed, because the disk was full, say. */
const RETRY_MS = 1_000

/** Records that are looked at before others run. */
const RECORDS_A_TURN = 128

export interface ReaperOptions {
  readonly store: RecordStore
  readonly clock: TrustedClock
  readonly purgeGraceMs: number
  /** A live session's deadline passed. */
  readonly expired: (key: SessionKey, cause: 'idle' | 'absolute') => void
  readonly failed: (error: unknown) => void
}

/** Works through what the index says is due, in the order of time. */
export class Reaper {
  readonly #options: ReaperOptions
  #timer: Timer | undefined
  #wakesAt = Number.POSITIVE_INFINITY
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  start(): void {
    this.#run()
  }

  /** Something may be due sooner than was known: wakes up in time. */
  poke(): void {
    if (!this.#running && this.#options.store.index.nextDue < this.#wakesAt)
      this.#sleep(this.#options.store.index.nextDue)
  }

  /** What can be done by the clock may be more than before. */
  wake(): void {
    if (!this.#running) this.#sleep(0)
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
    const { store, clock, failed } = this.#options
    this.#wakesAt = Number.POSITIVE_INFINITY
    this.#running = this.#collect()
      .then(
        () => (clock.isKnown ? store.index.nextDue : clock.now() + RETRY_MS),
        (error: unknown) => {
          failed(error)
          return clock.now() + RETRY_MS
        },
      )
      .then((next) => {
        this.#running = undefined
        this.#sleep(next)
      })
  }

  async #collect(): Promise<void> {
    const { store, clock } = this.#options
    let now = clock.now()
    if (!clock.isKnown) return
    for (let count = 1; !this.#closed; count++) {
      const key = store.index.firstDue(now)
      if (key === undefined) break
      const reading = store.peek(key)
      this.#look(key, reading instanceof Promise ? await reading : reading, now)
      if (count % RECORDS_A_TURN > 0) continue
      await new Promise<void>((resolve) => clock.soon(resolve))
      now = clock.now()
    }
    store.advanceExpired(now)
  }

  #look(key: SessionKey, reading: Reading, now: number): void {
    const { store, purgeGraceMs, expired } = this.#options
    if (reading.state === 'absent') store.postpone(key, now + RETRY_MS)
    else if (reading.state === 'corrupt') this.#purge(key, now)
    else {
      const { record } = reading
      const purgeAt = dueAt(record) + purgeGraceMs
      const isNews = store.lookAgain(key, record, now, nextLook(record, purgeAt, now))
      if (isNews && record.kind === 'live')
        expired(key, expiresAt(record) === record.limit.deadline ? 'absolute' : 'idle')
      if (purgeAt <= now) this.#purge(key, now)
    }
  }

  /** Comes back to it where the disk refuses that. */
  #purge(key: SessionKey, now: number): void {
    const { store, clock, failed } = this.#options
    store.postpone(key, now + RETRY_MS)
    if (clock.mayPurge) store.purge(key).catch(failed)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }
}

/** When something happens to a record next. */
const nextLook = (record: SessionRecord, purgeAt: number, now: number): number => {
  if (record.kind === 'live' && expiresAt(record) > now) return expiresAt(record)
  return dueAt(record) > now ? dueAt(record) : Math.max(purgeAt, now + 1)
}
