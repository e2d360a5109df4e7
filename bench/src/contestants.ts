/** The stores that are compared by operations a second, each used by a process of its own. */
import type { Round } from './load.js'
import type { RedisPeer } from './redis-server.js'
import type { Region } from './regions.js'
import type { OperationName } from './subject.js'
import type { Player } from './turns.js'

const WARM_UP_CONCURRENCY = 64

/** One of the stores compared: the process in which its user runs. */
export interface Contestant {
  run(operation: OperationName, concurrency: number, durationMs: number): Promise<Round>
  settle(): Promise<number>
  renewAll(): Promise<void>
  /** Starts the store again, with the cache given. */
  reopen(maxCacheEntries?: number): Promise<void>
}

export const regionContestant = (region: Region): Contestant => ({
  run: (...args) => region.process.call('run', ...args),
  settle: () => region.process.call('settled'),
  renewAll: () => region.process.call('renewAll'),
  async reopen(maxCacheEntries) {
    await region.process.call('close')
    await region.open(maxCacheEntries === undefined ? {} : { limits: { maxCacheEntries } })
    await region.process.call('settled')
    if (maxCacheEntries === undefined) await region.process.call('readAll')
  },
})

export const redisContestant = ({ user, replicas }: RedisPeer): Contestant => ({
  run: (...args) => user.call('run', ...args),
  settle: () => (replicas === 0 ? Promise.resolve(0) : user.call('settled', replicas)),
  renewAll: () => user.call('renewAll'),
  reopen: async () => {},
})

/** A contestant that has one thing to do. */
export const playerOf = (
  contestant: Contestant,
  operation: OperationName,
  concurrency: number,
  { warmUpMs, roundMs }: { readonly warmUpMs: number; readonly roundMs: number },
): Player => ({
  warmUp: () => contestant.run(operation, WARM_UP_CONCURRENCY, warmUpMs),
  run: () => contestant.run(operation, concurrency, roundMs),
  settle: () => contestant.settle(),
})
