import { join } from 'node:path'
import { Callee } from './calls.js'
import type { ClientMethods } from './client-process.js'
import type { Findings, RemoteRow, Run } from './findings.js'
import type { Round } from './load.js'
import { CONCURRENCIES } from './plan.js'
import { RedisPeer } from './redis-server.js'
import type { ServerMethods } from './server-process.js'
import { IDLE_TIMEOUT_MS } from './session-data.js'
import type { OperationName } from './subject.js'
import { type Player, speedOf, takeTurns } from './turns.js'

const WARM_UP_CONCURRENCY = 64

type Runner = (operation: OperationName, concurrency: number, durationMs: number) => Promise<Round>

/** What is compared: each has a user in a process of its own, and is itself another one. */
const ORDER: readonly { name: RemoteRow['name']; operation: OperationName; who: 'plain' | 'near' }[] = [
  { name: 'get', operation: 'get', who: 'plain' },
  { name: 'getNear', operation: 'get', who: 'near' },
  { name: 'touch', operation: 'touch', who: 'plain' },
  { name: 'touchWritten', operation: 'touchWritten', who: 'plain' },
  { name: 'update', operation: 'update', who: 'plain' },
  { name: 'patch', operation: 'patch', who: 'plain' },
  { name: 'increment', operation: 'increment', who: 'plain' },
  { name: 'create', operation: 'create', who: 'plain' },
]

/** Reads and writes through `@sojourn/client` and a server of one region, beside ioredis and Redis. */
export const remote = async (run: Run): Promise<Findings> => {
  const { plan } = run
  const directory = join(run.directory, 'remote')
  const redis = run.hasRedis ? await RedisPeer.start(join(directory, 'redis')) : undefined
  const server = new Callee<ServerMethods>('the server', './server-process.js')
  const users = {
    plain: new Callee<ClientMethods>('the client', './client-process.js'),
    near: new Callee<ClientMethods>('the client with a near cache', './client-process.js'),
  }
  try {
    const url = await server.call('open', {
      region: 'alone',
      location: join(directory, 'alone'),
      session: { idleTimeout: IDLE_TIMEOUT_MS },
    })
    await users.plain.call('connect', url, false)
    const ids = await users.plain.call('seed', plan.sessions)
    await redis?.user.call('seed', plan.sessions)
    const rows: RemoteRow[] = []
    for (const { name, operation, who } of ORDER) {
      run.say(`remote: ${name}`)
      if (who === 'near') {
        await users.near.call('connect', url, true)
        await users.near.call('adopt', ids.slice(0, 5_000))
        await users.near.call('readAll')
      }
      if (operation === 'touch') await Promise.all([users.plain.call('renewAll'), redis?.user.call('renewAll')])
      const playerOf = (runner: Runner, concurrency: number): Player => ({
        warmUp: () => runner(operation, WARM_UP_CONCURRENCY, plan.warmUpMs),
        run: () => runner(operation, concurrency, plan.roundMs),
        settle: async () => 0,
      })
      const runners: Runner[] = [
        (...args) => users[who].call('run', ...args),
        ...(redis ? [(...args: Parameters<Runner>) => redis.user.call('run', ...args)] : []),
      ]
      for (const concurrency of CONCURRENCIES) {
        const players = runners.map((runner) => playerOf(runner, concurrency))
        const [ofRemote, ofRedis] = await takeTurns(run, players, plan.rounds)
        rows.push({ name, concurrency, redis: ofRedis && speedOf(ofRedis.rounds), remote: speedOf(ofRemote!.rounds) })
      }
      // Its server must not go on sending it changes while others are measured.
      if (who === 'near') await users.near.end()
    }
    return { rows: [], remoteRows: rows, measures: [] }
  } finally {
    for (const each of [users.plain, users.near, server]) await each.end()
    await redis?.stop()
  }
}
