import { type Client, connect } from '@sojourn/client'
import type { SojournError } from '@sojourn/core/internal'
import type { Bearer, TokenBook } from '@sojourn/server'
import { decodeData, encodeData } from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { direct, joined } from '../support/hostile-client.js'
import { hex } from '../support/hostile-peer.js'
import { codeOf } from '../support/refusal.js'
import { Gate, Opened } from '../support/serve.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const HANDLE = '0'.repeat(32)

const all = async (sessions: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of sessions);
}

describe('tokens', () => {
  const bookOf = (bearers: Record<string, Bearer>): TokenBook => ({ check: (presented) => bearers[presented] })

  it('[NET-6] who has none that the server knows is not let in', async () => {
    const served = await opened.serve({ tokens: bookOf({ good: { name: 'app', scope: 'write' } }) })
    for (const token of ['bad', '', undefined])
      expect(
        await codeOf(connect({ url: served.url, connectTimeout: '5s', ...(token !== undefined && { token }) })),
      ).toMatchObject({ code: 'TOKEN_REFUSED' })
    await (await opened.connect({ url: served.url, token: 'good' })).create({})
    expect(served.listener.status().totals).toMatchObject({ accepted: 1, refused: { TOKEN_REFUSED: 3 } })
  })

  const CALLS: readonly (readonly [
    scope: Bearer['scope'],
    name: string,
    call: (client: Client) => Promise<unknown>,
  ])[] = [
    ['read', 'get', (client) => client.get('a')],
    ['read', 'count', (client) => client.count()],
    ['read', 'isLive', (client) => client.isLive(HANDLE)],
    ['write', 'create', (client) => client.create({})],
    ['write', 'update', (client) => client.update('a', { n: 1 })],
    ['write', 'a draft', (client) => client.update('a', (draft) => ({ ...draft, n: 2 }))],
    ['write', 'replace', (client) => client.replace('a', { n: 3 })],
    ['write', 'increment', (client) => client.increment('a', '/n')],
    ['write', 'touch', (client) => client.touch('a')],
    ['write', 'rotate', (client) => client.rotate('b')],
    ['write', 'elevate', (client) => client.elevate('c', { subject: 'ada' })],
    ['write', 'sessionsOf', (client) => all(client.sessionsOf('ada'))],
    ['write', 'endHandle', (client) => client.endHandle(HANDLE)],
    ['write', 'endOthers', (client) => client.endOthers('d')],
    ['write', 'endSubject', (client) => client.endSubject('eve')],
    ['admin', 'sessions', async (client) => void (await client.sessions()[Symbol.asyncIterator]().next())],
    ['write', 'end', (client) => client.end('a')],
    ['admin', 'endAll', (client) => client.endAll()],
  ]

  it.each(['read', 'write', 'admin'] as const)('[NET-6] a token for %s allows that and no more', async (scope) => {
    const tokens = bookOf({ good: { name: 'app', scope } })
    const { url, replica } = await opened.serve({ tokens, region: { subjectKey: 'a key for subjects' } })
    await replica.create({ n: 0 }, { id: 'a' })
    for (const id of ['b', 'c']) await replica.create({ n: 0 }, { id })
    await replica.create({ n: 0 }, { id: 'd', subject: 'bob' })
    const client = await opened.connect({ url, token: 'good' })
    const scopes = ['read', 'write', 'admin']
    const { head } = replica.status()
    for (const [needed, name, call] of CALLS) {
      if (scopes.indexOf(needed) <= scopes.indexOf(scope)) await call(client)
      else expect(await codeOf(call(client)), name).toMatchObject({ code: 'SCOPE_REFUSED' })
    }
    if (scope === 'read') expect(replica.status().head).toBe(head)
    if (scope === 'write') expect(await replica.count()).toBe(4)
  })

  it('[NET-6] a scan of the sessions of a subject does not lead into the one of all sessions', async () => {
    const tokens = bookOf({ good: { name: 'app', scope: 'write' }, admin: { name: 'ops', scope: 'admin' } })
    const served = await opened.serve({ tokens, region: { subjectKey: 'a key for subjects' } })
    for (let n = 0; n < 300; n++) await served.replica.create({ n }, { subject: 'ada' })
    const caller = await joined(direct(served), { token: 'good' })
    caller.say({ type: 'sessionsOf', number: 1, subject: 'ada' })
    expect(await caller.hears('pageOf')).toMatchObject({ number: 1, isLast: false })
    caller.say({ type: 'step', number: 2, scan: 1 })
    expect(await caller.hears('failed')).toMatchObject({ number: 2, code: 'SCOPE_REFUSED' })
    const admin = await joined(direct(served), { token: 'admin' })
    admin.say({ type: 'sessionsOf', number: 1, subject: 'ada' })
    await admin.hears('pageOf')
    admin.say({ type: 'step', number: 2, scan: 1 })
    expect(await admin.hears('failed')).toMatchObject({ number: 2, code: 'FRAME_UNEXPECTED' })
    for (const each of [caller, admin]) each.socket.terminate()
  })

  it('[NET-6] tokens can be taken back, and given another scope, while clients are connected', async () => {
    const bearers: Record<string, Bearer> = {
      one: { name: 'one', scope: 'write' },
      other: { name: 'other', scope: 'write' },
    }
    const { url, listener } = await opened.serve({ tokens: bookOf(bearers) })
    const one = await opened.connect({ url, token: 'one' })
    const other = await opened.connect({ url, token: 'other', timeout: 300 })
    bearers.one = { name: 'one', scope: 'read' }
    delete bearers.other
    listener.recheck()
    expect(await codeOf(one.create({}))).toMatchObject({ code: 'SCOPE_REFUSED' })
    await until(() => other.status().url === undefined, 'the other to be shown out')
    const error = (await codeOf(other.create({}))) as SojournError
    expect(['TOKEN_REFUSED', 'UNAVAILABLE']).toContain(error.code)
  })

  it('[NET-6] what one client was answered is not sent to another that takes its name with another token', async () => {
    const gate = new Gate()
    const bearers = bookOf({ one: { name: 'one', scope: 'write' }, other: { name: 'other', scope: 'write' } })
    const served = await opened.serve({ tokens: bearers, around: gate.around })
    const client = hex(16)
    const mine = await joined(direct(served), { client, token: 'one' })
    mine.say({ type: 'create', number: 5, data: encodeData({ mine: 1 }), choices: {} })
    await mine.hears('madeWho')
    const thief = await joined(direct(served), { client, token: 'other' })
    expect((await thief.hears('welcome')).resumes).toBeUndefined()
    thief.say({ type: 'create', number: 5, data: encodeData({ other: 1 }), choices: {} })
    expect(decodeData((await thief.hears('madeWho')).data)).toEqual({ other: 1 })
  })
})
