import { type SojournError, sessionKey } from '@sojourn/core'
import { encodeData, type FromClient, LINK_DIALECT, withoutObjects } from '@sojourn/wire'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { direct, joined, NOTHING } from '../support/hostile-client.js'
import { linkAs } from '../support/hostile-peer.js'
import { a, closeBoth, expectRefusal, open, openBoth } from '../support/hostile-region.js'
import { codeOf } from '../support/refusal.js'
import { Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const OLDER = { max: 1, capabilities: [] }

describe('links', () => {
  beforeEach(() => openBoth({ links: { heartbeat: 20, timeout: '10s', maxReconnectDelay: 100, digestInterval: 1 } }))
  afterEach(closeBoth)

  it('[WIRE-4] speak the latest version that both sides know, and say which', async () => {
    expect(a.status().links.c).toMatchObject({ version: LINK_DIALECT.newest, capabilities: ['digest'] })
    expect(a.status().links.b).toMatchObject({ version: undefined, capabilities: [] })
    const peers = { a: `ws://127.0.0.1:${a.address!.port}`, c: null }
    const older = await open('b', { peers, links: { heartbeat: 20, timeout: '10s', maxVersion: 1 } })
    await until(() => a.status().links.b?.state === 'live' && older.status().links.a?.state === 'live', 'the older one')
    for (const { links } of [a.status(), older.status()])
      expect(links.b ?? links.a).toMatchObject({ version: 1, capabilities: [] })
    const { id } = await older.create({ from: 'b' })
    await until(() => a.get(id), 'what the older one wrote')
    await a.update(id, { to: 'b' })
    await until(async () => (await older.get(id))?.data.to === 'b', 'what was written to the older one')
    await older.close()
  })

  it.each([
    ['a later version', { max: 9 }, LINK_DIALECT.newest],
    ['a capability that is unknown here', { capabilities: ['digest', 'flight'] }, LINK_DIALECT.newest],
    ['an older version', OLDER, 1],
  ] as const)('[WIRE-4] %s of a peer is met', async (_what, speech, version) => {
    const peer = await linkAs(a, 'b', {}, speech)
    await until(() => a.status().links.b?.state === 'live', 'the link')
    expect(a.status().links.b).toMatchObject({ version, capabilities: version === 1 ? [] : ['digest'] })
    peer.socket.terminate()
  })

  it('[WIRE-4] a peer that knows no digests is sent none, and one that knows them is', async () => {
    for (const [speech, isSent] of [
      [{}, true],
      [OLDER, false],
    ] as const) {
      const peer = await linkAs(a, 'b', {}, speech)
      const beats = () => peer.received.filter(({ type }) => type === 'heartbeat').length
      const timer = setInterval(() => peer.beat({ sum: 'ff'.repeat(8) }), 5)
      if (isSent) await peer.next('digest')
      else await until(() => beats() > 10, 'some heartbeats, each of which would be followed by a digest')
      clearInterval(timer)
      expect(peer.received.some(({ type }) => type === 'digest')).toBe(isSent)
      peer.socket.terminate()
      await until(() => a.status().links.b!.state === 'down', 'the link to be gone')
    }
  })

  it('[WIRE-4] what was not agreed on is refused', async () => {
    const peer = await linkAs(a, 'b', {}, OLDER)
    await until(() => a.status().links.b?.state === 'live', 'the link')
    await expectRefusal(peer, 'FRAME_UNEXPECTED', () =>
      peer.send({ type: 'versions', bits: 10, ranges: [], versions: [] }),
    )
  })
})

describe('clients', () => {
  const opened = new Opened()
  afterEach(() => opened.close())

  it('[WIRE-4] speak the latest version that both sides know, and say which', async () => {
    for (const [mine, theirs, version] of [
      [3, 3, 3],
      [2, 3, 2],
      [3, 2, 2],
      [1, 3, 1],
      [3, 1, 1],
    ] as const) {
      const served = await opened.serve({ maxVersion: theirs })
      const client = await opened.connect({ url: served.url, connection: { maxVersion: mine } })
      expect(client.status()).toMatchObject({ version, capabilities: ['objects', 'identity'].slice(0, version - 1) })
      const { id } = await client.create({ n: 1 })
      expect((await client.update(id, { m: 2 })).data).toEqual({ n: 1, m: 2 })
    }
  })

  it('[WIRE-4] what was not agreed on is refused', async () => {
    const served = await opened.serve({ maxVersion: 1 })
    const create = { type: 'create', number: 1, data: NOTHING, choices: { atomic: ['/user'] } } as const
    const older = await joined(direct(served))
    expect(await older.hears('welcome')).toMatchObject({ version: 1, capabilities: [] })
    older.say(create)
    await older.isRefused('FRAME_UNEXPECTED')
    expect(served.replica.status().head).toBe(0)
  })

  it('[WIRE-4] what a server of an older version would do otherwise is not asked there, and the error says what to do', async () => {
    const served = await opened.serve({ maxVersion: 2, region: { subjectKey: 'a key for subjects' } })
    const client = await opened.connect({ url: served.url })
    const { id, handle, lastUsedAt, createdAt, written } = await client.create({ n: 1 })
    expect([handle, lastUsedAt, written]).toEqual([sessionKey(id), createdAt, undefined])
    const { head } = served.replica.status()
    const { requests } = served.listener.status().totals
    const calls: readonly (readonly [name: string, call: () => Promise<unknown>])[] = [
      ['create', () => client.create({}, { subject: 'ada' })],
      ['create', () => client.create({}, { device: 'phone' })],
      ['elevate', () => client.elevate(id, { subject: 'ada' })],
      ['rotate', () => client.rotate(id, { grace: 5 })],
      ['isLive', () => client.isLive(handle)],
      ['sessionsOf', () => client.sessionsOf('ada')[Symbol.asyncIterator]().next()],
      ['endHandle', () => client.endHandle(handle)],
      ['endOthers', () => client.endOthers(id)],
      ['endSubject', () => client.endSubject('ada')],
      ['end', () => client.end(id, { reason: 'displaced' })],
      ['get', () => client.get(id, { after: `${'0'.repeat(32)}.1` })],
    ]
    for (const [name, call] of calls) {
      const error = (await codeOf(call())) as SojournError
      expect(error, name).toMatchObject({ code: 'LINK_VERSION' })
      expect(error.message).toBe(
        `LINK_VERSION: ${name}: the server in "eu" speaks version 2 of the client protocol, which has no subjects, handles or graces. Upgrade the server to a version that has them`,
      )
      expect(error).not.toHaveProperty('mayHaveApplied')
    }
    expect(served.replica.status().head).toBe(head)
    expect(served.listener.status().totals.requests).toBe(requests)
    // What it knows it is asked as before.
    const rotated = await client.rotate(id, { grace: 0 })
    expect(await client.get(rotated.id)).toMatchObject({ data: { n: 1 } })
    expect(await client.end(rotated.id, { reason: 'revoked' })).toBe(true)
  })

  it('[WIRE-4] what was not agreed on of identity is refused', async () => {
    const served = await opened.serve({ region: { subjectKey: 'a key for subjects' } })
    const said: FromClient[] = [
      { type: 'elevate', number: 1, id: 'a', subject: 'ada', choices: {} },
      { type: 'isLive', number: 1, handle: '0'.repeat(32) },
      { type: 'endHandle', number: 1, handle: '0'.repeat(32), choices: {} },
      { type: 'endOthers', number: 1, id: 'a', choices: {} },
      { type: 'endSubject', number: 1, subject: 'ada', choices: {} },
      { type: 'sessionsOf', number: 1, subject: 'ada' },
      { type: 'stepOf', number: 1, scan: 1 },
      { type: 'create', number: 1, data: NOTHING, choices: { subject: 'ada' } },
      { type: 'rotate', number: 1, id: 'a', choices: { graceMs: 5 } },
      { type: 'get', number: 1, id: 'a', watch: false, choices: { after: 'x' } },
      { type: 'end', number: 1, id: 'a', choices: { reason: 'reused' } },
    ]
    for (const request of said) {
      const older = await joined(direct(served), { max: 2, capabilities: ['objects'] })
      older.say(request)
      await older.isRefused('FRAME_UNEXPECTED')
    }
    expect(served.replica.status().head).toBe(0)
  })

  it('[WIRE-4] what a server does not know of a write is left out of it', () => {
    const write = {
      type: 'replace',
      number: 7,
      id: 'a',
      base: undefined,
      next: encodeData({}),
      counters: ['/n'],
    } as const
    const choices = { write: 'all', timeoutMs: 5 } as const
    expect(withoutObjects({ ...write, choices: { ...choices, atomic: ['/a'], assigned: ['/b'] } })).toEqual({
      ...write,
      choices,
    })
  })
})
