/** A world: machines, wires, users and faults, from a plan. */
import type { Replica } from '@sojourn/replica'
import type { Door } from './calls.js'
import { Clients } from './clients.js'
import { Disk } from './disk.js'
import { Faults } from './faults.js'
import type { FinalState, History, IncarnationSeen, Loss, Sample, Seen, SessionData } from './history.js'
import { Network, type Tap } from './network.js'
import { MAX_CLOCK_ERROR_MS, type OperationStep, type Plan, type RegionOptions, type Step } from './plan.js'
import { Prng } from './prng.js'
import { Region } from './region.js'
import { MachineClock, WorldTime } from './time.js'
import { Trace } from './trace.js'
import { keyOf, Users } from './users.js'

const SAMPLE_MS = 2_000
/** How long a region that could not open waits before it tries again, as whatever supervises it would. */
const REOPEN_MS = 1_000

/** What replicas may say of themselves while faults are brought in: anything else is a bug of theirs. */
const EXPECTED_FAULTS = new Set(['STORE_FAILED', 'STORE_CORRUPT', 'STORE_FENCED'])

/** Machines, wires, clients and faults, and everything that they do, from a plan. */
export class World {
  readonly plan: Plan
  readonly time = new WorldTime()
  readonly trace: Trace
  readonly network: Network
  readonly regions = new Map<string, Region>()
  readonly users: Users
  readonly faults: Faults
  /** Apps, and how they are let in; undefined: the plan has none. */
  readonly clients: Clients | undefined
  readonly #members: Set<string>
  readonly #losses: Loss[] = []
  readonly #incarnations: IncarnationSeen[] = []
  readonly #samples: Sample[] = []
  readonly #changes = new Map<string, Uint8Array>()
  readonly #complaints: string[] = []

  constructor(plan: Plan) {
    this.plan = plan
    const random = new Prng(`world ${plan.seed}`)
    this.trace = new Trace(() => this.time.now)
    const tap: Tap = (from, to, frame) => this.#onWire(from, to, frame)
    this.network = new Network(this.time, random.fork('network'), tap, plan.clients !== undefined)
    for (const [way, wire] of Object.entries(plan.wires)) {
      const [from, to] = way.split('>') as [string, string]
      this.network.setWire(from, to, wire)
    }
    this.#members = new Set(plan.regions)
    for (const name of plan.regions) this.regions.set(name, this.#made(name, random))
    this.users = new Users({
      now: () => this.time.now,
      report: (region, what) => this.trace.report(region, what),
      complain: (what) => this.#complaints.push(what),
    })
    this.faults = new Faults({
      time: this.time,
      trace: this.trace,
      random: random.fork('faults'),
      network: this.network,
      regions: this.regions,
      members: this.#members,
      wires: plan.wires,
      lost: (loss) => this.#losses.push(loss),
      clockMoved: ({ name }) => this.users.clockMoved(name),
    })
    this.clients =
      plan.clients &&
      new Clients({
        plan,
        clients: plan.clients,
        time: this.time,
        trace: this.trace,
        network: this.network,
        random: random.fork('clients'),
        regions: this.regions,
        restart: (region) => this.#members.has(region.name) && region.start(),
        trouble: (region, ms) =>
          this.faults.troubles.push({ region, ways: [], from: this.time.now, until: this.time.now + ms }),
        appGone: (app) => this.users.appGone(app),
        complain: (what) => this.#complaints.push(what),
      })
    this.#sample()
  }

  /** A region with a machine of its own. */
  #made(name: string, random: Prng): Region {
    const { plan } = this
    const machine = {
      name,
      clock: new MachineClock(this.time, plan.clocks[name]!),
      disk: new Disk(this.time, random.fork(`disk ${name}`), plan.disks[name]!),
      time: this.time,
      network: this.network,
    }
    return new Region(machine, plan.options[name]!, {
      random: random.fork('processes'),
      members: this.#members,
      opened: (of) => this.#opened(of),
      ...(plan.clients && { openDoor: (of, replica, process) => this.clients!.openDoor(of, replica, process) }),
      gone: (of) => this.#gone(of),
      failedToOpen: (of, error) => this.#failedToOpen(of, error),
      linked: (of, { region: peer, state, code }) => this.#linked(of.name, peer, state, code),
      faulted: (of, fault) => this.#faulted(of, fault),
    })
  }

