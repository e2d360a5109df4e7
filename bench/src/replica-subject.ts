import type { SessionApi, UpdateOptions } from '@sojourn/core/internal'
import { IDLE_TIMEOUT_MS, lastPath, type SessionData, sessionData } from './session-data.js'
import { numberedId, type SessionIds } from './session-ids.js'
import { forEachOf, mixOf, type Subject } from './subject.js'

const SEED_CONCURRENCY = 256

/** A replica, embedded in the process that uses it; or a client of one, which has the same API. */
export class ReplicaSubject implements Subject {
  readonly #replica: SessionApi
  #ids: SessionIds = []
  #number = 0

  constructor(replica: SessionApi) {
    this.#replica = replica
  }

  async seed(count: number): Promise<string[]> {
    const ids: string[] = []
    await forEachOf(count, SEED_CONCURRENCY, async (index) => {
      ids[index] = (await this.#replica.create(sessionData(index))).id
    })
    this.#ids = ids
    return ids
  }

  /** Makes the sessions of some numbers, from one to before another; those are not picked from before they are adopted. */
  async seedNumbers(from: number, to: number): Promise<void> {
    await forEachOf(to - from, SEED_CONCURRENCY, (index) =>
      this.#replica.create(sessionData(from + index), { id: numberedId(from + index) }),
    )
  }

  adopt(ids: SessionIds): void {
    this.#ids = ids
  }

  async renewAll(): Promise<void> {
    await forEachOf(this.#ids.length, SEED_CONCURRENCY, (index) => this.#replica.touch(this.#ids.at(index)!))
  }

  async updateAll(): Promise<void> {
    await forEachOf(this.#ids.length, SEED_CONCURRENCY, (index) => this.#update(this.#ids.at(index)!))
  }

  /** @param withData false: the sessions are fetched, so that a replica caches them, but nobody looks at what they hold */
  async readAll(withData = true): Promise<void> {
    for (let index = 0; index < this.#ids.length; index++) {
      const session = await this.#replica.get(this.#ids.at(index)!)
      if (!session) throw new Error('a session is missing')
      if (withData) void session.data
    }
  }

  #pick(): string {
    return this.#ids.at(Math.floor(Math.random() * this.#ids.length))!
  }

  /** Data is made of the record when it is first read: whoever gets a session reads it, as the user of Redis parses it. */
  async #get(id: string): Promise<unknown> {
    return (await this.#replica.get(id))?.data
  }

  #update(id: string, options?: UpdateOptions): Promise<unknown> {
    const change = (draft: { -readonly [K in keyof SessionData]: SessionData[K] }) => {
      // Another value than before, whatever it was: an update that changes nothing would not be written.
      const next = lastPath(this.#number++)
      draft.lastPath = next === draft.lastPath ? lastPath(this.#number++) : next
    }
    return this.#replica.update(id, change, options)
  }

  /** The same by a merge patch, which needs no look at the session first. */
  #patch(id: string): Promise<unknown> {
    return this.#replica.update(id, { lastPath: lastPath(this.#number++) })
  }

  readonly operations = (() => {
    const base = {
      get: () => this.#get(this.#pick()),
      touch: () => this.#replica.touch(this.#pick()),
      // A lease of another length is always written; the same length only when the deadline would move far enough.
      touchWritten: () =>
        this.#replica.touch(this.#pick(), { idleTimeout: IDLE_TIMEOUT_MS + (this.#number++ % 60_000) }),
      update: () => this.#update(this.#pick()),
      updateMajority: () => this.#update(this.#pick(), { write: 'majority' }),
      patch: () => this.#patch(this.#pick()),
      increment: () => this.#replica.increment(this.#pick(), '/views'),
      create: () => this.#replica.create(sessionData(this.#number++)),
    }
    return { ...base, mix: mixOf(base) }
  })()
}
