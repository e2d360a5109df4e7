import { describe, expect, it } from 'vitest'
import { FAULTS, planOf, REGIONS, smallRegionOf } from '../../nemesis/src/schedule.js'

/** What a seed decides of a run of the nemesis. */

const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1)

describe('the schedule of a nemesis', () => {
  it('[NEM-1] follows from seed and round alone', () => {
    for (const seed of SEEDS) expect(planOf(seed, 3)).toEqual(planOf(seed, 3))
    expect(planOf(1, 1)).not.toEqual(planOf(2, 1))
    expect(planOf(1, 1).steps).not.toEqual(planOf(1, 2).steps)
  })

  it('[NEM-1] is data: what is printed of it is all that there is', () => {
    for (const seed of SEEDS) expect(JSON.parse(JSON.stringify(planOf(seed, 1)))).toEqual(planOf(seed, 1))
  })

  it('[NEM-1] keeps the rest as it is where a kind of fault is left out', () => {
    for (const seed of SEEDS) {
      const { steps } = planOf(seed, 2)
      const without = planOf(
        seed,
        2,
        FAULTS.filter((fault) => fault !== 'clock'),
      )
      if (without.faults.some((fault) => !planOf(seed, 2).faults.includes(fault))) continue
      expect(without.steps).toEqual(steps.filter(({ fault }) => fault !== 'clock'))
    }
  })

  it('[NEM-1] brings about every kind of fault within a few rounds, all of them while the round lasts', () => {
    const plans = SEEDS.map((seed) => planOf(seed, 2))
    expect(new Set(plans.flatMap(({ steps }) => steps.map(({ fault }) => fault)))).toEqual(new Set(FAULTS))
    for (const { steps, ms, seed } of plans)
      for (const { at, fault, region } of steps) {
        expect(at).toBeLessThan(ms)
        expect(REGIONS).toContain(region)
        if (fault === 'fill') expect(region).toBe(smallRegionOf(seed))
      }
  })
})
