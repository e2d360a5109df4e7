/** A peer that cannot be reached is reported: by event, in the status, and by reason. */
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import type { LinkChange, Replica } from '@sojourn/replica'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { SECRET } from '../support/region.js'
import { closeOpened, open } from '../support/replica.js'
import { until } from '../support/until.js'

afterEach(closeOpened)

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

const dialing = async (url: string, secret = SECRET): Promise<[Replica, LinkChange[]]> => {
  const links = { heartbeat: 50, timeout: 300, maxReconnectDelay: 30 }
  const eu = await open({ peers: { us: url }, secret, links })
  const changes: LinkChange[] = []
  eu.on('link', (change) => changes.push(change))
  return [eu, changes]
}

const answering = (status: number) =>
  createServer((_request, response) => response.writeHead(status).end()).on('upgrade', (_request, socket) =>
    socket.end(`HTTP/1.1 ${status} Something\r\n\r\n`),
  )

const free = async (): Promise<number> => {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('[LINK-1] a peer that cannot be reached', () => {
  it.each<[string, string, string, () => Promise<string>]>([
    ['where nobody listens', 'refused', 'LINK_UNREACHABLE', async () => `ws://127.0.0.1:${await free()}`],
    ['under a name of several addresses', 'refused', 'LINK_UNREACHABLE', async () => `ws://localhost:${await free()}`],
    ['whose name nobody knows', 'unknown-host', 'LINK_UNREACHABLE', async () => 'ws://no-such-host.invalid:1'],
    [
      'where connections are reset',
      'reset',
      'LINK_UNREACHABLE',
      async () => `ws://127.0.0.1:${await listening(createTcpServer((socket) => socket.resetAndDestroy()))}`,
    ],
    [
      'where connections are closed',
      'reset',
      'LINK_UNREACHABLE',
      async () => `ws://127.0.0.1:${await listening(createTcpServer((socket) => socket.end()))}`,
    ],
    [
      'where something else answers',
      'not-websocket',
      'LINK_UNREACHABLE',
      async () =>
        `ws://127.0.0.1:${await listening(createTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')))}`,
    ],
    [
      'where a web server answers',
      'not-websocket',
      'LINK_UNREACHABLE',
      async () => `ws://127.0.0.1:${await listening(answering(200))}`,
    ],
    [
      'that is not found by a web server',
      'http-status',
      'LINK_UNREACHABLE',
      async () => `ws://127.0.0.1:${await listening(answering(404))}`,
    ],
    [
      'where WebSockets of another kind are taken',
      'not-websocket',
      'LINK_UNREACHABLE',
      async () => {
        const http = createServer()
        new WebSocketServer({ server: http, handleProtocols: () => false })
        return `ws://127.0.0.1:${await listening(http)}`
      },
    ],
    [
      'where there is no TLS',
      'tls',
      'LINK_TLS',
      async () => `wss://127.0.0.1:${await listening(createTcpServer((socket) => socket.end('no TLS at all')))}`,
    ],
    [
      'that says nothing',
      'timeout',
      'LINK_UNREACHABLE',
      async () => `ws://127.0.0.1:${await listening(createTcpServer(() => {}))}`,
    ],
  ])('%s: %s, %s', async (_, reason, code, serve) => {
    const url = await serve()
    const [eu, changes] = await dialing(url)
    await until(() => changes.length >= 2, 'two tries to be reported')
    const state = code === 'LINK_UNREACHABLE' ? 'unreachable' : 'refused'
    const of = { code, reason: code === 'LINK_UNREACHABLE' ? reason : code, why: expect.stringMatching(/./) }
    for (const change of changes) expect(change).toEqual({ region: 'us', state, ...of })
    const { us } = eu.status().links
    expect(us).toMatchObject({ state: 'down', lastError: { ...of, at: expect.any(Number) } })
    expect(us!.failures[of.reason as 'reset']).toBeGreaterThanOrEqual(2)
    const next = await until(() => eu.status().links.us!.nextTryAt, 'the next try to be planned')
    expect(Math.abs(next - Date.now())).toBeLessThan(10_000)
    // It was dialed in vain, not refused.
    if (code === 'LINK_UNREACHABLE') expect(eu.status().totals.refused).toEqual({})
  })

  it('that refuses is reported by its code, and what was last wrong stays reported when the link is up again', async () => {
    const us = await open({ region: 'us', listen: { port: 0 }, peers: { eu: null }, secret: 'another secret of tests' })
    const { port } = us.address!
    const [eu, changes] = await dialing(`ws://127.0.0.1:${port}`)
    await until(() => changes.length > 0, 'the refusal')
    expect(changes[0]).toMatchObject({ state: 'refused', code: 'LINK_SECRET', reason: 'LINK_SECRET' })
    await us.close()
    await until(() => changes.some(({ reason }) => reason === 'refused'), 'the port to be closed')
    await open({ region: 'us', listen: { port }, peers: { eu: null }, secret: SECRET })
    await until(() => eu.status().links.us!.state === 'live', 'the link')
    expect(eu.status().links.us).toMatchObject({ lastError: { reason: 'refused' }, nextTryAt: undefined })
    expect(Object.keys(eu.status().links.us!.failures).sort()).toContain('LINK_SECRET')
  })

  it('is not reported by who closes, or isolates himself', async () => {
    const [eu, changes] = await dialing(`ws://127.0.0.1:${await listening(createTcpServer(() => {}))}`)
    eu.isolate()
    eu.rejoin()
    await eu.close()
    expect(changes).toEqual([])
  })
})
