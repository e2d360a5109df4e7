import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_MUTATIONS, tryMutation } from '@sojourn/sim'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/sources.js'

/** Those that need many worlds take minutes: SOJOURN_MUTATIONS=all runs them, too. */
const QUICK = 60

describe('a simulator that finds nothing must be able to', () => {
  it('[SIM-4] there are at least twenty ways to break the product', () => {
    expect(ALL_MUTATIONS.length).toBeGreaterThanOrEqual(20)
    expect(new Set(ALL_MUTATIONS.map(({ name }) => name)).size).toBe(ALL_MUTATIONS.length)
  })

  it('[SIM-4] each still finds the line that it is to break', () => {
    const stale = ALL_MUTATIONS.flatMap(({ name, edits }) =>
      edits.flatMap(({ file, find }) =>
        readFileSync(join(ROOT, 'packages', file), 'utf8').includes(find) ? [] : [`${name}: ${file}`],
      ),
    )
    expect(stale).toEqual([])
  })

  it.concurrent.each(
    ALL_MUTATIONS.filter(({ within }) => process.env.SOJOURN_MUTATIONS === 'all' || within <= QUICK).map(
      (each) => [each.name, each] as const,
    ),
  )('[SIM-4] %s is noticed', { timeout: 900_000 }, async (_, mutation) => {
    const caught = await tryMutation(mutation)
    expect(caught, `${mutation.what}: no checker noticed within ${mutation.within} seeds`).toBeDefined()
    expect(caught!.seeds).toBeLessThanOrEqual(mutation.within)
  })
})
