import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { answerCalls } from './calls.js'
import { CpuProfile, type SelfTime } from './cpu-profile.js'
import { BackgroundLoad, drive, type Round } from './load.js'
import { bytesWritten, type Memory, memoryNow } from './process-figures.js'
import { ReplicaSubject } from './replica-subject.js'
import { type Probe, Sightings, sendProbes } from './sightings.js'
import { type CatchUp, catchUp, type Position, positionOf, settled } from './standing.js'
import type { OperationName } from './subject.js'

/** One region: the replica, and the code that uses it, in one process, as in an app server that embeds it. */
let replica: Replica
let subject: ReplicaSubject
let ids: readonly string[] = []
let background: BackgroundLoad
let sightings: Sightings
let profile: CpuProfile

const open = async (options: ReplicaOptions): Promise<Replica> => {
  replica = await openReplica(options)
  replica.on('fault', ({ code, message }) => process.stderr.write(`${options.region}: ${code}: ${message}\n`))
  subject = new ReplicaSubject(replica)
  subject.adopt(ids)
  return replica
}

const adopt = (given: readonly string[]): void => {
  ids = given
  subject?.adopt(ids)
}

const methods = {
  open: async (options: ReplicaOptions): Promise<void> => void (await open(options)),
  close: (): Promise<void> => replica.close(),
  adopt,
  async seed(count: number): Promise<readonly string[]> {
    adopt(await subject.seed(count))
    return ids
  },
  async endEvery(): Promise<number> {
    const ended = await Promise.all(ids.map((id) => replica.end(id)))
    return ended.filter(Boolean).length
  },
  renewAll: (): Promise<void> => subject.renewAll(),
  updateAll: (): Promise<void> => subject.updateAll(),
  readAll: (): Promise<void> => subject.readAll(),
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
  settled: (): Promise<number> => settled(replica),
  position: (): Position => positionOf(replica),
  catchUp: (options: ReplicaOptions, position: Position): Promise<CatchUp> => catchUp(() => open(options), position),
  /** The field that an update changes, in a region that must have heard of it. */
  lastPaths: (some: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(some.map(async (id) => (await replica.get(id))?.data.lastPath)),
  memory: (): Memory => memoryNow(true),
  bytesWritten,
  async startProfile(): Promise<void> {
    profile = new CpuProfile()
    await profile.start()
  },
  stopProfile: (path: string): Promise<SelfTime[]> => profile.stop(path),
}

export type RegionMethods = typeof methods

answerCalls(methods)
