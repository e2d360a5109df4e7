/** Who opens connections and says nothing shuts nobody out, whichever listener it is. */
import { type AddressInfo, createServer } from 'node:net'
import { type Client, connect } from '@sojourn/client'
import { ConnectionBudget } from '@sojourn/net'
import { CLIENT_PROTOCOL, LINK_PROTOCOL } from '@sojourn/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Idle, openIdle } from '../support/idle.js'
import { openServers, type Server, startServer, TOKENS } from '../support/servers.js'
import { until } from '../support/until.js'

const portOf = (server: Server, listener: 'links' | 'clients' | 'admin'): number =>
  server.status().listeners[listener]!.port

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each()
})
const idle = async (options: Parameters<typeof openIdle>[0]): Promise<Idle> => {
  const opened = await openIdle(options)
  undo.push(opened.end)
  return opened
}

const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'
const UPGRADE = (protocol: string) =>
  `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`

describe('[HOST-5] connections of which nobody knows who they are', () => {
  it.each([
    ['say nothing', ''],
    ['ask once and stay', GET],
    ['drip', 'GET /livez HTTP/1.1\r\nX-Slow: '],
  ])('300 of them on the admin listener %s, and probes, commands and scrapes are answered', async (_how, says) => {
    const server = await startServer('eu', ':memory:')
    undo.push(() => server.stop())
    const opened = await idle({ port: portOf(server, 'admin'), count: 300, says })
    for (const path of ['/livez', '/readyz', '/metrics']) expect((await server.ask(path)).status, path).toBe(200)
    expect((await server.ask('/digests', { token: TOKENS.admin })).status).toBe(200)
    const { admin } = server.status().unauthenticated
    expect(admin!.connections).toBeLessThanOrEqual(64)
    expect(admin!.evicted).toBeGreaterThanOrEqual(300 - 64)
    await until(() => opened.open <= 64, 'the others to be closed')
    const metrics = await (await server.ask('/metrics')).text()
    expect(metrics).toMatch(/^sojourn_unauthenticated_connections\{listener="admin",region="eu"\} \d+$/m)
    expect(metrics).toMatch(/^sojourn_unauthenticated_evicted_total\{listener="admin",region="eu"\} \d{3}$/m)
  })

  it('on the admin listener, who has shown a token is not closed to make room', async () => {
    const server = await startServer('eu', ':memory:')
    undo.push(() => server.stop())
    const port = portOf(server, 'admin')
    const says = `GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS.read}\r\n\r\n`
    const known = await idle({ port, count: 3, says })
    await idle({ port, count: 200 })
    expect(known.open).toBe(3)
    expect(server.status().unauthenticated.admin!.evicted).toBeGreaterThanOrEqual(200 - 64)
  })

  it('are given up on the admin listener, as soon as they may be', async () => {
    const server = await startServer('eu', ':memory:', {
      flags: { 'admin.limits.maxHeadersMs': '100', 'admin.limits.maxIdleMs': '100' },
    })
    undo.push(() => server.stop())
    const silent = await idle({ port: portOf(server, 'admin'), count: 4 })
    const kept = await idle({ port: portOf(server, 'admin'), count: 4, says: GET })
    await until(() => silent.open === 0 && kept.open === 0, 'the idle ones to be closed')
    await until(() => server.status().unauthenticated.admin!.connections === 0, 'them to count no more')
    expect(server.status().unauthenticated.admin!.evicted).toBe(0)
  })

  it.each([
    ['as TCP', ''],
    ['as WebSockets', UPGRADE(CLIENT_PROTOCOL)],
  ])('66 and more of them, %s, and a client gets in; those that were there stay', async (_as, says) => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const clientOf = (): Promise<Client> => connect({ url: eu.url('clients'), token: TOKENS.write })
    const early = await clientOf()
    const { id } = await early.create({ n: 1 })
    await idle({ port: portOf(eu, 'clients'), count: 100, says })
    const late = await clientOf()
    expect((await late.get(id))!.data).toEqual({ n: 1 })
    expect((await early.increment(id, '/n')).data).toEqual({ n: 2 })
    expect(early.status().totals.connections).toBe(1)
    const { connections, unauthenticated } = eu.status().clients!
    expect(connections).toBe(2)
    expect(unauthenticated.connections).toBeLessThanOrEqual(64)
    await Promise.all([early.close(), late.close()])
  })

  it.each([
    ['as TCP', ''],
    ['as WebSockets', UPGRADE(LINK_PROTOCOL)],
  ])('70 of them a region, %s, and links come up', async (_as, says) => {
    await using servers = await openServers(['eu', 'us', 'ap'])
    const names = ['eu', 'us', 'ap'] as const
    for (const name of names) servers.link(name).cut()
    await until(
      () =>
        names.every((name) =>
          Object.values(servers.get(name).status().replica.links).every(({ state }) => state === 'down'),
        ),
      'the links to go',
    )
    for (const name of names) await idle({ port: portOf(servers.get(name), 'links'), count: 70, says })
    for (const name of names) servers.link(name).heal()
    await servers.settled()
    const eu = servers.get('eu').status()
    expect(Object.values(eu.replica.links).map(({ state }) => state)).toEqual(['live', 'live'])
    expect(eu.unauthenticated.links!.evicted).toBeGreaterThan(0)
  })

  it('of one address make room among themselves; of several, the address that has the most does', async () => {
    const budget = new ConnectionBudget({ max: 6, maxPerAddress: 4 })
    const server = createServer()
    budget.watch(server as never)
    server.listen(0, '127.0.0.1')
    await until(() => server.address(), 'the port')
    undo.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const few = await idle({ port, count: 2, from: '127.0.0.2' })
    const many = await idle({ port, count: 10, from: '127.0.0.3' })
    await until(() => budget.status.evicted === 6 && many.open === 4, 'those beyond the budget of their address to go')
    expect([few.open, budget.status.connections]).toEqual([2, 6])
    const third = await idle({ port, count: 1, from: '127.0.0.4' })
    await until(() => budget.status.evicted === 7 && many.open === 3, 'room for the third')
    expect([few.open, third.open, budget.status.connections]).toEqual([2, 1, 6])
    for (const each of [few, many, third]) each.end()
    await until(() => budget.status.connections === 0, 'all to be gone')
  })
})

