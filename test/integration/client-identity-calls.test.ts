import type { SojournError } from '@sojourn/core'
import type { Replica } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { codeOf } from '../support/refusal.js'
import { openRegions } from '../support/region.js'
import { Gate, Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const subjectKey = 'a key for subjects, of the tests'

const handlesOf = async (replica: Replica, subject: string): Promise<string[]> => {
  const handles: string[] = []
  for await (const { handle } of replica.sessionsOf(subject)) handles.push(handle)
  return handles
}

describe('a connection that dies', () => {
  it('[NET-3] a login, a new id and an end that were under way are asked again at the same server, and done once', async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around, region: { subjectKey } })
    const { proxy, replica } = served
    const client = await opened.connect({ url: served.url })
    const [guest, other] = [await client.create({ n: 1 }), await client.create({ n: 2 })]
    const [own, stale] = [await client.create({}, { subject: 'eve' }), await client.create({}, { subject: 'eve' })]
    const { commits } = replica.status().totals
    gate.shut()
    const calls = [
      client.elevate(guest.id, { subject: 'ada', device: 'phone' }),
      client.rotate(other.id, { grace: '1h' }),
    ] as const
    const end = client.endOthers(own.id, { reason: 'revoked' })
    await until(() => gate.held === 3, 'the calls to be under way')
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    proxy.heal()
    await until(() => served.listener.status().totals.answeredFromMemory === 3, 'the calls to come again')
    gate.open()
    const [login, rotated] = await Promise.all(calls)
    expect(await replica.get(login.id)).toMatchObject({ data: { n: 1 }, subject: 'ada', device: 'phone' })
    expect(await replica.get(guest.id)).toBeUndefined()
    // Done twice, the first of the two new ids would be another one than the caller has.
    expect((await replica.get(rotated.id))!.id).toBe(rotated.id)
    expect(await replica.get(other.id)).toBeDefined()
    expect(await end).toMatchObject({ ended: 1 })
    expect(await replica.isLive(stale.handle)).toBe(false)
    // A login, a rotation, a cutoff and the end that follows from it.
    await until(() => replica.status().totals.commits === commits + 4, 'the commits')
  })

  it('[NET-3] where nobody can know whether they were done, they fail with CONNECTION_LOST, and are not done again', async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around, region: { subjectKey } })
    const client = await opened.connect({ url: served.url })
    const [guest, other] = [await client.create({}), await client.create({})]
    gate.shut()
    const calls = [codeOf(client.elevate(guest.id, { subject: 'ada' })), codeOf(client.rotate(other.id))]
    await until(() => gate.held === 2, 'the calls to be under way')
    const { head } = served.replica.status()
    await served.restart()
    for (const error of await Promise.all(calls))
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', mayHaveApplied: true })
    gate.open()
    await client.count()
    expect(served.replica.status().head).toBe(head)
  })

  it('[NET-3] ends of others are asked again at another server, and so is whether a session lives', async () => {
    const gate = new Gate()
    const regions = opened.add(await openRegions(['eu', 'us']))
    const eu = await opened.serve({ on: regions.eu, around: gate.around })
    const us = await opened.serve({ on: regions.us })
    const client = await opened.connect({ urls: [eu.url, us.url] })
    const [own, second] = [await client.create({}, { subject: 'ada' }), await client.create({}, { subject: 'ada' })]
    const [eve, bob] = [await client.create({}, { subject: 'eve' }), await client.create({})]
    await regions.settled()
    gate.shut()
    const calls = Promise.all([
      client.endOthers(own.id),
      client.endSubject('eve'),
      client.endHandle(bob.handle),
      client.isLive(own.handle),
    ])
    await until(() => gate.held === 4, 'the calls to be under way')
    eu.proxy.cut()
    const [others, subject, handle, isLive] = await calls
    for (const { regions: held } of [others, subject, handle]) expect(held).toMatchObject({ us: 'held' })
    expect(isLive).toBe(true)
    expect(client.status().region).toBe('us')
    gate.open()
    await regions.settled()
    for (const { handle: key } of [second, eve, bob]) expect(await us.replica.isLive(key)).toBe(false)
    expect(await handlesOf(us.replica, 'ada')).toEqual([own.handle])
  })

  it('[NET-3] a scan of the sessions of a subject ends with its connection', async () => {
    const { url, proxy, replica } = await opened.serve({ region: { subjectKey } })
    for (let n = 0; n < 600; n++) await replica.create({ n }, { subject: 'ada' })
    const client = await opened.connect({ url, whenUnavailable: 'wait' })
    const scan = async () => {
      let seen = 0
      for await (const _ of client.sessionsOf('ada')) {
        if (++seen !== 256) continue
        proxy.cut()
        await until(() => client.status().url === undefined, 'the connection to be lost')
        proxy.heal()
      }
    }
    expect(await codeOf(scan())).toMatchObject({ code: 'CONNECTION_LOST' })
  })
})

