/** Redis as a session store, as express-session and its kin use it. */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { IDLE_TIMEOUT_MS, lastPath, type SessionData, sessionData } from './session-data.js'
import type { SessionIds } from './session-ids.js'
import { forEachOf, mixOf, type Subject } from './subject.js'

const SEED_CONCURRENCY = 256
/** For replicas to acknowledge. */
const WAIT_MS = 30_000

/**
 * A session in Redis as express-session and its kin keep it: one JSON blob with a time to live. Changing one field, and
 * counting, is to read, parse, change and write the blob. It is what people have: neither is safe against a second writer.
 */
export class RedisSubject implements Subject {
  readonly #redis: Redis
  #ids: SessionIds = []
  #number = 0

  constructor(port: number) {
    this.#redis = new Redis({ host: '127.0.0.1', port })
  }

  async seed(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, newId)
    await forEachOf(count, SEED_CONCURRENCY, (index) => this.#write(ids[index]!, sessionData(index)))
    this.#ids = ids
    return ids
  }

  adopt(ids: SessionIds): void {
    this.#ids = ids
  }

  async renewAll(): Promise<void> {
    await forEachOf(this.#ids.length, SEED_CONCURRENCY, (index) => this.#touch(this.#ids.at(index)!))
  }

  async updateAll(): Promise<void> {
    await forEachOf(this.#ids.length, SEED_CONCURRENCY, (index) => this.#update(this.#ids.at(index)!))
  }

  /** A figure of `INFO`. */
  async info(section: string, name: string): Promise<number> {
    const text = await this.#redis.info(section)
    return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1])
  }

  /** Waits until so many replicas have acknowledged all writes, and returns how long that took, in milliseconds. */
  async settled(replicas: number): Promise<number> {
    const start = performance.now()
    const acknowledged = await this.#redis.wait(replicas, WAIT_MS)
    if (acknowledged < replicas)
      throw new Error(`${acknowledged} of ${replicas} replicas acknowledged within ${WAIT_MS} ms`)
    return performance.now() - start
  }

  #pick(): string {
    return this.#ids.at(Math.floor(Math.random() * this.#ids.length))!
  }

  async #get(id: string): Promise<SessionData> {
    return JSON.parse((await this.#redis.get(`sess:${id}`))!) as SessionData
  }

  #write(id: string, data: SessionData): Promise<unknown> {
    return this.#redis.set(`sess:${id}`, JSON.stringify(data), 'PX', IDLE_TIMEOUT_MS)
  }

  #touch(id: string): Promise<unknown> {
    return this.#redis.pexpire(`sess:${id}`, IDLE_TIMEOUT_MS)
  }

  async #update(id: string): Promise<void> {
    await this.#write(id, { ...(await this.#get(id)), lastPath: lastPath(this.#number++) })
  }

  /** As safe as a majority of three: answered when a replica has it, too. */
  async #updateMajority(id: string): Promise<void> {
    await this.#update(id)
    if ((await this.#redis.wait(1, WAIT_MS)) < 1) throw new Error(`no replica acknowledged within ${WAIT_MS} ms`)
  }

  async #increment(id: string): Promise<void> {
    const data = await this.#get(id)
    await this.#write(id, { ...data, views: data.views + 1 })
  }

  readonly operations = (() => {
    const base = {
      get: () => this.#get(this.#pick()),
      touch: () => this.#touch(this.#pick()),
      touchWritten: () => this.#touch(this.#pick()),
      update: () => this.#update(this.#pick()),
      updateMajority: () => this.#updateMajority(this.#pick()),
      patch: () => this.#update(this.#pick()),
      increment: () => this.#increment(this.#pick()),
      create: () => this.#write(newId(), sessionData(this.#number++)),
    }
    return { ...base, mix: mixOf(base) }
  })()
}

const newId = (): string => randomBytes(32).toString('base64url')
