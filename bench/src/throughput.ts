/** Operations a second of an embedded replica, of one region and of three, beside ioredis. */
import { join } from 'node:path'
import { type Contestant, playerOf, redisContestant, regionContestant } from './contestants.js'
import type { Findings, Row, RowName, Run } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import { RedisPeer } from './redis-server.js'
import { endAll, linkedRegions, lonelyRegion, openAll, THREE } from './regions.js'
import type { OperationName } from './subject.js'
import { speedOf, takeTurns, untilHeld } from './turns.js'

interface Contestants {
  readonly alone: Contestant
  readonly linked: Contestant
  readonly redis: Contestant | undefined
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

const measure = async (
  run: Run,
  { redis, alone, linked }: Contestants,
  { name, operation, concurrency }: { name: RowName; operation: OperationName; concurrency: number },
): Promise<Row> => {
  const present = redis ? [alone, linked, redis] : [alone, linked]
  const players = present.map((each) => playerOf(each, operation, concurrency, run.plan))
  const [ofAlone, ofLinked, ofRedis] = await takeTurns(run, players, run.plan.rounds)
  return {
    name,
    concurrency,
    redis: ofRedis && speedOf(ofRedis.rounds),
    alone: speedOf(ofAlone!.rounds),
    linked: speedOf(ofLinked!.rounds),
    linkedUntilHeld: untilHeld(ofLinked!),
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
      alone: regionContestant(lonely),
      linked: regionContestant(three[0]!),
      redis: redis && redisContestant(redis),
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
