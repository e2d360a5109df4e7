import { expect, test } from 'vitest'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'

const MAX_BYTES = 64 * 1024

test('[BOUND-2] [KEEP-1] a region that has as much to write as it may have writes it, and takes more; peers wait, and keep their links', async () => {
  const limits = { maxUncheckpointedBytes: MAX_BYTES, checkpointBytes: 1 << 30 }
  await using regions = await openRegions(['a', 'b'], { disk: true, each: { b: { limits } } })
  const { a, b } = regions
  const pad = 'x'.repeat(2_000)

  // Its own writes: all at once, so that no later one comes to begin a checkpoint.
  const settled = await Promise.allSettled(Array.from({ length: 200 }, () => b.create({ pad })))
  const refused = settled.filter(({ status }) => status === 'rejected')
  for (const one of refused) expect(one).toMatchObject({ reason: { code: 'OVERLOADED', limit: MAX_BYTES } })
  await until(() => b.status().store.uncheckpointed.bytes < MAX_BYTES, 'a checkpoint that nobody asks for')
  await b.create({ pad })

  // A peer's.
  await Promise.all(Array.from({ length: 500 }, () => a.create({ pad })))
  await regions.settled()
  expect(b.status().sessions).toBe(a.status().sessions)
  expect([a, b].map((replica) => replica.status().totals.refused)).toEqual([{}, {}])
  await until(() => b.status().store.uncheckpointed.bytes < MAX_BYTES, 'a checkpoint')

  // A killed one that has all of it to replay.
  await regions.reopen('b', { limits: { ...limits, maxUncheckpointedBytes: 4_096 } })
  await until(
    () =>
      regions.b.create({ pad }).then(
        () => true,
        () => false,
      ),
    'a write to be taken',
  )
})
