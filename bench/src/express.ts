/** Requests a second to an Express app behind express-session, by the store that keeps its sessions. */
import { join } from 'node:path'
import { AppPeer, embeddingPeer } from './app-peer.js'
import type { AppRow, Findings, Run } from './findings.js'
import { RedisPeer } from './redis-server.js'
import { endAll, linkedRegions, lonelyRegion, openAll, THREE } from './regions.js'
import { type Player, speedOf, takeTurns } from './turns.js'

const ROWS: readonly Pick<AppRow, 'name' | 'concurrency'>[] = [
  { name: 'read', concurrency: 64 },
  { name: 'write', concurrency: 64 },
  { name: 'write', concurrency: 1 },
]

const WARM_UP_CONCURRENCY = 64

/** Sessions looked at in the end. */
const CHECKED = 32

interface Peers {
  readonly memory: AppPeer
  readonly alone: AppPeer
  readonly linked: AppPeer
  readonly redis: AppPeer | undefined
}

const measure = async (run: Run, peers: Peers, row: Pick<AppRow, 'name' | 'concurrency'>): Promise<AppRow> => {
  const { name, concurrency } = row
  const { appRounds, appRoundMs, appWarmUpMs } = run.plan
  const playerOf = (peer: AppPeer): Player => ({
    warmUp: () => peer.fire({ name, connections: WARM_UP_CONCURRENCY, durationMs: appWarmUpMs }),
    run: () => peer.fire({ name, connections: concurrency, durationMs: appRoundMs }),
    settle: () => peer.settle(),
  })
  const present = [peers.memory, peers.alone, peers.linked, ...(peers.redis ? [peers.redis] : [])]
  const played = await takeTurns(run, present.map(playerOf), appRounds)
  const [memory, alone, linked, redis] = played.map(({ rounds }) => speedOf(rounds))
  return { ...row, memory: memory!, alone: alone!, linked: linked!, redis }
}

/** MemoryStore, an embedded replica of one region, one of three, and connect-redis, each in an app server of its own. */
export const express = async (run: Run): Promise<Findings> => {
  const { plan, hasRedis } = run
  const directory = join(run.directory, 'express')
  run.say('express: logging in')
  const server = hasRedis ? await RedisPeer.start(join(directory, 'redis')) : undefined
  const three = await linkedRegions(directory, THREE)
  const peers: Peers = {
    memory: new AppPeer('MemoryStore', { kind: 'memory' }),
    alone: await embeddingPeer('one region', lonelyRegion(directory)),
    linked: await embeddingPeer('three regions', three[0]!),
    redis: server && new AppPeer('connect-redis', { kind: 'redis', port: server.port }),
  }
  const all = Object.values(peers).filter((peer) => peer !== undefined)
  try {
    const others = openAll(three.slice(1))
    await Promise.all([others, peers.linked.open(plan.appSessions)])
    for (const peer of all) if (peer !== peers.linked) await peer.open(plan.appSessions)
    const appRows: AppRow[] = []
    for (const row of ROWS) {
      run.say(`express: ${row.name}, c=${row.concurrency}`)
      appRows.push(await measure(run, peers, row))
    }
    for (const peer of all) await peer.check(CHECKED)
    const skipped = hasRedis ? [] : ['connect-redis: redis-server is not on the PATH']
    return { rows: [], appRows, measures: [], skipped }
  } finally {
    await Promise.all(all.map((peer) => peer.end()))
    await endAll(three.slice(1))
    await server?.stop()
  }
}
