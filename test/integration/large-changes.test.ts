/** Changes and records at the edges of what another region takes: what is taken here must be taken there, and read again here. */
import { cp } from 'node:fs/promises'
import { openReplica, type ReplicaOptions } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openRegions } from '../support/region.js'
import { closeOpened, refuses, temporary } from '../support/replica.js'
import { Opened } from '../support/serve.js'
import { until } from '../support/until.js'

afterEach(closeOpened)
const served = new Opened()
afterEach(() => served.close())

const fields = (prefix: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [prefix + n.toString(36), true]))

describe('[DATA-3] a change that is larger than what travels as one', () => {
  const counters = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`page${n}`, 1]))
  const CASES: readonly [
    what: string,
    limits: ReplicaOptions['limits'],
    data: object,
    next: object,
    counted: string[],
  ][] = [
    [
      'makes more counters than an item has changes',
      {},
      { text: 'x'.repeat(20_000), views: {} },
      { text: 'x'.repeat(20_000), views: counters },
      Object.keys(counters).map((name) => `/views/${name}`),
    ],
    ['has more operations than a change', { maxSessionBytes: 400_000 }, fields('a', 9_000), fields('b', 9_000), []],
  ]
  it.each(CASES)(
    '%s arrives, as all that comes after it, and is read from the journal',
    async (_, limits, data, next, counted) => {
      await using regions = await openRegions(['eu', 'us'], { disk: true, limits })
      const { eu, us } = regions
      const { id } = await eu.create(data)
      const other = await eu.create({})
      await regions.settled()
      await eu.replace(id, next, { base: data, counters: counted })
      await eu.update(other.id, { n: 1 }, { write: 'all', timeout: '10s' })
      expect((await us.get(id))!.data).toEqual(next)
      expect(regions.faults).toEqual([])
      // As a kill leaves it.
      const copy = await temporary()
      await cp(regions.location('eu'), copy, { recursive: true })
      await using again = await openReplica({ region: 'eu', location: copy, limits })
      expect((await again.get(id))!.data).toEqual(next)
    },
  )
})

describe('[DATA-3] a record', () => {
  const limits = { maxSessionBytes: 4_096, maxRecordBytes: 8_192, maxCacheEntries: 1, checkpointBytes: 1_000 }

  it('that regions have joined beyond maxRecordBytes is read where it is, and holds up no link', async () => {
    const names = ['eu', 'us', 'ap'] as const
    await using regions = await openRegions(names, { disk: true, limits })
    const { id } = await regions.eu.create({})
    const other = await regions.eu.create({})
    await regions.settled()
    await regions.cutAll()
    for (const name of names) await regions[name].update(id, { [name]: name.repeat(1_700) })
    regions.healAll()
    await until(async () => regions.all.every((each) => each.status().links && true), 'the links')
    for (const name of names) {
      for (let n = 0; n < 20; n++) await regions[name].update(other.id, { [name]: n })
      expect((await regions[name].get(id))!.data[name]).toBeDefined()
    }
    await regions.eu.update(other.id, { last: true }, { write: 'all', timeout: '10s' })
    await regions.shut('eu')
    const eu = await regions.reopen('eu')
    expect((await eu.get(id))!.data.eu).toBeDefined()
    expect(regions.faults.filter(({ code }) => code !== 'ITEM_REFUSED')).toEqual([])
  })

  it('grows no further by changes that leave the data as large as it was', async () => {
    await using eu = await openReplica({ region: 'eu', location: await temporary(), limits })
    const { id } = await eu.create({ views: { p: 1 } })
    const change = async () => {
      for (let n = 0; n < 1_000; n++) {
        const { data } = (await eu.get(id))!
        const page = `p${String(n).padStart(3, '0')}`
        await eu.replace(id, { views: { [page]: 1 } }, { base: data, counters: [`/views/${page}`] })
      }
    }
    await refuses(change(), 'SESSION_TOO_LARGE')
    const other = await eu.create({})
    for (let n = 0; n < 20; n++) await eu.update(other.id, { n })
    expect(Object.keys((await eu.get(id))!.data.views as object)).toHaveLength(1)
    expect(await eu.touch(id, { idleTimeout: '3h' })).toBeDefined()
    expect(await eu.end(id)).toBe(true)
  })

  it('is what limits must leave room for', async () => {
    const opening = (given: ReplicaOptions['limits']) =>
      openReplica({ region: 'eu', location: ':memory:', limits: given })
    await refuses(opening({ maxSessionBytes: 2 ** 21 }), 'INVALID_OPTION', { option: 'limits.maxRecordBytes' })
    await refuses(opening({ maxRecordBytes: 2 ** 22 }), 'INVALID_OPTION', { option: 'limits.maxFrameBytes' })
    await (await opening({ maxSessionBytes: 2 ** 21, maxRecordBytes: 2 ** 22, maxFrameBytes: 2 ** 23 })).close()
  })
})

describe('[NET-7] a client', () => {
  it('gets the error of a long pointer as any other, and its other calls go on', async () => {
    const { url } = await served.serve()
    const client = await served.connect({ url })
    const { id } = await client.create({ user: 'ada', list: [1] })
    const control = '\u0001'
    let body: object = { text: 'x'.repeat(60_000) }
    for (let n = 0; n < 12; n++) body = { [control.repeat(1_000)]: body }
    const calls = [
      () => client.increment(id, `/views/${control.repeat(11_000)}`),
      () => client.increment(id, `/${'k'.repeat(70_000)}`),
      () => client.increment(id, `/list${`/${control.repeat(1_000)}`.repeat(20)}`),
      () => client.update(id, { body }),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => expect.unreachable('it was taken'),
        (reason: Error) => reason,
      )
      expect(['INVALID_DATA', 'SESSION_TOO_LARGE']).toContain((error as unknown as { code: string }).code)
      expect(error.message.length).toBeLessThan(2_000)
    }
    expect((await client.get(id))!.data).toEqual({ user: 'ada', list: [1] })
    expect(client.status().totals).toMatchObject({ connections: 1 })
  })
})
