/** What encryption at rest costs: writes of a region in the clear, and of one that is encrypted, in turns. */
import { join } from 'node:path'
import { playerOf, regionContestant } from './contestants.js'
import type { Findings, Run, SealedRow } from './findings.js'
import { CONCURRENCIES } from './plan.js'
import { endAll, lonelyRegion, openAll } from './regions.js'
import { speedOf, takeTurns } from './turns.js'

const OPERATIONS = ['update', 'touchWritten', 'create'] as const

const RING = { keys: { bench: 'be'.repeat(32) }, active: 'bench' }

/** Both have the same sessions, all cached; what their checkpoints write falls into the rounds. */
export const encryption = async (run: Run): Promise<Findings> => {
  const { plan } = run
  const clear = lonelyRegion(join(run.directory, 'clear'))
  const sealed = lonelyRegion(join(run.directory, 'sealed'))
  try {
    await openAll([clear])
    await openAll([sealed], { encryption: RING })
    for (const { process } of [clear, sealed]) {
      await process.call('seed', plan.sessions)
      await process.call('readAll')
    }
    const contestants = [clear, sealed].map(regionContestant)
    const sealedRows: SealedRow[] = []
    for (const name of OPERATIONS)
      for (const concurrency of CONCURRENCIES) {
        run.say(`encryption: ${name}, c=${concurrency}`)
        const players = contestants.map((each) => playerOf(each, name, concurrency, plan))
        const [ofClear, ofSealed] = await takeTurns(run, players, 2 * plan.rounds)
        sealedRows.push({ name, concurrency, clear: speedOf(ofClear!.rounds), sealed: speedOf(ofSealed!.rounds) })
      }
    return { rows: [], measures: [], sealedRows }
  } finally {
    await endAll([clear, sealed])
  }
}
