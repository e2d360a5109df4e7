/** How much memory sessions take, in the index and in the cache. */
import { join } from 'node:path'
import type { Findings, Measure, Run } from './findings.js'
import { namesOf } from './names.js'
import type { Memory } from './process-figures.js'
import { RedisPeer } from './redis-server.js'
import { endAll, lonelyRegion, type Region } from './regions.js'

interface Footprint {
  readonly open: Memory
  /** With every session fetched, and so cached. */
  readonly fetched: Memory
  /** With the data of each looked at, too: what it holds was made of its record, and is kept beside it. */
  readonly read: Memory
}

/** What a process of its own needs. */
const footprint = async (region: Region, ids: readonly string[]): Promise<Footprint> => {
  try {
    await region.open()
    await region.process.call('adopt', ids)
    const open = await region.process.call('memory')
    await region.process.call('readAll', false)
    const fetched = await region.process.call('memory')
    await region.process.call('readAll')
    return { open, fetched, read: await region.process.call('memory') }
  } finally {
    await endAll([region])
  }
}

const ofRedis = async ({ plan, hasRedis, directory }: Run): Promise<Measure[]> => {
  if (!hasRedis) return []
  const peer = await RedisPeer.start(join(directory, 'memory-redis'))
  try {
    const before = await peer.user.call('info', 'memory', 'used_memory')
    await peer.user.call('seed', plan.sessions)
    const after = await peer.user.call('info', 'memory', 'used_memory')
    return [{ name: 'for comparison: Redis, memory per session', value: (after - before) / plan.sessions, unit: 'B' }]
  } finally {
    await peer.stop()
  }
}

/** What 20,000 sessions add to a process: when none was read yet, when all are in the cache, and when somebody looked at each. */
export const memory = async (run: Run): Promise<Findings> => {
  run.say('memory')
  const { sessions } = run.plan
  const names = namesOf(run.plan)
  const seeding = lonelyRegion(join(run.directory, 'memory'))
  let ids: readonly string[]
  try {
    await seeding.open()
    ids = await seeding.process.call('seed', sessions)
    await seeding.process.call('close')
  } finally {
    await endAll([seeding])
  }
  const empty = (await footprint(lonelyRegion(join(run.directory, 'memory-empty')), [])).open
  const full = await footprint(lonelyRegion(join(run.directory, 'memory')), ids)
  const each = (name: string, held: Memory): Measure => {
    const per = (part: keyof Memory) => (held[part] - empty[part]) / sessions
    return {
      name,
      value: per('heap') + per('external'),
      unit: 'B',
      detail: `heap ${per('heap').toFixed(0)} and buffers ${per('external').toFixed(0)} B; resident memory ${per('rss').toFixed(0)} B`,
    }
  }
  return {
    rows: [],
    measures: [
      each('memory per session, none cached', full.open),
      each(names.withoutView, full.fetched),
      each(names.withView, full.read),
      ...(await ofRedis(run)),
    ],
  }
}
