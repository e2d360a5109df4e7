import { type Client, isSojournError } from '@sojourn/client'
import { type Level, SojournError } from '@sojourn/core/internal'
import { until } from './until.js'

/** What is known of a session by what its writers were answered. */
interface Account {
  readonly id: string
  /** Fields whose write was acknowledged, with their values. */
  readonly fields: Map<string, number>
  /** Increments that were acknowledged, and those of which nobody knows. */
  counted: number
  maybeCounted: number
  end: 'no' | 'maybe' | 'acknowledged'
}

export interface Missing {
  readonly region: string
  readonly what: string
}

const CREATE_EVERY = 25
const END_EVERY = 60
const FIRST_SESSIONS = 20
/** How long a write waits for other regions: long enough for a machine that is busy. */
const TIMEOUT = '2s' as const

/**
 * What shops do, without pause: sessions begin, are written to field by field, counted in, and end; through clients of several regions at
 * once, on the same sessions. It keeps account of each write that was acknowledged.
 */
export class Workload {
  readonly #clients: { readonly [region: string]: Client }
  readonly #write: Level
  readonly #accounts: Account[] = []
  readonly #acknowledged = new Map<string, number>()
  readonly #codes = new Map<string, number>()
  readonly #workers: Promise<void>[] = []
  #step = 0
  #isStopped = false

  constructor(clients: { readonly [region: string]: Client }, write: Level) {
    this.#clients = clients
    this.#write = write
  }

  async start(): Promise<void> {
    const [first] = Object.values(this.#clients)
    for (let index = 0; index < FIRST_SESSIONS; index++) await this.#create(first!)
    for (const [region, client] of Object.entries(this.#clients))
      for (let worker = 0; worker < 2; worker++) this.#workers.push(this.#work(region, client))
  }

  /** Writes acknowledged so far, in one region or in all. */
  acknowledged(region?: string): number {
    if (region !== undefined) return this.#acknowledged.get(region) ?? 0
    return [...this.#acknowledged.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Errors that callers got, by code. */
  get codes(): { readonly [code: string]: number } {
    return Object.fromEntries(this.#codes)
  }

  /** Resolves when so many more writes were acknowledged in each of these regions. */
  async more(count: number, ...regions: readonly string[]): Promise<void> {
    for (const region of regions) {
      const goal = this.acknowledged(region) + count
      await until(
        () => this.acknowledged(region) >= goal,
        () => `${count} more writes in ${region}; errors: ${JSON.stringify(this.codes)}`,
      )
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#workers)
  }

  async #work(region: string, client: Client): Promise<void> {
    while (!this.#isStopped)
      try {
        await this.#call(client, this.#step++)
        this.#acknowledged.set(region, (this.#acknowledged.get(region) ?? 0) + 1)
      } catch (error) {
        if (!isSojournError(error)) throw error
        this.#codes.set(error.code, (this.#codes.get(error.code) ?? 0) + 1)
        // A region that refuses at once is asked again at its own pace, so that the others get their share.
        await new Promise((resolve) => setImmediate(resolve))
      }
  }

  async #call(client: Client, step: number): Promise<void> {
    const living = this.#accounts.filter(({ end }) => end === 'no')
    const account = living[step % living.length]
    if (step % CREATE_EVERY === 0 || account === undefined) return this.#create(client)
    const options = { write: this.#write, timeout: TIMEOUT }
    if (step % END_EVERY === 0) {
      // From now on nobody counts on it, whatever is answered.
      account.end = 'maybe'
      await client.end(account.id, options)
      account.end = 'acknowledged'
    } else if (step % 2 === 0) {
      await client.update(account.id, { [`f${step}`]: step }, options)
      account.fields.set(`f${step}`, step)
    } else {
      account.maybeCounted++
      try {
        await client.increment(account.id, '/count', 1, options)
        account.maybeCounted--
        account.counted++
      } catch (error) {
        if (error instanceof SojournError && error.mayHaveApplied !== true) account.maybeCounted--
        throw error
      }
    }
  }

  async #create(client: Client): Promise<void> {
    const { id } = await client.create({ count: 0 }, { write: this.#write, timeout: TIMEOUT })
    this.#accounts.push({ id, fields: new Map(), counted: 0, maybeCounted: 0, end: 'no' })
  }

  get sessions(): number {
    return this.#accounts.length
  }

  /** What was acknowledged and is not so in a region. The workload must have stopped. */
  async missing(region: string, client: Client): Promise<Missing[]> {
    const missing: Missing[] = []
    for (const { id, fields, counted, maybeCounted, end } of this.#accounts) {
      const session = await client.get<Record<string, number>>(id, { read: 'local' })
      const report = (what: string) => missing.push({ region, what })
      if (end === 'acknowledged' && session !== undefined) report('a session that was ended shows')
      if (end !== 'no') continue
      if (session === undefined) {
        report('a session is not there')
        continue
      }
      for (const [field, value] of fields) if (session.data[field] !== value) report(`field ${field} is not there`)
      const { count = 0 } = session.data
      if (count < counted || count > counted + maybeCounted)
        report(`the count is ${count}; ${counted} were acknowledged, ${maybeCounted} may have been done`)
    }
    return missing
  }
}
