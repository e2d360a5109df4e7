/** The one door to the disk: the commits of a turn of the event loop become one entry of the journal. */
import type { Clock, Journal, Timer } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import { encodeEntry, type JournalCommit } from './journal-entry.js'
import type { Incarnation, Progress } from './store-state.js'

/** In Redis's words: every commit waits for the disk; the disk syncs once a second; the system decides. */
export type Fsync = 'always' | 'everysec' | 'never'

/** How often the disk syncs, and how often progress is noted. Milliseconds. */
const INTERVAL_MS = 1_000

export interface JournalWriterOptions<C> {
  readonly journal: Journal
  readonly clock: Clock
  readonly fsync: Fsync
  readonly maxPending: number
  /** Bytes of items. */
  readonly maxPendingBytes: number
  readonly progress: () => Progress
  /** These commits are as durable as `fsync` asks for; called before they resolve. */
  readonly appended: (commits: readonly C[]) => void
  /** These commits are not in the journal, nor will be. */
  readonly failed: (commits: readonly C[], error: unknown) => void
  /** Something failed that no commit waited for. */
  readonly fault: (error: unknown) => void
}

interface Batch<C> {
  readonly commits: C[]
  readonly done: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const newBatch = <C>(): Batch<C> => {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const done = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Who awaits it hears of a failure; where a caller gave up between, that must not end the process.
  done.catch(() => {})
  return { commits: [], done, resolve, reject }
}

/** One append is under way at a time; what comes meanwhile is the next entry. */
export class JournalWriter<C extends JournalCommit> {
  readonly #options: JournalWriterOptions<C>
  /** Gathers the commits of this turn. */
  #next: Batch<C> | undefined
  #running: Promise<void> | undefined
  #isDue = false
  #pending = 0
  #pendingBytes = 0
  /** The last entry that was appended, through this writer or before. */
  #head: number
  /** Whether something was appended that no sync covers yet. */
  #isUnsynced = false
  #isProgressDue = false
  #hasProgressed = false
  #timer: Timer | undefined
  /** Why nothing can be appended any more. */
  #fenced: SojournError | undefined

  constructor(options: JournalWriterOptions<C>) {
    this.#options = options
    this.#head = options.journal.head
  }

  /** Commits that are not in the journal yet. */
  get pending(): number {
    return this.#pending
  }

  /** The last entry that was appended. */
  get head(): number {
    return this.#head
  }

