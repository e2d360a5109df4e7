/** What one changed field costs on the way to another region, and on the disk. */
import { join } from 'node:path'
import { onTheDisk, onTheDiskOfRedis } from './disk.js'
import type { Findings, Measure, Run } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import { endAll, linkedRegions, openAll } from './regions.js'
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
      // One at a time is slower by far, and a fourth of the updates shows as much.
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

export const bytes = async (run: Run): Promise<Findings> => ({
  rows: [],
  measures: [...(await onTheWire(run)), ...(await onTheDisk(run)), ...(await onTheDiskOfRedis(run))],
})
