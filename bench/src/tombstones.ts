/** What sessions that have ended cost for as long as they are remembered. */
import { join } from 'node:path'
import { compact } from './disk.js'
import type { Findings, Run } from './findings.js'
import type { Memory } from './process-figures.js'
import { endAll, lonelyRegion } from './regions.js'

const memoryOf = async (directory: string): Promise<Memory> => {
  const region = lonelyRegion(directory)
  try {
    await region.open()
    return await region.process.call('memory')
  } finally {
    await endAll([region])
  }
}

/** Ends every session, and measures what is left of each: on the disk, and in the memory of a process that opens the store. */
export const tombstones = async (run: Run): Promise<Findings> => {
  run.say('tombstones')
  const directory = join(run.directory, 'tombstones')
  const { sessions } = run.plan
  const region = lonelyRegion(directory)
  let ended: number
  let disk: number
  try {
    await region.open()
    await region.process.call('seed', sessions)
    ended = await region.process.call('endEvery')
    await region.process.call('close')
    disk = await compact(region.location)
  } finally {
    await endAll([region])
  }
  const empty = await memoryOf(join(run.directory, 'tombstones-none'))
  const full = await memoryOf(directory)
  const per = (part: keyof Memory) => (full[part] - empty[part]) / ended
  return {
    rows: [],
    measures: [
      {
        name: 'disk, bytes per tombstone, compacted',
        value: disk / ended,
        unit: 'B',
        detail: `of ${ended} that were ended`,
      },
      {
        name: 'memory per tombstone',
        value: per('heap') + per('external'),
        unit: 'B',
        detail: `heap ${per('heap').toFixed(0)} and buffers ${per('external').toFixed(0)} B`,
      },
    ],
  }
}
