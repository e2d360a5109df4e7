import { planOf, type RunResult, runPlan } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'
import { expectClean } from '../support/clean-world.js'
import { runs } from '../support/runs.js'

/** Worlds in which a rule was broken once; each line says what it was. `docs/reliability.md` has the whole story. */
const PINNED: readonly (readonly [seed: number, found: string])[] = [
  [5, 'the place of a corrupt record stayed in the feed'],
  [18, 'a place in the feed that rotted itself stayed for ever'],
  [45, 'sessions that came after they had expired counted as live'],
  [133, 'a full vector forgot the feed of a present link, and the link stood still'],
  [158, 'a full disk made links break and stand again a hundred times a second'],
  [220, 'a tombstone that rotted was counted out as a session'],
  [265, 'a majority read counted an answer that the disk had then refused'],
  [465, 'an expiry row whose kind rotted left its record on the disk for ever'],
  [478, 'a collection that failed slept for a minute'],
  [516, 'a question was answered with what the disk then refused'],
  [906, 'a majority write that changed nothing waited for a heartbeat'],
  [911, 'a deadline that passed while the record was being written was never noticed'],
  [1518, 'a corrupt place of a corrupt record was swept up by nobody'],
  [1548, 'a majority read gave up while answers were on their way to the disk'],
  [1869, 'a read repaired others with what the disk then refused'],
  [4934, 'a corrupt tombstone that was in memory was counted anew as a session'],
  [4941, 'a session that came late, during a scan over what is due, was not emitted as expired'],
  [5764, 'a sweep of orphans that met a full disk was not begun again'],
  [6821, 'a new count forgot what was on its way to the disk'],
  [6880, 'a peer that sent many small segments was cut off again and again'],
  [7369, 'a segment that left out many entries filled the queue by itself'],
  [9528, 'a replica that was closed while its disk stalled reported that it was closed'],
  [934, 'a question was answered by a second commit, which the disk then refused, while it waited for the first one'],
  [1052, 'a heartbeat that had waited while the process stood still was taken for new, and its clock for wrong'],
  [3450, 'what a segment vouched for bore out what it had left out'],
]

const WORLDS = runs(160)

describe('simulated worlds', () => {
  it.each(PINNED)('[SIM-1] seed %i, in which %s', async (seed) => expectClean(await runPlan(planOf(seed))))

  // In blocks, so that a failure says where, and no test is long.
  it.each(Array.from({ length: Math.ceil(WORLDS / 20) }, (_, block) => 1 + block * 20))(
    '[SIM-1] [CONV-5] [KEEP-1] [GUAR-1] [UNIQ-1] [BOUND-2] no rule is broken in the worlds from %i on',
    async (first) => {
      for (let seed = first; seed < first + 20; seed++) expectClean(await runPlan(planOf(seed)))
    },
  )

  it('[SIM-2] a seed is one history: twice the same trace, and another seed another', async () => {
    const hashes = new Set<string>()
    for (const seed of [3, 45, 133, 1_869]) {
      const [one, two] = [await runPlan(planOf(seed)), await runPlan(planOf(seed))]
      expect(two.hash).toBe(one.hash)
      expect(two.transcript).toEqual(one.transcript)
      hashes.add(one.hash)
    }
    expect(hashes.size).toBe(4)
  })

  it('[SIM-5] is at least a hundred times faster than the time that it simulates, with three regions', async () => {
    const { plan, totals } = await (async () => {
      for (let seed = 1; ; seed++) {
        const plan = planOf(seed)
        if (plan.regions.length === 3) return { plan, totals: await timed(() => runPlan(plan)) }
      }
    })()
    expect(plan.regions).toHaveLength(3)
    expect(totals.simulatedMs / totals.wallMs).toBeGreaterThan(100)
  })
})

const timed = async (run: () => Promise<RunResult>) => {
  const started = performance.now()
  const { totals } = await run()
  return { simulatedMs: totals.simulatedMs, wallMs: performance.now() - started }
}
