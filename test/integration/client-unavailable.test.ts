/** What calls are answered while no server is there, and what waits when one comes back. */
import { type Client, connect, type LinkChange } from '@sojourn/client'
import { type Clock, systemClock } from '@sojourn/core/internal'
import { SojournStore } from '@sojourn/express'
import type { SojournError } from '@sojourn/replica'
import { afterEach, describe, expect, it } from 'vitest'
import { openProxy } from '../support/proxy.js'
import { codeOf } from '../support/refusal.js'
import { openRegions } from '../support/region.js'
import { Gate, Opened } from '../support/serve.js'
import { type Server, startServer, TOKENS } from '../support/servers.js'
import { until } from '../support/until.js'

const opened = new Opened()
afterEach(() => opened.close())

const isAway = (client: Client) =>
  until(
    async () => ((await codeOf(client.count())) as SojournError | undefined)?.code === 'UNAVAILABLE',
    'it to be known',
  )

describe('once a server is known to be away', () => {
  it('[NET-12] calls fail at once with UNAVAILABLE, which says what each address answered, until it is back', async () => {
    const { url, proxy, replica } = await opened.serve()
    const other = opened.add(await openProxy(() => undefined))
    const refused: LinkChange[] = []
    const urls = [url, 'ws://user:secret@127.0.0.1:1/', other.url]
    const client = await opened.connect({ urls, timeout: '1m', linkChanged: (change) => refused.push(change) })
    const { id } = await client.create({ n: 0 })
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    // Made before it is known, and failed as soon as it is.
    const early = codeOf(client.get(id))
    await isAway(client)
    expect(await early).toMatchObject({ code: 'UNAVAILABLE' })
    const error = (await codeOf(client.increment(id, '/n'))) as SojournError
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    expect(error.mayHaveApplied).toBeUndefined()
    expect(error.message).toContain(`${url} (`)
    expect(error.message).toContain('ws://127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1)')
    expect(error.message).toContain(`${other.url} (`)
    expect(error.message).not.toContain('secret')
    proxy.heal()
    await until(() => client.status().url, 'the connection')
    expect((await client.increment(id, '/n')).data).toEqual({ n: 1 })
    expect(await replica.get(id)).toMatchObject({ data: { n: 1 } })
  })

  it('[NET-12] a read that was under way fails, too; a write waits for the server that may have done it', async () => {
    const gate = new Gate()
    const { url, proxy, replica, listener } = await opened.serve({ around: gate.around })
    const { id } = await replica.create({ n: 0 })
    const client = await opened.connect({ url, timeout: '1m' })
    gate.shut()
    const read = codeOf(client.get(id))
    const write = client.increment(id, '/n')
    await until(() => gate.held === 2, 'both to be under way')
    proxy.cut()
    expect(await read).toMatchObject({ code: 'UNAVAILABLE' })
    proxy.heal()
    await until(() => listener.status().totals.answeredFromMemory === 1, 'the write to come again')
    gate.open()
    expect((await write).data).toEqual({ n: 1 })
  })

  it('[NET-12] a token that one server does not know is final only where no other one may know it', async () => {
    const strict = await opened.serve({ tokens: { check: () => undefined } })
    const refused = { token: 'x', connectTimeout: 300 }
    expect(await codeOf(connect({ url: strict.url, ...refused }))).toMatchObject({ code: 'TOKEN_REFUSED' })
    const error = (await codeOf(connect({ urls: [strict.url, 'ws://127.0.0.1:1'], ...refused }))) as SojournError
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    for (const why of ['TOKEN_REFUSED', 'ECONNREFUSED', 'within 300 ms']) expect(error.message).toContain(why)
  })

  it('[NET-12] the adapter hands on what the client says, and not a TIMEOUT of its own: by default it waits longer', async () => {
    const { url, proxy, replica } = await opened.serve({ region: { consistency: { timeout: '30s' } } })
    const waits: number[] = []
    const clock: Clock = {
      ...systemClock,
      after(delayMs, callback) {
        waits.push(delayMs)
        return systemClock.after(delayMs, callback)
      },
    }
    const client = await opened.connect({ url, whenUnavailable: 'wait', timeout: 150 })
    const slow = await opened.connect({ url, timeout: '7s' })
    for (const sessions of [client, slow]) await new SojournStore({ sessions, clock }).get('a')
    // What a replica has in memory it answers at once, and nothing is waited for.
    await new SojournStore({ sessions: replica, clock }).get('a')
    await new SojournStore({ sessions: replica, clock }).destroy('a')
    expect(waits).toEqual([5_000, 8_000, 61_000])
    const store = new SojournStore({ sessions: client })
    proxy.cut()
    const error = (await codeOf(store.get('a'))) as SojournError
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    expect(error.message).toContain(url)
  })

  it('[NET-12] connect, by default, waits longer than a server that starts waits for its peers', async () => {
    let server: Server | undefined
    const proxy = opened.add(await openProxy(() => server?.status().listeners.clients))
    const connecting = connect({ url: proxy.url, token: TOKENS.write })
    server = await startServer('eu', ':memory:', { flags: { peers: 'us=ws://127.0.0.1:1', 'clients.port': '0' } })
    opened.add({ close: () => server!.stop() })
    expect(server.status()).toMatchObject({ ready: false, listeners: { clients: undefined } })
    expect(await opened.add(await connecting).count()).toBe(0)
  })
})

