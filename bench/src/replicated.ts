/** Writes where others hold copies: three regions, beside Redis with two replicas, and two masters of KeyDB. */
import { join } from 'node:path'
import { type Contestant, playerOf, redisContestant, regionContestant } from './contestants.js'
import type { Findings, HeldSpeed, ReplicatedRow, Run } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import { keydbVersion, RedisPeer } from './redis-server.js'
import { endAll, linkedRegions, openAll, THREE } from './regions.js'
import type { OperationName } from './subject.js'
import { type Played, speedOf, takeTurns, untilHeld } from './turns.js'

/** Creating makes more sessions, so it is last. */
const ORDER = ['touchWritten', 'update', 'updateMajority', 'mix', 'create'] as const

interface Contestants {
  readonly linked: Contestant
  readonly redis: Contestant | undefined
  readonly keydb: Contestant | undefined
}

const heldSpeedOf = (played: Played): HeldSpeed => ({
  ...speedOf(played.rounds),
  perSecondUntilHeld: untilHeld(played),
})

const measure = async (
  run: Run,
  contestants: Contestants,
  name: OperationName,
  concurrency: number,
): Promise<ReplicatedRow> => {
  // Two masters have no majority that a copy elsewhere would make.
  const keydb = name === 'updateMajority' ? undefined : contestants.keydb
  const present = Object.entries({ ...contestants, keydb }).flatMap(([who, each]) => (each ? [{ who, each }] : []))
  const players = present.map(({ each }) => playerOf(each, name, concurrency, run.plan))
  const played = await takeTurns(run, players, run.plan.rounds)
  const speeds = new Map(present.map(({ who }, index) => [who, heldSpeedOf(played[index]!)]))
  return {
    name,
    concurrency,
    linked: speeds.get('linked')!,
    redis: speeds.get('redis'),
    keydb: speeds.get('keydb'),
  }
}

const skippedOf = ({ hasRedis }: Run): string[] => [
  ...(hasRedis ? [] : ['Redis with two replicas: redis-server is not on the PATH']),
  ...(keydbVersion() === undefined ? ['KeyDB with two masters: keydb-server is not on the PATH'] : []),
]

/** Writes, one at a time and 64 at a time, and then the time until all hold them. */
export const replicated = async (run: Run): Promise<Findings> => {
  const { plan, hasRedis } = run
  const directory = join(run.directory, 'replicated')
  const redis = hasRedis ? await RedisPeer.start(join(directory, 'redis'), 2) : undefined
  const keydb = keydbVersion() === undefined ? undefined : await RedisPeer.startKeydb(join(directory, 'keydb'))
  const three = await linkedRegions(directory, THREE)
  try {
    await openAll(three)
    const writer = three[0]!.process
    await writer.call('seed', plan.sessions)
    await writer.call('settled')
    await writer.call('readAll')
    for (const peer of [redis, keydb]) {
      await peer?.user.call('seed', plan.sessions)
      await peer?.user.call('settled', peer.replicas)
    }
    const contestants: Contestants = {
      linked: regionContestant(three[0]!),
      redis: redis && redisContestant(redis),
      keydb: keydb && redisContestant(keydb),
    }
    const replicatedRows: ReplicatedRow[] = []
    for (const name of ORDER) {
      run.say(`replicated: ${name}`)
      for (const concurrency of CONCURRENCIES) replicatedRows.push(await measure(run, contestants, name, concurrency))
    }
    return { rows: [], replicatedRows, measures: [], skipped: skippedOf(run) }
  } finally {
    await endAll(three)
    await redis?.stop()
    await keydb?.stop()
  }
}
