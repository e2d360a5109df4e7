import type { ReplicaOptions } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { direct, joined } from '../support/hostile-client.js'
import { openRegions, steppedClock } from '../support/region.js'
import { Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const subjectKey = 'a key for subjects, of the tests'

const cached = async (region: Partial<ReplicaOptions> = {}, connection = {}, nearCache: object | true = true) => {
  const clock = steppedClock()
  const served = await opened.serve({ region: { subjectKey, ports: { clock }, ...region }, clock })
  const client = await opened.connect({ url: served.url, nearCache, ports: { clock }, connection })
  const requests = () => served.listener.status().totals.requests
  return { ...served, clock, client, requests, cache: () => client.status().nearCache! }
}

/** The same session, with a secret that it never had. */
const wrong = (id: string): string => `${id.slice(0, 22)}.${'A'.repeat(22)}`

describe('ids of one session in the near cache', () => {
  it('[NET-15] what one id was answered is never given to another one, whose secret is wrong', async () => {
    const { client, replica, requests, cache } = await cached()
    const { id } = await replica.create({ n: 1 })
    expect(await client.get(id)).toBeDefined()
    const before = requests()
    for (let n = 0; n < 3; n++) expect(await client.get(wrong(id))).toBeUndefined()
    // Asked each time, and not kept.
    expect(requests()).toBe(before + 3)
    expect(cache().entries).toBe(1)
    // Nor does it take from the cache what is there.
    expect(await client.get(id)).toMatchObject({ id, data: { n: 1 } })
    expect(requests()).toBe(before + 3)
  })

  it('[NET-15] a superseded id is refused as soon as the rotation is known, and seen by the server', async () => {
    const { client, replica, cache } = await cached()
    const reused: string[] = []
    replica.on('reused', ({ key }) => reused.push(key))
    const { id, handle } = await replica.create({ n: 1 })
    await client.get(id)
    const rotated = await client.rotate(id)
    expect(await client.get(id)).toBeUndefined()
    expect(reused).toEqual([handle])
    expect(await client.get(rotated.id)).toMatchObject({ id: rotated.id, handle })
    await client.get(rotated.id)
    const login = await client.elevate(rotated.id, { subject: 'ada' })
    expect(await client.get(rotated.id)).toBeUndefined()
    expect(await client.get(login.id)).toMatchObject({ subject: 'ada' })
    expect(cache().entries).toBe(1)
  })

  it('[NET-15] within a grace both are kept, each under its own id, and one change takes back both', async () => {
    const { client, replica, requests, cache } = await cached()
    const { id } = await replica.create({ n: 0 })
    const rotated = await client.rotate(id, { grace: '1h' })
    const both = async () => [await client.get(id), await client.get(rotated.id)]
    const first = await both()
    const before = requests()
    const again = await both()
    expect(again).toEqual(first)
    expect(again.map((session) => session!.id)).toEqual([id, rotated.id])
    expect(requests()).toBe(before)
    expect(cache().entries).toBe(2)
    await client.increment(rotated.id, '/n')
    expect(cache()).toMatchObject({ entries: 0, bytes: 0 })
    expect((await both()).map((session) => session!.data)).toEqual([{ n: 1 }, { n: 1 }])
  })

  it('[NET-15] a superseded id is not answered from it once its grace is over, though nothing changed', async () => {
    const { client, replica, clock, cache } = await cached({}, { heartbeat: '10m', timeout: '1h' }, { maxStale: '1h' })
    const { id } = await replica.create({ n: 0 }, { idleTimeout: '2h' })
    const rotated = await client.rotate(id, { grace: '10s' })
    await client.get(id)
    await client.get(rotated.id)
    clock.advance(9_000)
    expect(await client.get(id)).toBeDefined()
    expect(cache().hits).toBe(1)
    clock.advance(1_000)
    expect(await client.get(id)).toBeUndefined()
    expect(cache().hits).toBe(1)
    expect(await client.get(rotated.id)).toMatchObject({ data: { n: 0 } })
  })

  it('[NET-15] whose session it is comes from the cache as it came from the server', async () => {
    const { client, replica, requests } = await cached()
    const auth = { time: 1_000, acr: 'aal2', amr: ['pwd', 'otp'] }
    const { id } = await replica.create({ n: 0 }, { subject: 'ada', device: 'phone', auth })
    const first = (await client.get(id))!
    const before = requests()
    const again = (await client.get(id))!
    expect(requests()).toBe(before)
    expect({ ...again }).toEqual({ ...first })
    expect(again).toMatchObject({ subject: 'ada', device: 'phone', auth, written: first.written })
    expect({ ...again }).toEqual({ ...(await replica.get(id)) })
  })
})

describe('what others end', () => {
  it('[NET-15] a cutoff is a change of every session that it ends, in the same moment', async () => {
    const { replica } = await cached()
    const keys = []
    for (let n = 0; n < 3; n++) keys.push((await replica.create({ n }, { subject: 'ada' })).handle)
    const { handle } = await replica.create({}, { subject: 'eve' })
    const committed: string[][] = []
    replica.on('committed', (all) => committed.push([...all]))
    await replica.endSubject('ada')
    expect(committed[0]).toEqual(expect.arrayContaining(keys))
    expect(committed.flat()).not.toContain(handle)
  })

  it('[NET-15] who ended the others of a subject does not find them in the cache', async () => {
    const { client } = await cached()
    const own = await client.create({}, { subject: 'ada' })
    const others = []
    for (let n = 0; n < 5; n++) others.push((await client.create({ n }, { subject: 'ada' })).id)
    for (const id of [own.id, ...others]) await client.get(id)
    expect(await client.endOthers(own.id)).toMatchObject({ ended: 5 })
    for (const id of others) expect(await client.get(id)).toBeUndefined()
    expect(await client.get(own.id)).toBeDefined()
  })

  it('[NET-15] an end in another region takes back what is kept here', async () => {
    await using regions = await openRegions(['eu', 'us'])
    const { url } = await opened.serve({ on: regions.eu })
    const client = await opened.connect({ url, nearCache: true })
    const { id } = await client.create({}, { subject: 'ada' })
    await regions.settled()
    await client.get(id)
    await regions.us.endSubject('ada', { reason: 'revoked' })
    await until(async () => (await client.get(id)) === undefined, 'the end to come')
    expect(client.status().nearCache!.entries).toBe(0)
  })
})

describe('reads after a write', () => {
  it('[NET-15] are answered from the cache only where it has that write', async () => {
    const { client, replica, requests } = await cached()
    const made = await client.create({ n: 0 })
    const kept = (await client.get(made.id))!
    const before = requests()
    expect(await client.get(made.id, { after: made.written! })).toEqual(kept)
    expect(requests()).toBe(before)
    const other = await replica.create({})
    // Of the same feed, and later: the session that is kept does not say that it has it.
    expect(await client.get(made.id, { after: other.written! })).toMatchObject({ data: { n: 0 } })
    expect(requests()).toBe(before + 1)
  })
})

describe('clients of an older version', () => {
  it('[WIRE-4] keep nothing of an id that they would look for under another key', async () => {
    const { client, replica, requests, cache } = await cached({}, { maxVersion: 2 })
    expect(client.status()).toMatchObject({ version: 2, capabilities: ['objects'] })
    const { id } = await replica.create({ n: 0 })
    await replica.create({ n: 0 }, { id: 'chosen' })
    for (let n = 0; n < 2; n++) for (const each of [id, 'chosen']) await client.get(each)
    expect(requests()).toBe(3)
    expect(cache()).toMatchObject({ entries: 1, hits: 1 })
  })

  it('[WIRE-4] are sent no message and no field that they do not know', async () => {
    const { listener, replica } = await cached()
    const { id } = await replica.create({ n: 0 }, { subject: 'ada', device: 'phone' })
    const older = await joined(direct({ listener } as never), { max: 2, capabilities: ['objects'] })
    older.say({ type: 'get', number: 1, id, watch: true, choices: {} }, { type: 'rotate', number: 2, id, choices: {} })
    const found = await older.hears('found')
    expect(Object.keys(found).sort()).toEqual([
      'createdAt',
      'data',
      'expiresAt',
      'number',
      'objects',
      'type',
      'watched',
    ])
    expect(found.watched).toBe(false)
    expect(Object.keys(await older.hears('made'))).not.toContain('who')
    older.socket.terminate()
  })
})