describe('what a client is answered', () => {
  it('[NET-1] the session of an unmet quorum has its new id, its handle, and whose it is', async () => {
    await using regions = await openRegions(['eu', 'us', 'ap'])
    const { url } = await opened.serve({ on: regions.eu })
    const client = await opened.connect({ url })
    const guest = await client.create({ n: 1 })
    await regions.cutOff('eu')
    const login = client.elevate(guest.id, { subject: 'ada', device: 'phone', write: 'majority', timeout: 20 })
    const error = (await codeOf(login)) as SojournError
    expect(error).toMatchObject({ code: 'QUORUM_UNMET', need: 2, got: 1, mayHaveApplied: true })
    expect(error.session).toMatchObject({ handle: guest.handle, data: { n: 1 }, subject: 'ada', device: 'phone' })
    expect(await client.get((error.session as { id: string }).id)).toMatchObject({ subject: 'ada' })
  })

  it('[NET-8] scans of subjects count among the scans of a connection, and are given back', async () => {
    const served = await opened.serve({ region: { subjectKey }, limits: { maxScans: 2 } })
    for (let n = 0; n < 300; n++) await served.replica.create({ n }, { subject: 'ada' })
    const client = await opened.connect({ url: served.url })
    const scans = [client.sessionsOf('ada'), client.sessions()].map((all) => all[Symbol.asyncIterator]())
    for (const scan of scans) await scan.next()
    const third = client.sessionsOf('ada')[Symbol.asyncIterator]()
    expect(await codeOf(third.next())).toMatchObject({ code: 'OVERLOADED', limit: 2 })
    for (const scan of scans) await scan.return!()
    await until(() => served.listener.status().kept.scans === 0, 'the scans to be left')
    let count = 0
    for await (const _ of client.sessionsOf('ada')) count++
    expect(count).toBe(300)
    expect(served.listener.status().kept.scans).toBe(0)
  })

  it('[NET-8] a read after a write, and an end by handle or subject, are counted among what waits for other regions', async () => {
    const gate = new Gate()
    const served = await opened.serve({ around: gate.around, region: { subjectKey }, limits: { maxQuorums: 4 } })
    const client = await opened.connect({ url: served.url })
    const { id, handle, written } = await client.create({}, { subject: 'ada' })
    gate.shut()
    const calls = [
      client.get(id, { after: written! }),
      client.endOthers(id),
      client.endHandle(handle),
      client.endSubject('ada'),
    ]
    await until(() => gate.held === 4, 'the calls to be under way')
    expect(served.listener.status().kept.quorums).toBe(4)
    expect(await codeOf(client.endSubject('eve'))).toMatchObject({ code: 'OVERLOADED', limit: 4 })
    gate.open()
    await Promise.all(calls)
    expect(served.listener.status().kept.quorums).toBe(0)
  })
})