describe('[HOST-15] before it is known who it is', () => {
  it.each([
    ['links', LINK_PROTOCOL],
    ['clients', CLIENT_PROTOCOL],
  ] as const)('%s: a frame that is longer than a handshake is not waited for', async (listener, protocol) => {
    await using servers = await openServers(['eu'])
    const eu = servers.get('eu')
    const refused = () =>
      (listener === 'links' ? eu.status().replica.totals : eu.status().clients!.totals).refused.FRAME_TOO_LARGE ?? 0
    const socket = new WebSocket(eu.url(listener), protocol)
    let isOver = false
    socket.on('error', () => {})
    socket.on('close', () => {
      isOver = true
    })
    await until(() => socket.readyState === WebSocket.OPEN, 'the connection')
    // It says that 500 kB come, sends ten, and then nothing more.
    const raw = (socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket
    raw.write(Buffer.concat([Buffer.from('82ff000000000007a12000000000', 'hex'), Buffer.alloc(10_000)]))
    await until(() => isOver, 'it to be refused')
    expect(refused()).toBe(1)
  })
})

describe('[HOST-16] web pages', () => {
  const answerTo = (url: string, protocol: string, origin?: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(url, protocol, { ...(origin !== undefined && { origin }) })
      socket.on('open', () => {
        socket.terminate()
        resolve('open')
      })
      socket.on('error', ({ message }) => resolve(message))
    })

  it.each([
    ['links', LINK_PROTOCOL],
    ['clients', CLIENT_PROTOCOL],
  ] as const)('%s: none gets in but those that the settings name', async (listener, protocol) => {
    const flags = { [`${listener}.allowedOrigins`]: 'https://app.example.net,http://localhost:3000' }
    await using servers = await openServers(['eu'], { options: { flags } })
    const url = servers.get('eu').url(listener)
    expect(await answerTo(url, protocol)).toBe('open')
    for (const origin of ['https://app.example.net', 'http://localhost:3000'])
      expect(await answerTo(url, protocol, origin), origin).toBe('open')
    for (const origin of [
      'https://evil.example',
      'null',
      'https://app.example.net.evil.example',
      'http://app.example.net',
    ])
      expect(await answerTo(url, protocol, origin), origin).toBe('Unexpected server response: 403')
  })
})
