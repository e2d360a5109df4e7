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
    ['write', 'create', (client) => client.create({})],
    ['write', 'update', (client) => client.update('a', { n: 1 })],
    ['write', 'a draft', (client) => client.update('a', (draft) => ({ ...draft, n: 2 }))],
    ['write', 'replace', (client) => client.replace('a', { n: 3 })],
    ['write', 'increment', (client) => client.increment('a', '/n')],
    ['write', 'touch', (client) => client.touch('a')],
    ['write', 'rotate', (client) => client.rotate('b')],
    ['admin', 'sessions', async (client) => void (await client.sessions()[Symbol.asyncIterator]().next())],
    ['write', 'end', (client) => client.end('a')],
    ['admin', 'endAll', (client) => client.endAll()],
  ]

  it.each(['read', 'write', 'admin'] as const)('[NET-6] a token for %s allows that and no more', async (scope) => {
    const { url, replica } = await opened.serve({ tokens: bookOf({ good: { name: 'app', scope } }) })
    await replica.create({ n: 0 }, { id: 'a' })
    await replica.create({ n: 0 }, { id: 'b' })
    const client = await opened.connect({ url, token: 'good' })
    const scopes = ['read', 'write', 'admin']
    const { head } = replica.status()
    for (const [needed, name, call] of CALLS) {
      if (scopes.indexOf(needed) <= scopes.indexOf(scope)) await call(client)
      else expect(await codeOf(call(client)), name).toMatchObject({ code: 'SCOPE_REFUSED' })
    }
    if (scope === 'read') expect(replica.status().head).toBe(head)
    if (scope === 'write') expect(await replica.count()).toBe(2)
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
    await mine.hears('made')
    const thief = await joined(direct(served), { client, token: 'other' })
    expect((await thief.hears('welcome')).resumes).toBeUndefined()
    thief.say({ type: 'create', number: 5, data: encodeData({ other: 1 }), choices: {} })
    expect(decodeData((await thief.hears('made')).data)).toEqual({ other: 1 })
  })
})