describe('when a server is back', () => {
  it('[NET-13] what waits is asked before a call that is made on hearing of the connection, and none is lost', async () => {
    const { url, proxy, replica } = await opened.serve()
    const { id } = await replica.create({ n: 0 })
    const within: Promise<unknown>[] = []
    let hears = false
    const client: Client = await opened.connect({
      url,
      whenUnavailable: 'wait',
      linkChanged: () => {
        if (hears) within.push(client.increment(id, '/n'))
      },
    })
    hears = true
    proxy.cut()
    await until(() => client.status().url === undefined, 'the connection to be lost')
    const waiting = Array.from({ length: 20 }, () => client.increment(id, '/n'))
    proxy.heal()
    await Promise.all(waiting)
    await Promise.all(within)
    hears = false
    // At least when it went down, and when it came up.
    expect(within.length).toBeGreaterThanOrEqual(2)
    expect(await replica.get(id)).toMatchObject({ data: { n: 20 + within.length } })
  })

  it('[NET-13] what a handler throws is its own error: the connection stands', async () => {
    const { url } = await opened.serve()
    const thrown: unknown[] = []
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error))
    const client = await opened.connect({
      url,
      linkChanged: ({ state }) => {
        if (state === 'up') throw new Error('of the application')
      },
    })
    await client.create({})
    await until(() => thrown.length > 0, 'what the handler throws to surface')
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
    expect(thrown).toMatchObject([{ message: 'of the application' }])
    expect(client.status().totals.connections).toBe(1)
  })

  it('[NET-13] an end that a former server still has is asked anew where later calls have been answered already', async () => {
    const gate = new Gate()
    const regions = opened.add(await openRegions(['eu', 'us']))
    const eu = await opened.serve({ on: regions.eu, around: gate.around })
    const us = await opened.serve({ on: regions.us })
    const client = await opened.connect({ urls: [eu.url, us.url], connection: { failback: '1m' } })
    const { id } = await client.create({})
    await regions.settled()
    gate.shut()
    const ended = client.end(id)
    await until(() => gate.held === 1, 'the end to be under way')
    // It asks its clients to leave, and still owes an answer.
    const closing = eu.listener.close({ drainMs: 10_000 })
    await until(() => client.status().region === 'us', 'the client to go elsewhere')
    await client.create({})
    eu.proxy.cut()
    // It was ended by the first try, which comes to the other region, too.
    expect(await ended).toBe(false)
    gate.open()
    await closing
  })
})