  #linked(region: string, peer: string, state: string, code: string | undefined): void {
    this.trace.report(region, `link with ${peer}: ${state}${code ? ` (${code})` : ''}`)
    if (code) this.clients?.misunderstood(`${region} and ${peer}`, code)
  }

  get open(): Region[] {
    return [...this.regions.values()].filter(({ replica }) => replica !== undefined)
  }

  get members(): Region[] {
    return [...this.regions.values()].filter(({ name }) => this.#members.has(name))
  }

  schedule(step: Step): void {
    this.time.schedule(step.at - this.time.now, () => {
      if (step.do === 'fault') this.faults.inject(step)
      else if (step.do === 'client-fault') this.clients?.inject(step)
      else if (step.app !== undefined) this.clients?.call(step.app, (door) => void this.users.perform(step, door))
      else this.#call(step)
    })
  }

  #call(step: OperationStep): void {
    const region = this.#members.has(step.region) ? this.regions.get(step.region) : undefined
    if (!region?.replica) return
    region.process?.deliver(() => {
      const { replica } = region
      if (replica) void this.users.perform(step, doorOf(region, replica))
    })
  }

  #opened(region: Region): void {
    const { replica: feed, head, sessions } = region.replica!.status()
    const { incarnation } = region
    this.#incarnations.push({ region: region.name, at: this.time.now, incarnation, feed, head })
    this.trace.report(region.name, `open, incarnation ${incarnation}, ${sessions} sessions`)
  }

  #gone(region: Region): void {
    this.trace.report(region.name, 'down')
    this.users.gone(region.name, region.incarnation)
  }

  #failedToOpen(region: Region, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.trace.report(region.name, `cannot open: ${text}`)
    if (region.machine.disk.full.size === 0) this.#complaints.push(`${region.name} cannot open: ${text}`)
    this.time.schedule(REOPEN_MS, () => this.#members.has(region.name) && region.start())
  }

  #faulted(region: Region, { code, message }: { code: string; message: string }): void {
    this.trace.report(region.name, `fault ${code}: ${message}`)
    if (code === 'STORE_FENCED') this.#restart(region)
    if (!EXPECTED_FAULTS.has(code)) this.#complaints.push(`${region.name} at ${this.time.now} ms: ${code}: ${message}`)
  }

  /** As whatever supervises it would. */
  #restart(region: Region): void {
    const { incarnation } = region
    this.time.schedule(REOPEN_MS, () => {
      if (region.incarnation !== incarnation || region.state !== 'open') return
      region.stop()
      this.#startOnceDown(region)
    })
  }

  /** To close takes as long as the disk does. */
  #startOnceDown(region: Region): void {
    this.time.schedule(REOPEN_MS, () => {
      if (region.state === 'closing') this.#startOnceDown(region)
      else if (this.#members.has(region.name)) region.start()
    })
  }

  #onWire(from: string, to: string, frame: Uint8Array): void {
    this.trace.note(`${from}>${to}`, frame)
    for (const change of changesIn(frame)) {
      const name = Buffer.from(change).toString('latin1')
      if (!this.#changes.has(name)) this.#changes.set(name, change)
    }
  }

  #sample(): void {
    this.time.schedule(SAMPLE_MS, () => {
      if (!this.plan.wildClocks) this.faults.disciplineClocks()
      for (const region of this.open) this.#samples.push(this.#sampleOf(region))
      this.#sample()
    })
  }

  #sampleOf(region: Region): Sample {
    const { replica: feed, head, vector, pending, recentBytes, cache, links, store } = region.replica!.status()
    return {
      at: this.time.now,
      region: region.name,
      incarnation: region.incarnation,
      feed,
      head,
      vector,
      pendingCommits: pending.commits,
      pendingQuorums: pending.writes + pending.reads,
      recentBytes,
      cacheEntries: cache.entries,
      cacheBytes: cache.bytes,
      bufferedBytes: Math.max(0, ...Object.values(links).map(({ bufferedBytes }) => bufferedBytes)),
      uncheckpointedBytes: store.uncheckpointed.bytes,
      ...(region.door?.kept && { kept: region.door.kept }),
      diskRows: region.machine.disk.count(),
    }
  }

  /** What keeps the regions from agreeing; undefined where they do. */
  disagreement(): string | undefined {
    const members = this.members
    const closed = members.find(({ replica }) => replica === undefined)
    if (closed) return `${closed.name} is ${closed.state}`
    for (const one of members)
      for (const other of members) {
        if (one === other) continue
        const [mine, theirs] = [one.replica!.status(), other.replica!.status()]
        const link = mine.links[other.name]
        if (link === undefined) return `${one.name} does not know ${other.name}`
        if (link.state !== 'live') return `the link from ${one.name} to ${other.name} is ${link.state}`
        if (link.unacked > 0) return `${one.name} owes ${other.name} ${link.unacked} commits`
        const held = theirs.vector[mine.replica] ?? 0
        if (mine.pending.commits > 0) return `${one.name} has commits under way`
        if (held < mine.head) return `${other.name} holds ${held} of ${mine.head} commits of ${one.name}`
      }
    return undefined
  }

  /** Lets a promise of a replica come about. */
  async during<T>(work: Promise<T>, maxMs = 60_000): Promise<T> {
    let isSettled = false
    const done = () => {
      isSettled = true
    }
    work.then(done, done)
    await this.time.advance(maxMs, () => isSettled)
    if (!isSettled) throw new Error(`nothing came of a call within ${maxMs} ms`)
    return work
  }

  async states(): Promise<FinalState[]> {
    const names = new Map(
      this.users.sessions.flatMap(({ id, name }) => (id === undefined ? [] : [[keyOf(id), name] as const])),
    )
    const out: FinalState[] = []
    for (const region of this.open) {
      const sessions = new Map<string, Seen>()
      const unknownKeys: string[] = []
      const replica = region.replica!
      const scan = async () => {
        sessions.clear()
        unknownKeys.length = 0
        for await (const { key, data, createdAt, expiresAt } of replica.sessions()) {
          const name = names.get(key)
          if (name === undefined) unknownKeys.push(key)
          sessions.set(name ?? key, { data: data as SessionData, createdAt, expiresAt })
        }
      }
      await this.during(scan())
      // What falls due in between is on its way out of the disk.
      for (let tries = 0; tries < 100 && replica.status().pending.commits > 0; tries++) {
        await this.time.advance(200)
        await this.during(scan())
      }
      const { sessions: live, expired, tombstones, pending, cache } = replica.status()
      out.push({
        region: region.name,
        sessions,
        unknownKeys,
        status: {
          sessions: live,
          expired,
          tombstones,
          pending: pending.commits + pending.reads + pending.writes,
          cacheEntries: cache.entries,
        },
        diskRows: region.machine.disk.count(),
        wall: region.machine.clock.wall,
      })
    }
    return out
  }

  history(end: Pick<History, 'settled' | 'unsettled' | 'afterwards'>): History {
    const options = Object.values(this.plan.options)
    return {
      ...end,
      operations: this.users.operations,
      sessions: this.users.sessions,
      losses: this.#losses,
      troubles: this.faults.troubles,
      incarnations: this.#incarnations,
      samples: this.#samples,
      changes: [...this.#changes.values()],
      complaints: this.#complaints,
      clients: this.clients?.history,
      bounds: boundsOf(this.regions.size - 1),
      usualDelayMs: Math.max(
        ...Object.values(this.plan.wires).map(({ latencyMs, jitterMs }) => latencyMs + 5 * jitterMs),
        ...Object.values(this.plan.disks).map(({ writeMs, syncMs }) => writeMs + syncMs),
      ),
      maxClockErrorMs: MAX_CLOCK_ERROR_MS,
      purgeGraceMs: Math.min(...options.map(({ purgeGrace }) => purgeGrace as number)),
      maxLifetimeMs: Math.max(...options.map(({ session }) => session!.maxLifetime as number)),
      clocksStepped: this.faults.clocksStepped,
    }
  }
}

