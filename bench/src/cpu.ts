/** What one update costs the processes that take part in it, in CPU time of all their threads. */
import { join } from 'node:path'
import type { Findings, Run } from './findings.js'
import { median } from './load.js'
import { namesOf } from './names.js'
import { endAll, linkedRegions, openAll, THREE } from './regions.js'

const CONCURRENCY = 64

/** Three regions, of which one writes: its time, and a receiver's, until all hold what was written. */
export const cpu = async (run: Run): Promise<Findings> => {
  const { plan } = run
  run.say('CPU of one update')
  const regions = await linkedRegions(join(run.directory, 'cpu'), THREE)
  const [writer, ...receivers] = regions.map(({ process }) => process)
  try {
    await openAll(regions)
    await writer!.call('seed', plan.sessions)
    await writer!.call('settled')
    // So that the engine has compiled what there is to compile, in the receivers, too.
    await writer!.call('run', 'update', CONCURRENCY, plan.cpuMs)
    await writer!.call('settled')
    const perUpdate: { writer: number[]; receiver: number[] } = { writer: [], receiver: [] }
    for (let round = 0; round < plan.rounds; round++) {
      await run.quiet.wait()
      const times = () => Promise.all([writer!, ...receivers].map((process) => process.call('cpuMs')))
      const before = await times()
      const { count } = await writer!.call('run', 'update', CONCURRENCY, plan.cpuMs)
      await writer!.call('settled')
      const [ofWriter, ...ofReceivers] = (await times()).map((ms, index) => ((ms - before[index]!) / count) * 1_000)
      perUpdate.writer.push(ofWriter!)
      perUpdate.receiver.push(...ofReceivers)
    }
    const names = namesOf(plan)
    const shown = (values: readonly number[]) => values.map((value) => value.toFixed(1)).join(', ')
    const detail = `three regions, ${CONCURRENCY} at a time, all threads`
    return {
      rows: [],
      measures: [
        {
          name: names.writerCpu,
          value: median(perUpdate.writer),
          unit: 'µs',
          detail: `${detail}, the callers' share in it; rounds: ${shown(perUpdate.writer)}`,
        },
        {
          name: names.receiverCpu,
          value: median(perUpdate.receiver),
          unit: 'µs',
          detail: `${detail}; rounds of both receivers: ${shown(perUpdate.receiver)}`,
        },
      ],
    }
  } finally {
    await endAll(regions)
  }
}
