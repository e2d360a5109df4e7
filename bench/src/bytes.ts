import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Findings, Measure, Run } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import { directoryBytes } from './process-figures.js'
import { RedisPeer } from './redis-server.js'
import { endAll, linkedRegions, lonelyRegion, openAll } from './regions.js'
import { Traffic } from './traffic.js'

/** Between two regions, through a proxy that counts. */
const onTheWire = async (run: Run): Promise<Measure[]> => {
  const traffic = new Traffic()
  const names = ['eu', 'us']
  const regions = await linkedRegions(join(run.directory, 'wire'), names, (port, from, to) =>
    traffic.lead(port, from, to),
  )
  const writer = regions[0]!.process
  try {
    await openAll(regions)
    await writer.call('seed', run.plan.sessions)
    await writer.call('settled')
    const measures: Measure[] = []
    for (const concurrency of CONCURRENCIES) {
      run.say(`bytes on the wire, c=${concurrency}`)
      // One at a time is slower by far, and a fourth of the updates tells as much.
      const wanted = concurrency === 1 ? run.plan.updatesForBytes / 4 : run.plan.updatesForBytes
      const before = { out: traffic.sent('eu', 'us'), back: traffic.sent('us', 'eu') }
      const { count } = await writer.call('runCount', 'update', concurrency, wanted)
      await writer.call('settled')
      const out = (traffic.sent('eu', 'us') - before.out) / count
      const back = (traffic.sent('us', 'eu') - before.back) / count
      measures.push({
        name: `wire, bytes per update and link, c=${concurrency}`,
        value: out,
        unit: 'B',
        detail: `and ${back.toFixed(1)} B back; WebSocket framing and heartbeats counted, TCP and TLS not`,
      })
    }
    return measures
  } finally {
    await endAll(regions)
    traffic.close()
  }
}

/** LevelDB frees the space of what was replaced when it compacts; this makes it do so at once. */
export const compact = async (location: string): Promise<number> => {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await level.compactRange(new Uint8Array(0), new Uint8Array(32).fill(0xff))
  await level.close()
  return directoryBytes(location)
}

const onTheDisk = async (run: Run): Promise<Measure[]> => {
  run.say('bytes on the disk')
  const { sessions, updatesForBytes } = run.plan
  const region = lonelyRegion(join(run.directory, 'disk'))
  const { process, location } = region
  try {
    await region.open()
    await process.call('seed', sessions)
    await process.call('close')
    const compacted = await compact(location)
    await region.open()
    const before = { files: directoryBytes(location), written: await process.call('bytesWritten') }
    const { count } = await process.call('runCount', 'update', 64, updatesForBytes)
    const written = await process.call('bytesWritten')
    const files = directoryBytes(location)
    await process.call('close')
    const after = await compact(location)
    const growth = ((files - before.files) / count).toFixed(0)
    return [
      {
        name: 'disk, bytes written per update',
        value: ((written ?? Number.NaN) - (before.written ?? Number.NaN)) / count,
        unit: 'B',
        detail: `log and compactions; the files grew by ${growth} B per update, after compaction by ${((after - compacted) / count).toFixed(1)} B`,
      },
      {
        name: 'disk, bytes per session, compacted',
        value: after / sessions,
        unit: 'B',
        detail: `${(compacted / sessions).toFixed(0)} B before the updates`,
      },
    ]
  } finally {
    await endAll([region])
  }
}

const ofRedis = async (run: Run): Promise<Measure[]> => {
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

/** What one changed field costs on the way to another region, and on the disk. */
export const bytes = async (run: Run): Promise<Findings> => ({
  rows: [],
  measures: [...(await onTheWire(run)), ...(await onTheDisk(run)), ...(await ofRedis(run))],
})
