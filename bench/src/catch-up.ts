/** A region that was away while others changed every session: how long until it holds them, and how much memory that takes. */
import { join } from 'node:path'
import type { Findings, Run } from './findings.js'
import { quantile } from './load.js'
import { namesOf } from './names.js'
import type { Memory } from './process-figures.js'
import { endAll, linkedRegions, openAll, Region, type RegionSettings, THREE } from './regions.js'

const SAMPLE = 200
/** Small beside the sessions, so that what the catch-up itself needs is seen, and not what it leaves in the cache. */
const SMALL_CACHE = 1_000

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

/** The third region is away while the first changes every session; then it is started again. */
export const catchUp = async (run: Run): Promise<Findings> => {
  const { plan } = run
  const regions = await linkedRegions(join(run.directory, 'catch-up'), THREE)
  const writer = regions[0]!.process
  try {
    await openAll(regions)
    const ids = await writer.call('seed', plan.sessions)
    await writer.call('settled')

    const away = async (settings: RegionSettings) => {
      run.say('catch-up')
      await regions[2]!.process.call('close')
      await regions[2]!.process.end()
      await writer.call('updateAll')
      const third = new Region(regions[2]!.options())
      regions[2] = third
      const before = await third.process.call('memory')
      await run.quiet.wait()
      const result = await third.process.call('catchUp', third.options(settings), await writer.call('position'))
      const after = await third.process.call('memory')
      await writer.call('settled')
      const some = Array.from({ length: SAMPLE }, () => ids[Math.floor(Math.random() * ids.length)]!)
      const [here, there] = [await writer.call('lastPaths', some), await third.process.call('lastPaths', some)]
      if (JSON.stringify(here) !== JSON.stringify(there))
        throw new Error('the third region says it caught up, and did not')
      return { ...result, before, after }
    }

    const times = []
    for (let round = 0; round < plan.catchUps; round++) times.push(await away({}))
    const small = await away({ limits: { maxCacheEntries: SMALL_CACHE } })
    const heap = ({ before, peak, after }: { before: Memory; peak: Memory; after: Memory }) =>
      `heap ${megabytes(before.heap)} MB before, ${megabytes(peak.heap)} at most, ${megabytes(after.heap)} after and collected; RSS ${megabytes(before.rss)}, ${megabytes(peak.rss)}, ${megabytes(after.rss)}`
    const middle = quantile(
      times.map(({ ms }) => ms),
      0.5,
    )
    const typical = times.find(({ ms }) => ms === middle)!
    return {
      rows: [],
      measures: [
        {
          name: namesOf(plan).catchUp,
          value: middle,
          unit: 'ms',
          detail: `of it ${typical.openMs.toFixed(0)} ms to open the store; all: ${times.map(({ ms }) => ms.toFixed(0)).join(', ')} ms`,
        },
        {
          name: 'catch-up: most heap over what it leaves',
          value: (typical.peak.heap - typical.after.heap) / 2 ** 20,
          unit: 'MB',
          detail: heap(typical),
        },
        {
          name: `the same with a cache of ${SMALL_CACHE} sessions`,
          value: (small.peak.heap - small.after.heap) / 2 ** 20,
          unit: 'MB',
          detail: `${small.ms.toFixed(0)} ms; ${heap(small)}`,
        },
      ],
    }
  } finally {
    await endAll(regions)
  }
}
