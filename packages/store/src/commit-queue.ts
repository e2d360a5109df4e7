import type { Storage, StorageWrite } from '@sojourn/core'
import { SojournError } from '@sojourn/core'

interface Waiting<T> {
  readonly commit: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface CommitQueueOptions<T> {
  readonly storage: Storage
  /** Whether each batch waits for the disk. */
  readonly sync: boolean
  readonly maxPending: number
  /** Bytes of rows. */
  readonly maxPendingBytes: number
  /** The rows of a batch are on the disk; called before its commits resolve. */
  readonly committed: (commits: readonly T[]) => void
  /** The rows of these commits are not on the disk, nor will be. */
  readonly failed: (commits: readonly T[], error: unknown) => void
}

/**
 * The one door to the disk. Commits of one tick, and those that come while a batch is being written, share a batch; batches
 * are written one after the other, in the order of the commits.
 */
export class CommitQueue<T> {
  readonly #options: CommitQueueOptions<T>
  #writes: StorageWrite[] = []
  #waiting: Waiting<T>[] = []
  #running: Promise<void> | undefined
  #pending = 0
  #pendingBytes = 0

  constructor(options: CommitQueueOptions<T>) {
    this.#options = options
  }

  /** Commits that are not on the disk yet. */
  get pending(): number {
    return this.#pending
  }

  /** @throws OVERLOADED, before anything is changed */
  admit(): void {
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

  /** Resolves when the rows are as durable as the store was asked to make them. */
  add(writes: readonly StorageWrite[], commit: T): Promise<void> {
    this.#pending++
    this.#pendingBytes += bytesOf(writes)
    this.#writes.push(...writes)
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject })
      this.#running ??= this.#run()
    })
    // Who awaits it hears of a failure; where a caller gave up between, that must not end the process.
    done.catch(() => {})
    return done
  }

  /** Everything that was added is on the disk, or has failed. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    // The rest of this tick may bring more.
    await undefined
    while (this.#waiting.length > 0) {
      const writes = this.#writes
      const waiting = this.#waiting
      this.#writes = []
      this.#waiting = []
      try {
        await this.#options.storage.write(writes, this.#options.sync)
        this.#pending -= waiting.length
        this.#pendingBytes -= bytesOf(writes)
        this.#options.committed(waiting.map(({ commit }) => commit))
        for (const { resolve } of waiting) resolve()
      } catch (error) {
        // What was computed on top of a failed commit must fail with it.
        const all = [...waiting, ...this.#waiting]
        this.#pending = 0
        this.#pendingBytes = 0
        this.#writes = []
        this.#waiting = []
        this.#options.failed(
          all.map(({ commit }) => commit),
          error,
        )
        for (const { reject } of all) reject(error)
      }
    }
    this.#running = undefined
  }
}

const bytesOf = (writes: readonly StorageWrite[]): number =>
  writes.reduce((sum, write) => sum + (write.type === 'put' ? write.value.length : 0), 0)
