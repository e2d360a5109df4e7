/** What an operation costs in a store of many sessions, beside the same in a store of few. */
import type { Run, ScaleRow, ScaleRowName } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import type { Region } from './regions.js'
import { numberedId, spread } from './session-ids.js'
import type { OperationName } from './subject.js'
import { type Player, speedOf, takeTurns } from './turns.js'

const WARM_UP_CONCURRENCY = 64

/** A region, and how many numbered sessions it has. */
export interface Sized {
  readonly region: Region
  readonly sessions: number
}

interface Measured {
  readonly name: ScaleRowName
  readonly operation: OperationName
  /** As many sessions as the small store has, which are all in the cache; or all that there are. */
  readonly among: 'hot' | 'all'
}

/** With default limits. Creating comes last, for it makes more sessions. */
export const CACHED: readonly Measured[] = [
  { name: 'getHot', operation: 'get', among: 'hot' },
  { name: 'updateHot', operation: 'update', among: 'hot' },
  { name: 'update', operation: 'update', among: 'all' },
  { name: 'create', operation: 'create', among: 'all' },
]

/** With a cache of one session. */
export const UNCACHED: readonly Measured[] = [{ name: 'getCold', operation: 'get', among: 'all' }]

const choose = async ({ region, sessions }: Sized, hot: number, among: Measured['among']): Promise<void> => {
  if (among === 'all') return region.process.call('adoptNumbers', sessions)
  await region.process.call('adopt', spread(hot, sessions).map(numberedId))
  await region.process.call('readAll')
}

/** The two stores take turns, round by round. */
export const compare = async (
  run: Run,
  few: Sized,
  many: Sized,
  measured: readonly Measured[],
): Promise<ScaleRow[]> => {
  const { plan } = run
  const rows: ScaleRow[] = []
  for (const { name, operation, among } of measured) {
    run.say(`${many.sessions} sessions: ${name}`)
    for (const each of [few, many]) await choose(each, few.sessions, among)
    for (const concurrency of CONCURRENCIES) {
      const players = [few, many].map(
        ({ region }): Player => ({
          warmUp: () => region.process.call('run', operation, WARM_UP_CONCURRENCY, plan.warmUpMs),
          run: () => region.process.call('run', operation, concurrency, plan.roundMs),
          settle: async () => 0,
        }),
      )
      const [ofFew, ofMany] = await takeTurns(run, players, plan.rounds)
      rows.push({ name, concurrency, few: speedOf(ofFew!.rounds), many: speedOf(ofMany!.rounds) })
    }
  }
  return rows
}
