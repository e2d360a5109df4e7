import { join } from 'node:path'
import type { Findings, Measure, Run } from './findings.js'
import { quantile } from './load.js'
import { endAll, linkedRegions, openAll, THREE } from './regions.js'
import type { Probe } from './sightings.js'

const PATIENCE_MS = 30_000
const LOAD_CONCURRENCY = 64
const WARM_UP_MS = 1_500

/** Of each probe in each other region: from the call of `update` there to the `updated` event here. */
const lagsOf = (probes: readonly Probe[], sightings: readonly Map<string, number>[]) => {
  const seen = sightings.flatMap((times) => probes.map((probe) => ({ probe, at: times.get(probe.key)! })))
  return {
    fromCall: seen.map(({ probe, at }) => at - probe.calledAt),
    fromAcknowledgement: seen.map(({ probe, at }) => at - probe.acknowledgedAt),
  }
}

const measuresOf = (name: string, lags: ReturnType<typeof lagsOf>, detail: string): Measure[] =>
  ([0.5, 0.99] as const).map((share) => ({
    name: `lag, ${name}, p${share * 100}`,
    value: quantile(lags.fromCall, share),
    unit: 'ms',
    detail: `${quantile(lags.fromAcknowledgement, share).toFixed(2)} ms from the writer's acknowledgement; ${detail}`,
  }))

/** How long until the other two regions emit a write: nothing else to do, at half speed, at full speed. */
export const lag = async (run: Run): Promise<Findings> => {
  const { plan } = run
  const regions = await linkedRegions(join(run.directory, 'lag'), THREE)
  const [writer, ...others] = regions.map(({ process }) => process)
  try {
    await openAll(regions)
    const ids = await writer!.call('seed', plan.sessions + 3 * plan.probes)
    await writer!.call('adopt', ids.slice(0, plan.sessions))
    // A region in use has compiled its code; a bench must not time the compiler.
    await writer!.call('run', 'update', LOAD_CONCURRENCY, run.plan.name === 'quick' ? 100 : WARM_UP_MS)
    await writer!.call('settled')
    const probe = async (turn: number) => {
      const from = plan.sessions + turn * plan.probes
      // Each probe changes a session that nobody else changes, so that one event belongs to one write.
      const own = ids.slice(from, from + plan.probes)
      await Promise.all(others.map((process) => process.call('watch', own)))
      const probes = await writer!.call('sendProbes', own, plan.probeEveryMs)
      return lagsOf(probes, await Promise.all(others.map((process) => process.call('sightings', PATIENCE_MS))))
    }
    const loaded = async (turn: number, rate?: number) => {
      await run.quiet.wait()
      await writer!.call('startLoad', 'update', LOAD_CONCURRENCY, rate)
      const lags = await probe(turn)
      const { count, ms } = await writer!.call('stopLoad')
      await writer!.call('settled')
      return { lags, perSecond: Math.round((count / ms) * 1_000) }
    }
    run.say('lag: idle')
    await run.quiet.wait()
    const idle = await probe(0)
    run.say('lag: under load')
    const full = await loaded(1)
    const half = await loaded(2, full.perSecond / 2)
    return {
      rows: [],
      measures: [
        ...measuresOf('idle', idle, `a write every ${plan.probeEveryMs} ms`),
        ...measuresOf('at half speed', half.lags, `${half.perSecond} updates/s beside it`),
        ...measuresOf('at full speed', full.lags, `${full.perSecond} updates/s beside it, 64 at a time`),
      ],
    }
  } finally {
    await endAll(regions)
  }
}