const doorOf = (region: Region, api: Replica): Door => {
  const { process } = region
  return {
    region: region.name,
    incarnation: region.incarnation,
    members: region.members.length,
    get wall() {
      const { wall } = region.machine.clock
      return [wall, wall] as const
    },
    api,
    // A dead process sends its clients nothing.
    vouches: () => process?.isAlive() ?? false,
  }
}

/** The limits of every world: small, so that they are met. */
export const LIMITS = {
  maxPendingCommits: 200,
  maxPendingQuorums: 100,
  maxRecentBytes: 64 * 1024,
  maxCacheBytes: 256 * 1024,
  maxUncheckpointedBytes: 128 * 1024,
  maxBufferedBytes: 16 * 1024,
  maxUnackedBytes: 64 * 1024,
  maxFrameBytes: 256 * 1024,
  maxRecordBytes: 128 * 1024,
} as const satisfies RegionOptions['limits']

/** What regions with so many peers may hold at any moment, by those limits. */
export const boundsOf = (peers: number): History['bounds'] => ({
  maxPendingCommits: LIMITS.maxPendingCommits,
  maxRecentBytes: LIMITS.maxRecentBytes,
  maxCacheEntries: 1_000,
  maxCacheBytes: LIMITS.maxCacheBytes,
  // A frame is sent whole, so the last one may reach over the limit.
  maxBufferedBytes: LIMITS.maxBufferedBytes + LIMITS.maxFrameBytes,
  // A turn's commits are admitted one by one; what peers send is bounded by what they may send unacknowledged.
  maxUncheckpointedBytes:
    LIMITS.maxUncheckpointedBytes + LIMITS.maxPendingCommits * 1_024 + peers * LIMITS.maxUnackedBytes,
})

/** Automerge's changes in a frame, by their magic bytes, chunk type and length (Automerge binary format, "Chunks"). */
const changesIn = function* (frame: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at + 10 < frame.length; at++) {
    if (frame[at] !== 0x85 || frame[at + 1] !== 0x6f || frame[at + 2] !== 0x4a || frame[at + 3] !== 0x83) continue
    if (frame[at + 8] !== 1) continue
    let length = 0
    let shift = 0
    let body = at + 9
    for (; body < frame.length; shift += 7) {
      const byte = frame[body++]!
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (body + length <= frame.length) yield new Uint8Array(frame.subarray(at, body + length))
  }
}
