/** A store with many sessions: opening it, what operations cost in it, letting sessions expire, and reconciling it with another region. */
import { join } from 'node:path'
import { diskMeasure } from './disk.js'
import type { Findings, Measure, Run, ScaleRow } from './findings.js'
import { namesOf } from './names.js'
import type { Memory } from './process-figures.js'
import { reconciling } from './reconciling.js'
import { endAll, listeningRegion, lonelyRegion, type Region, type RegionSettings } from './regions.js'
import { CACHED, compare, type Sized, UNCACHED } from './scale.js'

/** Long enough that none expires while all of this goes on. */
const SESSION = { idleTimeout: '10h' } as const
/** Sessions that are made between two words of progress. */
const SEED_STEP = 100_000
const GRACE_MS = 1_000
/** Each covers fewer updates here than where few sessions are updated again and again. */
const MORE_CHECKPOINTS = 4

const seedNumbers = async (run: Run, { region, sessions }: Sized): Promise<void> => {
  for (let from = 0; from < sessions; from += SEED_STEP) {
    if (from > 0) run.say(`${sessions} sessions: ${from} made`)
    await region.process.call('seedNumbers', from, Math.min(sessions, from + SEED_STEP))
  }
}

const megabytes = (bytes: number): number => bytes / 2 ** 20

/** The default; in a quick run, checkpoints of less. */
const checkpointing = ({ plan: { checkpointBytes } }: Run): RegionSettings =>
  checkpointBytes === undefined ? {} : { limits: { checkpointBytes } }

/** In a process of its own. */
const opened = async (
  run: Run,
  old: Region,
): Promise<{ readonly region: Region; readonly ms: number; readonly memory: Memory }> => {
  await endAll([old])
  const region = old.anew()
  await run.quiet.wait()
  return { region, ...(await region.process.call('openTimed', region.options(checkpointing(run)))) }
}

const openingMeasures = (names: readonly [string, string], { ms, memory }: { ms: number; memory: Memory }) => {
  const detail = `heap ${megabytes(memory.heap).toFixed(0)}, buffers ${megabytes(memory.external).toFixed(0)}, mapped files ${megabytes(memory.mapped).toFixed(0)} MB, right after it was opened`
  return [
    { name: names[0], value: ms, unit: 'ms' },
    { name: names[1], value: megabytes(memory.rss), unit: 'MB', detail },
  ] satisfies Measure[]
}

/** With default limits: what is cached, and what is not. */
const costs = async (run: Run, few: Sized, many: Sized): Promise<{ rows: ScaleRow[]; measures: Measure[] }> => {
  const names = namesOf(run.plan)
  const index = (await many.region.process.call('indexBytes')) / many.sessions
  const rows = await compare(run, few, many, CACHED)
  run.say(`${many.sessions} sessions: bytes on the disk`)
  await many.region.process.call('adoptNumbers', many.sessions)
  const use = await many.region.process.call('diskUse', 'update', 64, MORE_CHECKPOINTS * run.plan.checkpoints)
  return {
    rows,
    measures: [
      { name: names.index, value: index, unit: 'B' },
      diskMeasure(`${names.disk}, ${many.sessions} sessions`, use),
    ],
  }
}

const reopen = async ({ region }: Sized, settings: RegionSettings): Promise<void> => {
  await region.process.call('close')
  await region.open({ session: SESSION, ...settings })
}

/** Sessions that live for some seconds, beside the others. */
const expiry = async (run: Run, { region, sessions }: Sized): Promise<Measure> => {
  const { expiring, expiringMs } = run.plan
  run.say(`${sessions} sessions: expiry`)
  const { cpuMs, ms, peakMs } = await region.process.call('expire', expiring, expiringMs, GRACE_MS)
  return {
    name: `CPU per session that expires and is purged, beside ${sessions}`,
    value: (cpuMs / expiring) * 1_000,
    unit: 'µs',
    detail: `${expiring} at once, all gone ${ms.toFixed(0)} ms after the first could be; peak event-loop delay ${peakMs.toFixed(1)} ms`,
  }
}

export const million = async (run: Run): Promise<Findings> => {
  const { plan } = run
  const names = namesOf(plan)
  const directory = join(run.directory, 'million')
  const few = { region: lonelyRegion(join(directory, 'few'), SESSION), sessions: plan.sessions }
  let many = { region: await listeningRegion(directory, 'eu', SESSION), sessions: plan.many }
  const measures: Measure[] = []
  try {
    for (const each of [few, many]) {
      await each.region.open()
      await seedNumbers(run, each)
    }
    await many.region.process.call('close')
    const clean = await opened(run, many.region)
    many = { ...many, region: clean.region }
    measures.push(...openingMeasures([names.openedClean, names.cleanMemory], clean))
    const cached = await costs(run, few, many)
    measures.push(...cached.measures)
    // Ended in the middle of its work, with a journal that no checkpoint covers.
    const killed = await opened(run, many.region)
    many = { ...many, region: killed.region }
    measures.push(...openingMeasures([names.openedKilled, names.killedMemory], killed))

    for (const each of [few, many]) await reopen(each, { limits: { maxCacheEntries: 1 } })
    const rows = [...cached.rows, ...(await compare(run, few, many, UNCACHED))]
    for (const each of [few, many]) {
      await reopen(each, { purgeGrace: GRACE_MS })
      measures.push(await expiry(run, each))
    }
    await endAll([few.region])
    await reopen(many, {})
    measures.push(...(await reconciling({ ...run, directory }, many.region, { session: SESSION })))
    return { rows: [], scale: { few: few.sessions, many: many.sessions, rows }, measures }
  } finally {
    await endAll([few.region, many.region])
  }
}
