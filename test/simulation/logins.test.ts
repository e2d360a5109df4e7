/** Worlds of users who log in, get new ids, and end their sessions on other devices, in regions that are cut off and killed. */
import { runLogins } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'
import { runs } from '../support/runs.js'

const WORLDS = runs(200)
const A_BLOCK = 50

const expectClean = async (seed: number): Promise<void> => {
  const { violations, transcript } = await runLogins(seed)
  const broken = violations.slice(0, 3).map(({ rule, what }) => `[${rule}] ${what}`)
  expect(broken, `npm run sim -- --logins --seed ${seed}\n${transcript.slice(-40).join('\n')}`).toEqual([])
}

describe('simulated worlds of logins', () => {
  it.each(Array.from({ length: Math.ceil(WORLDS / A_BLOCK) }, (_, block) => block * A_BLOCK + 1))(
    '[SIM-7] [CRED-1] [CRED-2] [CUT-1] [CUT-2] [SUBJ-1] [SUBJ-2] no rule is broken in the worlds from %i on',
    async (first) => {
      for (let seed = first; seed < Math.min(first + A_BLOCK, WORLDS + 1); seed++) await expectClean(seed)
    },
  )

  it('[SIM-7] a seed is one history', async () => {
    expect((await runLogins(7)).transcript).toEqual((await runLogins(7)).transcript)
    expect((await runLogins(8)).transcript).not.toEqual((await runLogins(7)).transcript)
  })
})
