import type { IncarnationSeen, Loss, Sample } from '@sojourn/sim'
import { newSignal, pause } from './pause.js'
import type { Region } from './region.js'
import { TOKENS } from './server.js'

/** What regions say of themselves, asked again and again: how full they are, and how far they hold each other's feeds. */

/** What is used of /status. */
interface Status {
  readonly replica: {
    readonly replica: string
    readonly sessions: number
    readonly expired: number
    readonly tombstones: number
    readonly head: number
    readonly vector: { readonly [feed: string]: number }
    readonly links: {
      readonly [region: string]: { readonly state: string; readonly unacked: number; readonly bufferedBytes: number }
    }
    readonly cache: { readonly entries: number; readonly bytes: number }
    readonly recentBytes: number
    readonly store: { readonly uncheckpointed: { readonly bytes: number } }
    readonly pending: { readonly commits: number; readonly writes: number; readonly reads: number }
  }
}
export type ReplicaStatus = Status['replica']

const ASK_MS = 1_500
const EVERY_MS = 1_000
/** Moments of which it is not known yet whether all that was there then is everywhere. */
const MAX_MOMENTS = 60

interface Moment {
  readonly at: number
  /** By region: its feed, and how far that went. */
  readonly heads: ReadonlyMap<string, { readonly feed: string; readonly head: number }>
}

export class Watch {
  readonly #regions: readonly Region[]
  readonly #now: () => number
  readonly #losses: readonly Loss[]
  #moments: Moment[] = []
  #safeAt = Number.NEGATIVE_INFINITY
  readonly incarnations: IncarnationSeen[] = []
  samples: Sample[] = []
  readonly #ending = newSignal()
  #running: Promise<void> | undefined

  /** @param losses which it completes: when every region held everything again */
  constructor(regions: readonly Region[], now: () => number, losses: readonly Loss[]) {
    this.#regions = regions
    this.#now = now
    this.#losses = losses
  }

  /** What was acknowledged before then was in every region at one time after it. */
  get safeAt(): number {
    return this.#safeAt
  }

  /** Whether every region has caught up with what it lost. */
  get isWhole(): boolean {
    return this.#losses.every(({ wholeAt }) => wholeAt !== undefined)
  }

  start(): void {
    const run = async () => {
      while (!this.#ending.signal.aborted) {
        await this.look()
        await pause(EVERY_MS, this.#ending.signal)
      }
    }
    this.#running = run()
  }

  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  async opened(region: Region): Promise<void> {
    const { incarnation } = region.server
    const at = this.#now()
    const status = await ask(region)
    if (status)
      this.incarnations.push({ region: region.name, at, incarnation, feed: status.replica, head: status.head })
  }

  /** Asks all of them twice: what one claims of another's feed, that one must have by the time that it is asked again. */
  async look(): Promise<void> {
    const at = this.#now()
    const first = await this.#askAll()
    const second = await this.#askAll()
    for (const region of this.#regions) {
      const [before, after] = [first.get(region.name), second.get(region.name)]
      if (before && after?.replica === before.replica)
        this.samples.push(sampleOf(region, at, { ...before, head: after.head }))
    }
    this.#remember(at, first)
    this.#settle(second)
  }

  async #askAll(): Promise<ReadonlyMap<string, ReplicaStatus>> {
    const all = await Promise.all(this.#regions.map(async (region) => [region.name, await ask(region)] as const))
    return new Map(all.flatMap(([name, status]) => (status ? [[name, status] as const] : [])))
  }

  #remember(at: number, statuses: ReadonlyMap<string, ReplicaStatus>): void {
    if (statuses.size < this.#regions.length) return
    const heads = new Map([...statuses].map(([name, { replica: feed, head }]) => [name, { feed, head }]))
    this.#moments = [...this.#moments.slice(-MAX_MOMENTS), { at, heads }]
  }

  #settle(statuses: ReadonlyMap<string, ReplicaStatus>): void {
    const isEverywhere = ({ heads }: Moment) =>
      this.#regions.every(({ name }) => {
        const { feed, head } = heads.get(name)!
        return [...statuses].every(([other, { replica, vector }]) =>
          other === name ? replica === feed : (vector[feed] ?? 0) >= head,
        )
      })
    if (statuses.size < this.#regions.length) return
    const last = this.#moments.findLast(isEverywhere)
    if (last === undefined) return
    this.#safeAt = Math.max(this.#safeAt, last.at)
    this.#moments = this.#moments.filter(({ at }) => at > last.at)
    for (const loss of this.#losses)
      if (loss.wholeAt === undefined && loss.at < last.at) (loss as { wholeAt?: number }).wholeAt = this.#now()
  }

  /** What keeps the regions from agreeing; undefined where they do. */
  async disagreement(): Promise<string | undefined> {
    const statuses = await this.#askAll()
    for (const { name, server } of this.#regions) {
      if (server.state !== 'ready') return `${name} is ${server.state}`
      if (!statuses.has(name)) return `${name} does not answer /status`
    }
    for (const [name, mine] of statuses) {
      if (mine.pending.commits > 0) return `${name} has commits under way`
      for (const [other, theirs] of statuses) {
        if (other === name) continue
        const { state = 'unknown', unacked = 0 } = mine.links[other] ?? {}
        if (state !== 'live') return `the link from ${name} to ${other} is ${state}`
        if (unacked > 0) return `${name} owes ${other} ${unacked} commits`
        const held = theirs.vector[mine.replica] ?? 0
        if (held < mine.head) return `${other} holds ${held} of ${mine.head} commits of ${name}`
      }
    }
    return undefined
  }

  status(region: Region): Promise<ReplicaStatus | undefined> {
    return ask(region)
  }
}

const ask = async ({ server }: Region): Promise<ReplicaStatus | undefined> => {
  const at = server.address('admin')
  if (at === undefined) return undefined
  try {
    const response = await fetch(`http://${at.host}:${at.port}/status`, {
      headers: { authorization: `Bearer ${TOKENS.admin}` },
      signal: AbortSignal.timeout(ASK_MS),
    })
    return ((await response.json()) as Status).replica
  } catch {
    return undefined
  }
}

const sampleOf = ({ name, server }: Region, at: number, status: ReplicaStatus): Sample => ({
  at,
  region: name,
  incarnation: server.incarnation,
  feed: status.replica,
  head: status.head,
  vector: status.vector,
  pendingCommits: status.pending.commits,
  pendingQuorums: status.pending.writes + status.pending.reads,
  recentBytes: status.recentBytes,
  cacheEntries: status.cache.entries,
  cacheBytes: status.cache.bytes,
  bufferedBytes: Math.max(0, ...Object.values(status.links).map(({ bufferedBytes }) => bufferedBytes)),
  uncheckpointedBytes: status.store.uncheckpointed.bytes,
  diskRows: undefined,
})