  /** @throws OVERLOADED, STORE_FENCED, before anything is changed */
  admit(): void {
    if (this.#fenced) throw this.#fenced
    const { maxPending, maxPendingBytes } = this.#options
    if (this.#pending >= maxPending)
      throw new SojournError('OVERLOADED', `${maxPending} commits wait for the disk (limits.maxPendingCommits)`, {
        limit: maxPending,
      })
    if (this.#pendingBytes >= maxPendingBytes)
      throw new SojournError(
        'OVERLOADED',
        `${maxPendingBytes} bytes of commits wait for the disk (limits.maxPendingBytes)`,
        { limit: maxPendingBytes },
      )
  }

  /** Begins an incarnation, before anything else is appended. */
  async begin(incarnation: Incarnation): Promise<void> {
    const { journal, fsync, progress } = this.#options
    await journal.append(this.#head, encodeEntry({ incarnation, commits: [], progress: progress() }))
    this.#head++
    if (fsync !== 'never') await journal.sync()
    this.#schedule()
  }

  /**
   * Resolves when the commit is as durable as the store was asked to make it. All commits of a turn share the promise. It rejects with
   * STORE_FENCED or STORE_FAILED where the journal refused the commit; with `mayHaveApplied` where it has it and could not be synced.
   */
  add(commit: C): Promise<void> {
    this.#pending++
    this.#pendingBytes += commit.item?.length ?? 0
    this.#next ??= newBatch()
    this.#next.commits.push(commit)
    this.#flushSoon()
    return this.#next.done
  }

  /** How far the store is has changed: it is noted within a second. */
  progressed(): void {
    this.#hasProgressed = true
  }

  #flushSoon(): void {
    if (this.#isDue || this.#running) return
    this.#isDue = true
    this.#options.clock.soon(() => {
      this.#isDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#running) return
    const batch = this.#next ?? (this.#isProgressDue ? newBatch<C>() : undefined)
    if (batch === undefined) return
    this.#next = undefined
    const { journal, fsync } = this.#options
    try {
      const progress = this.#isProgressDue ? this.#options.progress() : undefined
      const entry = encodeEntry({ incarnation: undefined, commits: batch.commits, progress })
      const appending = journal.append(this.#head, entry)
      if (appending === undefined && fsync !== 'always') this.#settle(batch)
      else this.#running = this.#finish(batch, appending)
    } catch (error) {
      this.#fail(batch, error)
    }
  }

  async #finish(batch: Batch<C>, appending: Promise<void> | undefined): Promise<void> {
    try {
      await appending
      this.#settle(batch, this.#options.fsync === 'always' ? await this.#unsure() : undefined)
    } catch (error) {
      this.#fail(batch, error)
    }
    this.#running = undefined
    if (this.#next) this.#flush()
  }

  /** Syncs what was appended; why nobody knows whether it outlives a loss of power, where the disk refuses that. */
  async #unsure(): Promise<SojournError | undefined> {
    try {
      await this.#options.journal.sync()
      return undefined
    } catch (cause) {
      const message = 'the commit is in the journal, but the fsync failed, and a power loss may take it'
      return new SojournError('STORE_FAILED', message, { cause, mayHaveApplied: true })
    }
  }

  /** The journal has the batch, so memory has it, too: whatever its callers are answered, it would be there after a restart. */
  #settle(batch: Batch<C>, unsure?: SojournError): void {
    this.#head++
    this.#isUnsynced = this.#options.fsync === 'everysec'
    this.#isProgressDue = false
    this.#pending -= batch.commits.length
    for (const { item } of batch.commits) this.#pendingBytes -= item?.length ?? 0
    if (batch.commits.length > 0) this.#options.appended(batch.commits)
    if (unsure) {
      batch.reject(unsure)
      this.#options.fault(unsure)
    } else batch.resolve()
  }

  /** What was computed on top of a failed commit fails with it. The head stays: whatever stands after it now is not ours. */
  #fail(batch: Batch<C>, error: unknown): void {
    if (error instanceof SojournError && error.code === 'STORE_FENCED') this.#fenced = error
    const batches = this.#next ? [batch, this.#next] : [batch]
    this.#next = undefined
    this.#pending = 0
    this.#pendingBytes = 0
    this.#options.failed(
      batches.flatMap(({ commits }) => commits),
      error,
    )
    for (const { reject } of batches) reject(error)
  }

  /** Everything that was added is in the journal, or has failed. */
  async idle(): Promise<void> {
    for (;;) {
      if (this.#running) await this.#running
      else if (this.#next) await this.#next.done.catch(() => {})
      else return
    }
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(INTERVAL_MS, () => {
      this.#note()
      this.#sync().then(() => {
        if (this.#timer) this.#schedule()
      })
    })
  }

  #note(): void {
    if (!this.#hasProgressed || this.#fenced) return
    this.#hasProgressed = false
    this.#isProgressDue = true
    this.#flush()
  }

  async #sync(): Promise<void> {
    if (!this.#isUnsynced) return
    this.#isUnsynced = false
    try {
      await this.#options.journal.sync()
    } catch (error) {
      this.#isUnsynced = true
      this.#options.fault(error)
    }
  }

  /** Appends what waits, and how far the store is. Nothing may be added afterwards. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.idle()
    this.#note()
    await this.idle()
    await this.#sync()
  }
}
