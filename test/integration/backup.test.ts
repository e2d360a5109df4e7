import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSojournError, openReplica, type Replica } from '@sojourn/replica'
import { fillStore, levelEngine } from '@sojourn/store'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contents, openRegions } from '../support/region.js'

type Rows = Awaited<ReturnType<typeof copyOf>>

const copyOf = async (replica: Replica) => {
  const chunks = []
  for await (const chunk of replica.rows()) chunks.push(chunk)
  return chunks
}

const streamed = async function* (rows: Rows) {
  yield* rows
}

const emptyPlace = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-copy-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'store')
}

describe('[BACKUP-1] a copy of the rows', () => {
  test('made while the region writes, put in the place of its directory, catches up and brings nothing back', async () => {
    await using regions = await openRegions(['a', 'b', 'c'], { disk: true })
    const ids = await Promise.all(Array.from({ length: 300 }, async () => (await regions.a.create({ n: 0 })).id))
    await regions.settled()
    // What is written while it is read may be in it or not.
    const copying = copyOf(regions.a)
    await Promise.all(ids.map((id) => regions.a.increment(id, '/n')))
    const rows = await copying
    for (const id of ids.slice(0, 100)) await regions.a.end(id)
    await regions.a.create({ later: true })
    await regions.settled()
    const before = await contents(regions.b)

    await regions.shut('a')
    await rm(regions.location('a'), { recursive: true })
    expect(await fillStore(levelEngine, regions.location('a'), streamed(rows))).toBe(rows.flat().length)
    await regions.reopen('a')
    await regions.settled()
    expect(await contents(regions.a)).toEqual(before)
    expect(before).toMatchObject({ tombstones: 100 })
    for (const id of ids.slice(0, 100)) expect(await regions.a.get(id)).toBeUndefined()
    for (const id of ids.slice(100)) expect((await regions.c.get(id))!.data.n).toBe(1)
    await regions.a.increment(ids[200]!, '/n', 1, { write: 'all' })
    expect(regions.faults).toEqual([])
  })

  test('alone gives back what it held', async () => {
    const replica = await openReplica({ region: 'a', location: ':memory:' })
    const { id } = await replica.create({ n: 1 })
    const rows = await copyOf(replica)
    await replica.increment(id, '/n')
    await replica.close()
    const location = await emptyPlace()
    await fillStore(levelEngine, location, streamed(rows))
    await using restored = await openReplica({ region: 'a', location })
    expect((await restored.get(id))!.data.n).toBe(1)
    expect(restored.status()).toMatchObject({ sessions: 1, head: 1 })
  })

  test('is not written over a store, nor from what no store has', async () => {
    const location = await emptyPlace()
    const good: Rows = [[[Buffer.from('s'), Buffer.from('x')]]]
    await fillStore(levelEngine, location, streamed(good))
    await expect(fillStore(levelEngine, location, streamed(good))).rejects.toSatisfy((error) =>
      isSojournError(error, 'INVALID_OPTION'),
    )
    for (const key of ['', 'r', 'z', `r${'k'.repeat(17)}`, 'f1', 'ss'])
      await expect(
        fillStore(levelEngine, await emptyPlace(), streamed([[[Buffer.from(key), Buffer.from('x')]]])),
        key,
      ).rejects.toSatisfy((error) => isSojournError(error, 'STORE_FORMAT'))
  })
})

test('[BACKUP-1] digests are the same where the records are, and differ where one does', async () => {
  await using regions = await openRegions(['a', 'b'])
  const ids = await Promise.all(Array.from({ length: 20 }, async () => (await regions.a.create({ n: 0 })).id))
  await regions.settled()
  const asOf = Date.now()
  const digests = (replica: Replica, at = asOf) =>
    Promise.all(Array.from({ length: 256 }, (_, slice) => replica.digest(slice, at)))
  const [ours, theirs] = [await digests(regions.a), await digests(regions.b)]
  expect(ours).toEqual(theirs)
  expect(ours.reduce((sum, { records }) => sum + records, 0)).toBe(20)
  // What is due by then does not count.
  expect((await digests(regions.a, asOf + 13 * 3_600_000)).every(({ records }) => records === 0)).toBe(true)

  await regions.cut('a', 'b')
  await regions.a.increment(ids[0]!, '/n')
  const differing = (await digests(regions.a)).flatMap(({ digest }, slice) =>
    digest === theirs[slice]!.digest ? [] : [slice],
  )
  expect(differing).toHaveLength(1)
  const [mine, its] = [await regions.a.versions(differing[0]!, asOf), await regions.b.versions(differing[0]!, asOf)]
  expect(mine.map(({ key }) => key)).toEqual(its.map(({ key }) => key))
  expect(mine.filter(({ version }, index) => version !== its[index]!.version)).toHaveLength(1)
})
