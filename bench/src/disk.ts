/** What updates make a store write to the disk, and what its sessions take there. */
import { join } from 'node:path'
import { compactRows } from './altered-rows.js'
import type { DiskUse } from './disk-use.js'
import type { Measure, Run } from './findings.js'
import { namesOf } from './names.js'
import { directoryBytes } from './process-figures.js'
import { RedisPeer } from './redis-server.js'
import { endAll, lonelyRegion } from './regions.js'

const CONCURRENCY = 64

/** The bytes of a closed store without what LevelDB has yet to remove. */
export const compact = async (location: string): Promise<number> => {
  await compactRows(location)
  return directoryBytes(location)
}

export const diskMeasure = (name: string, { updates, bytes, rows }: DiskUse): Measure => ({
  name,
  value: bytes / updates,
  unit: 'B',
  detail: `journal, checkpoints and compactions: ${updates} updates of random sessions, ${rows} rows`,
})

export const onTheDisk = async (run: Run): Promise<Measure[]> => {
  run.say('bytes on the disk')
  const { sessions, checkpoints, checkpointBytes } = run.plan
  const region = lonelyRegion(join(run.directory, 'disk'))
  const { process, location } = region
  const limits = checkpointBytes === undefined ? undefined : { limits: { checkpointBytes } }
  try {
    await region.open(limits)
    await process.call('seed', sessions)
    await process.call('close')
    const compacted = await compact(location)
    await region.open(limits)
    const use = await process.call('diskUse', 'update', CONCURRENCY, checkpoints)
    await process.call('close')
    const after = await compact(location)
    return [
      diskMeasure(namesOf(run.plan).disk, use),
      {
        name: 'disk, bytes per session, compacted',
        value: after / sessions,
        unit: 'B',
        detail: `of it ${(directoryBytes(join(location, 'rows')) / sessions).toFixed(0)} B of rows, the index's copy among them; ${(compacted / sessions).toFixed(0)} B before the updates`,
      },
    ]
  } finally {
    await endAll([region])
  }
}

export const onTheDiskOfRedis = async (run: Run): Promise<Measure[]> => {
  if (!run.hasRedis) return []
  const peer = await RedisPeer.start(join(run.directory, 'disk-redis'))
  try {
    await peer.user.call('seed', run.plan.sessions)
    const before = await peer.user.call('info', 'persistence', 'aof_current_size')
    await peer.user.call('updateAll')
    const after = await peer.user.call('info', 'persistence', 'aof_current_size')
    const value = (after - before) / run.plan.sessions
    return [{ name: 'for comparison: Redis, append-only file per update', value, unit: 'B' }]
  } finally {
    await peer.stop()
  }
}
