/** One region: the replica, and the code that uses it, in one process, as in an app server that embeds it. */
import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { answerCalls } from './calls.js'
import { CpuProfile, type SelfTime } from './cpu-profile.js'
import { type DiskUse, diskUse } from './disk-use.js'
import { type Expiry, expire } from './expiring.js'
import { CountingTransport, type FrameCounts } from './frames.js'
import { BackgroundLoad, cpuMs, drive, type Round } from './load.js'
import { type Memory, memoryNow } from './process-figures.js'
import { ReplicaSubject } from './replica-subject.js'
import { numberedIds, type SessionIds } from './session-ids.js'
import { type Probe, Sightings, sendProbes } from './sightings.js'
import { type CatchUp, catchUp, type Expected, holds, type Position, positionOf, reads, settled } from './standing.js'
import type { OperationName } from './subject.js'

let replica: Replica
let subject: ReplicaSubject
let ids: SessionIds = []
let background: BackgroundLoad
let sightings: Sightings
let profile: CpuProfile
let transport: CountingTransport

const open = async (options: ReplicaOptions): Promise<Replica> => {
  replica = await openReplica(options)
  replica.on('fault', ({ code, message }) => process.stderr.write(`${options.region}: ${code}: ${message}\n`))
  subject = new ReplicaSubject(replica)
  subject.adopt(ids)
  return replica
}

const adopt = (given: SessionIds): void => {
  ids = given
  subject?.adopt(ids)
}

const methods = {
  open: async (options: ReplicaOptions): Promise<void> => void (await open(options)),
  /** The same, timed, and what the process then needs. */
  async openTimed(options: ReplicaOptions): Promise<{ ms: number; memory: Memory }> {
    const start = performance.now()
    await open(options)
    return { ms: performance.now() - start, memory: memoryNow(false) }
  },
  /** The same, with the frames of its links counted. */
  async openCounting(options: ReplicaOptions): Promise<void> {
    transport = new CountingTransport()
    await open({ ...options, ports: { transport } })
  },
  frames: (): FrameCounts => transport.counts,
  addPeer: (region: string, url: string): void => replica.addPeer(region, url),
  close: (): Promise<void> => replica.close(),
  adopt: (given: readonly string[]): void => adopt(given),
  adoptNumbers: (count: number): void => adopt(numberedIds(count)),
  async seed(count: number): Promise<readonly string[]> {
    const made = await subject.seed(count)
    adopt(made)
    return made
  },
  seedNumbers: (from: number, to: number): Promise<void> => subject.seedNumbers(from, to),
  async endEvery(): Promise<number> {
    const ended = await Promise.all(Array.from({ length: ids.length }, (_, index) => replica.end(ids.at(index)!)))
    return ended.filter(Boolean).length
  },
  renewAll: (): Promise<void> => subject.renewAll(),
  updateAll: (): Promise<void> => subject.updateAll(),
  readAll: (withData?: boolean): Promise<void> => subject.readAll(withData),
  cpuMs: (): number => cpuMs(),
  run: (operation: OperationName, concurrency: number, durationMs: number): Promise<Round> =>
    drive(subject.operations[operation], concurrency, (_count, ms) => ms >= durationMs),
  runCount: (operation: OperationName, concurrency: number, wanted: number): Promise<Round> =>
    drive(subject.operations[operation], concurrency, (count) => count >= wanted),
  startLoad(operation: OperationName, concurrency: number, rate?: number): void {
    background = new BackgroundLoad(subject.operations[operation], concurrency, rate)
  },
  stopLoad: (): Promise<Round> => background.stop(),
  sendProbes: (probeIds: readonly string[], everyMs: number): Promise<Probe[]> =>
    sendProbes(replica, probeIds, everyMs),
  watch(watched: readonly string[]): void {
    sightings = new Sightings(replica, watched)
  },
  sightings: (patienceMs: number): Promise<Map<string, number>> => sightings.collect(patienceMs),
  settled: (patienceMs?: number): Promise<number> => settled(replica, patienceMs),
  holds: (position: Position, patienceMs?: number): Promise<number> => holds(replica, position, patienceMs),
  reads: (expected: readonly Expected[]): Promise<number> => reads(replica, expected),
  /** Writes what {@link reads} expects. */
  async write(expected: readonly Expected[]): Promise<void> {
    await Promise.all(expected.map(({ id, lastPath }) => replica.update(id, { lastPath })))
  },
  digest: (slice: number, asOf: number): Promise<{ records: number; digest: string }> => replica.digest(slice, asOf),
  position: (): Position => positionOf(replica),
  catchUp: (options: ReplicaOptions, position: Position): Promise<CatchUp> => catchUp(() => open(options), position),
  /** The field that an update changes, in a region that must have heard of it. */
  lastPaths: (some: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(some.map(async (id) => (await replica.get(id))?.data.lastPath)),
  memory: (): Memory => memoryNow(true),
  indexBytes: (): number => replica.status().store.indexBytes,
  diskUse: (operation: OperationName, concurrency: number, checkpoints: number): Promise<DiskUse> =>
    diskUse(replica, subject.operations[operation], concurrency, checkpoints),
  expire: (count: number, lifeMs: number, graceMs: number): Promise<Expiry> => expire(replica, count, lifeMs, graceMs),
  async startProfile(): Promise<void> {
    profile = new CpuProfile()
    await profile.start()
  },
  stopProfile: (path: string): Promise<SelfTime[]> => profile.stop(path),
}

export type RegionMethods = typeof methods

answerCalls(methods)
