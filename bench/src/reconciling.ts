/** Two regions hold many sessions, some of which differ, and no feed says so: how long until they agree, and for how many bytes? */
import { alterRows, type SavedRow, savedRows } from './altered-rows.js'
import type { Measure, Run } from './findings.js'
import type { FrameCounts } from './frames.js'
import { namesOf } from './names.js'
import { endAll, listeningRegion, type Region, type RegionSettings } from './regions.js'
import { numberedId, spread } from './session-ids.js'
import type { Expected } from './standing.js'
import { Traffic } from './traffic.js'

/** A new region takes in all that there is first. */
const FILL_PATIENCE_MS = 600_000
const SLICES = 256

/** Frames by which regions find what differs; the records themselves are not among them. */
const COMPARING = ['digest', 'versions', 'want'] as const

/** Sessions that will differ: a half is older in the second region, a quarter is missing there, and a quarter in the first. */
const chosen = (differing: number, among: number) => {
  const some = (share: number, offset: number) => spread(Math.round(differing * share), among, offset).map(numberedId)
  return { older: some(0.5, 0), missingThere: some(0.25, 1), missingHere: some(0.25, 2) }
}

const NEW_PATH = '/changed/while/apart'

const link = async ([first, second]: readonly [Region, Region], via = (port: number) => Promise.resolve(port)) => {
  const url = async (region: Region) => `ws://127.0.0.1:${await via(region.port)}`
  const urls = [await url(first), await url(second)] as const
  await Promise.all([
    first.process.call('addPeer', second.name, urls[1]),
    second.process.call('addPeer', first.name, urls[0]),
  ])
}

const sumOf = (counts: readonly FrameCounts[], types: readonly string[]): number =>
  counts.flatMap((each) => types.map((type) => each[type]?.bytes ?? 0)).reduce((sum, bytes) => sum + bytes, 0)

const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`

/** By type of frame, both ways. */
const listed = (counts: readonly FrameCounts[]): string => {
  const types = [...new Set(counts.flatMap((each) => Object.keys(each)))]
  const sums = types.map((type) => [type, sumOf(counts, [type])] as const).sort(([, a], [, b]) => b - a)
  return sums.map(([type, bytes]) => `${type} ${kilobytes(bytes)}`).join(', ')
}

/** Fills a second region from the first, and changes sessions there of which the second one's rows are kept. */
const filled = async (
  run: Run,
  regions: readonly [Region, Region],
  older: readonly string[],
): Promise<{ readonly fill: Measure; readonly rows: readonly SavedRow[] }> => {
  const [first, second] = regions
  const { many } = run.plan
  run.say(`${many} sessions: a new region takes them in`)
  await second.open()
  await run.quiet.wait()
  await link(regions)
  const fillMs = await second.process.call('holds', await first.process.call('position'), FILL_PATIENCE_MS)
  await first.process.call('settled', FILL_PATIENCE_MS)
  await second.process.call('close')
  const rows = await savedRows(second.location, older)
  await second.open()
  await second.process.call('addPeer', first.name, `ws://127.0.0.1:${first.port}`)
  await first.process.call(
    'write',
    older.map((id) => ({ id, lastPath: NEW_PATH })),
  )
  for (const { process } of regions) await process.call('settled', FILL_PATIENCE_MS)
  const name = `a new region takes in ${many} sessions`
  return { fill: { name, value: fillMs, unit: 'ms', detail: `${Math.round((many / fillMs) * 1_000)}/s` }, rows }
}

/** All slices, for what was not among the differing ones must agree as before. */
const checkAgreement = async ([first, second]: readonly [Region, Region]): Promise<void> => {
  const asOf = Date.now() + 60_000
  for (let slice = 0; slice < SLICES; slice++) {
    const both = await Promise.all([first, second].map(({ process }) => process.call('digest', slice, asOf)))
    if (both[0]!.digest !== both[1]!.digest) throw new Error(`the regions agree, and differ in slice ${slice}`)
  }
}

/** Opens both with what differs, links them, and waits until each session reads the same in both. */
const reconciled = async (
  run: Run,
  regions: readonly [Region, Region],
  differing: ReturnType<typeof chosen>,
): Promise<Measure[]> => {
  const traffic = new Traffic()
  const [first, second] = regions
  const present = (ids: readonly string[]): Expected[] => ids.map((id) => ({ id }))
  const changed = differing.older.map((id) => ({ id, lastPath: NEW_PATH }))
  try {
    await Promise.all(regions.map((region) => region.process.call('openCounting', region.options())))
    await run.quiet.wait()
    const start = performance.now()
    await link(regions, (port) => traffic.lead(port, 'dialer', 'listener'))
    await Promise.all([
      first.process.call('reads', present(differing.missingHere)),
      second.process.call('reads', [...changed, ...present(differing.missingThere)]),
    ])
    const ms = performance.now() - start
    const all = traffic.sent('dialer', 'listener') + traffic.sent('listener', 'dialer')
    const counts = await Promise.all(regions.map(({ process }) => process.call('frames')))
    await checkAgreement(regions)
    const names = namesOf(run.plan)
    return [
      {
        name: names.reconciling,
        value: ms,
        unit: 'ms',
        detail: 'from the moment when they are configured with each other',
      },
      {
        name: names.comparing,
        value: sumOf(counts, COMPARING) / 1_000,
        unit: 'kB',
        detail: `both ways; all of the link ${kilobytes(all)}: ${listed(counts)}`,
      },
    ]
  } finally {
    traffic.close()
  }
}

/** @param first a region that holds the numbered sessions, open; it is ended */
export const reconciling = async (
  run: Run,
  first: Region,
  settings: Pick<RegionSettings, 'session'>,
): Promise<Measure[]> => {
  const { many, differing: wanted } = run.plan
  const differing = chosen(wanted, many)
  let regions: [Region, Region] = [first, await listeningRegion(run.directory, 'us', settings.session)]
  try {
    const { fill, rows } = await filled(run, regions, differing.older)
    for (const { process } of regions) await process.call('close')
    await endAll(regions)
    regions = [regions[0].anew(), regions[1].anew()]
    await alterRows(regions[0].location, { removed: differing.missingHere })
    await alterRows(regions[1].location, { older: rows, removed: differing.missingThere })
    run.say(`${many} sessions: reconciling`)
    return [fill, ...(await reconciled(run, regions, differing))]
  } finally {
    await endAll(regions)
  }
}
