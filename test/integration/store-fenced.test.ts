import type { Journal, StorageEngine } from '@sojourn/core/internal'
import { levelEngine } from '@sojourn/store'
import { expect, test } from 'vitest'
import { openRegions } from '../support/region.js'

test('[STORE-1] a store that another owner has written to writes no more, keeps what it shows, and opens with what both wrote', async () => {
  let journal: Journal | undefined
  const engine: StorageEngine = {
    async open(location, region) {
      const storage = await levelEngine.open(location, region)
      journal = storage.journal
      return storage
    },
  }
  await using regions = await openRegions(['eu', 'us'], { disk: true, each: { eu: { ports: { storage: engine } } } })
  const { eu, us } = regions
  const { id } = await eu.create({ n: 1 })
  await regions.settled()
  const { head } = eu.status()

  // What a second owner does, on a network's disk that forgot the lock: its entry has a format, and nothing else.
  await journal!.append(journal!.head, Uint8Array.of(3))
  const fenced = { code: 'STORE_FENCED' }
  for (const write of [
    () => eu.update(id, { n: 2 }),
    () => eu.touch(id, { idleTimeout: '2h' }),
    () => eu.create({}),
    () => eu.end(id),
    () => eu.rotate(id),
  ])
    await expect(write()).rejects.toMatchObject(fenced)
  expect((await eu.get(id))!.data).toEqual({ n: 1 })
  expect(eu.status().head).toBe(head)
  expect(regions.faults.filter(({ region, code }) => region === 'eu' && code === 'STORE_FENCED')).not.toEqual([])
  // Others go on; what they write is not acknowledged here, so that it comes again.
  await us.update(id, { us: true })
  await expect(us.create({}, { write: 'all', timeout: '200ms' })).rejects.toMatchObject({
    code: 'QUORUM_UNMET',
    got: 1,
  })

  await regions.reopen('eu')
  await regions.eu.update(id, { n: 3 })
  await regions.settled()
  for (const replica of regions.all) expect((await replica.get(id))!.data).toEqual({ n: 3, us: true })
})
