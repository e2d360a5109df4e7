import { join } from 'node:path'
import type { Findings, Row, RowName, Run, Speed } from './findings.js'
import { median, type Round } from './load.js'
import { CONCURRENCIES } from './plan.js'
import { RedisPeer } from './redis-server.js'
import { endAll, linkedRegions, lonelyRegion, openAll, type Region, THREE } from './regions.js'
import type { OperationName } from './subject.js'

/** One of the stores compared: the process in which its user runs. */
interface Contestant {
  run(operation: OperationName, concurrency: number, durationMs: number): Promise<Round>
  /** Waits until others hold what was written; the next round must not pay for this one. */
  settle(): Promise<number>
  renewAll(): Promise<void>
  /** Starts the store again, with the cache given. */
  reopen(maxCacheEntries?: number): Promise<void>
}

const contestantOf = ({ process, open }: Pick<Region, 'process' | 'open'>): Contestant => ({
  run: (...args) => process.call('run', ...args),
  settle: () => process.call('settled'),
  renewAll: () => process.call('renewAll'),
  async reopen(maxCacheEntries) {
    await process.call('close')
    await open(maxCacheEntries === undefined ? {} : { limits: { maxCacheEntries } })
    await process.call('settled')
    if (maxCacheEntries === undefined) await process.call('readAll')
  },
})

const redisContestant = ({ user }: RedisPeer): Contestant => ({
  run: (...args) => user.call('run', ...args),
  settle: async () => 0,
  renewAll: () => user.call('renewAll'),
  reopen: async () => {},
})

interface Contestants {
  readonly redis: Contestant | undefined
  readonly alone: Contestant
  readonly linked: Contestant
}

/** In an order in which none disturbs the next: creating makes more sessions, so it is last. */
const ORDER: readonly { name: RowName; operation: OperationName; prepare?: (each: Contestant) => Promise<void> }[] = [
  { name: 'getHot', operation: 'get' },
  { name: 'touch', operation: 'touch', prepare: (each) => each.renewAll() },
  { name: 'touchWritten', operation: 'touchWritten' },
  { name: 'update', operation: 'update' },
  { name: 'increment', operation: 'increment' },
  { name: 'mix', operation: 'mix' },
  { name: 'getCold', operation: 'get', prepare: (each) => each.reopen(1) },
  { name: 'create', operation: 'create', prepare: (each) => each.reopen() },
]

export interface QuietRound extends Round {
  readonly busy: number | undefined
}

const WARM_UP_CONCURRENCY = 64

const perSecond = ({ count, ms }: Round, moreMs = 0): number => (count / (ms + moreMs)) * 1_000

export const speedOf = (rounds: readonly QuietRound[]): Speed => ({
  perSecond: median(rounds.map((round) => perSecond(round))),
  rounds: rounds.map((round) => perSecond(round)),
  busyBefore: rounds.flatMap(({ busy }) => busy ?? []),
  cpuUsPerOperation: median(rounds.map(({ cpuMs, count }) => (cpuMs / count) * 1_000)),
  peakMs: Math.max(...rounds.map(({ peakMs }) => peakMs)),
})

/** The stores take turns, round by round, so that what else the machine does falls on all alike. */
const measure = async (
  { plan, quiet }: Run,
  { redis, alone, linked }: Contestants,
  { name, operation, concurrency }: { name: RowName; operation: OperationName; concurrency: number },
): Promise<Row> => {
  const present = [redis, alone, linked].filter((each) => each !== undefined)
  for (const each of present) {
    // Many at a time, so that the engine has compiled what there is to compile, also where one at a time comes first.
    await each.run(operation, WARM_UP_CONCURRENCY, plan.warmUpMs)
    await each.settle()
  }
  const rounds = new Map<Contestant, QuietRound[]>(present.map((each) => [each, []]))
  const settleMs: number[] = []
  for (let round = 0; round < plan.rounds; round++)
    for (const each of present) {
      const busy = await quiet.wait()
      rounds.get(each)!.push({ ...(await each.run(operation, concurrency, plan.roundMs)), busy })
      const ms = await each.settle()
      if (each === linked) settleMs.push(ms)
    }
  return {
    name,
    concurrency,
    redis: redis && speedOf(rounds.get(redis)!),
    alone: speedOf(rounds.get(alone)!),
    linked: speedOf(rounds.get(linked)!),
    linkedUntilHeld: median(rounds.get(linked)!.map((round, index) => perSecond(round, settleMs[index]))),
  }
}

/** Reads and writes, one at a time and 64 at a time: Redis, one region, three regions. */
export const throughput = async (run: Run): Promise<Findings> => {
  const { plan, hasRedis } = run
  const directory = join(run.directory, 'throughput')
  const redis = hasRedis ? await RedisPeer.start(join(directory, 'redis')) : undefined
  const lonely = lonelyRegion(directory)
  const three = await linkedRegions(directory, THREE)
  try {
    await Promise.all([openAll([lonely]), openAll(three)])
    await redis?.user.call('seed', plan.sessions)
    for (const { process } of [lonely, three[0]!]) {
      await process.call('seed', plan.sessions)
      await process.call('settled')
      await process.call('readAll')
    }
    const contestants: Contestants = {
      redis: redis && redisContestant(redis),
      alone: contestantOf({ process: lonely.process, open: (settings) => lonely.open(settings) }),
      linked: contestantOf({ process: three[0]!.process, open: (settings) => three[0]!.open(settings) }),
    }
    const rows: Row[] = []
    for (const { name, operation, prepare } of ORDER) {
      run.say(`throughput: ${name}`)
      for (const each of Object.values(contestants)) if (each) await prepare?.(each)
      for (const concurrency of CONCURRENCIES)
        rows.push(await measure(run, contestants, { name, operation, concurrency }))
    }
    return { rows, measures: [] }
  } finally {
    await endAll([lonely, ...three])
    await redis?.stop()
  }
}
