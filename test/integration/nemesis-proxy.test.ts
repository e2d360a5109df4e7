import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { LaneFault } from '../../nemesis/src/lane.js'
import { openProxy, type TcpProxy } from '../../nemesis/src/proxy.js'
import { until } from '../support/until.js'

/** What the nemesis does to connections. */

interface Line {
  readonly proxy: TcpProxy
  readonly client: Socket
  readonly server: Socket
  /** What each side has heard. */
  readonly heard: { client: string; server: string }
  readonly closed: { client: boolean; server: boolean }
}

const closers: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const open = async (): Promise<Line> => {
  let accepted: Socket | undefined
  const listener = createServer((socket) => {
    accepted = socket
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const proxy = await openProxy({ host: '127.0.0.1', port: (listener.address() as AddressInfo).port })
  const client = connect(Number(new URL(proxy.url).port), '127.0.0.1')
  const server = await until(() => accepted, 'a connection')
  const heard = { client: '', server: '' }
  const closed = { client: false, server: false }
  for (const [side, socket] of Object.entries({ client, server }) as ['client' | 'server', Socket][]) {
    socket.on('data', (chunk) => {
      heard[side] += chunk.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      closed[side] = true
    })
  }
  closers.push(() => {
    client.destroy()
    server.destroy()
    return Promise.all([proxy.close(), new Promise((resolve) => listener.close(resolve))])
  })
  return { proxy, client, server, heard, closed }
}

const DIGITS = Array.from({ length: 200 }, (_, index) => `${index} `)

describe('a direction of a proxied connection', () => {
  it.each<LaneFault>([
    { kind: 'delay', ms: 20 },
    { kind: 'slow', bytesPerMs: 20 },
  ])('[NEM-3] keeps the order of bytes that are late ($kind)', async (fault) => {
    const { proxy, client, server, heard } = await open()
    const undo = proxy.spoil('there', fault)
    for (const digit of DIGITS.slice(0, 100)) client.write(digit)
    await until(() => heard.server.length > 10, 'the first bytes')
    undo()
    for (const digit of DIGITS.slice(100)) client.write(digit)
    await until(() => heard.server.length === DIGITS.join('').length, 'all bytes')
    expect(heard.server).toBe(DIGITS.join(''))
    server.write('back')
    await until(() => heard.client === 'back', 'the other direction')
  })

  it('[NEM-3] that stalls goes on where it was', async () => {
    const { proxy, client, server, heard } = await open()
    const undo = proxy.spoil('there', { kind: 'stall' })
    client.write('held')
    server.write('free')
    await until(() => heard.client === 'free', 'the other direction')
    expect(heard.server).toBe('')
    undo()
    await until(() => heard.server === 'held', 'what was held')
  })

  it('[NEM-3] that swallowed bytes does not go on without them', async () => {
    const { proxy, client, server, heard, closed } = await open()
    const undo = proxy.spoil('there', { kind: 'swallow' })
    client.write('gone')
    server.write('free')
    await until(() => heard.client === 'free', 'the other direction')
    expect(closed).toEqual({ client: false, server: false })
    undo()
    await until(() => closed.client && closed.server, 'both ends to be closed')
    expect(heard.server).toBe('')
  })

  it('[NEM-3] that swallows does not carry the end of a connection either', async () => {
    const { proxy, client, server, closed } = await open()
    const undo = proxy.spoil('there', { kind: 'swallow' })
    client.destroy()
    await until(() => closed.client, 'the client to be closed')
    server.write('is anybody there?')
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed.server).toBe(false)
    undo()
    await until(() => closed.server, 'the server to hear of it')
  })

  it('[NEM-3] half open: one end is gone, the other hears nothing', async () => {
    const { proxy, client, server, heard, closed } = await open()
    proxy.halfOpen('target')
    await until(() => closed.server, 'the target to be closed')
    client.write('is anybody there?')
    await until(() => client.writableLength === 0, 'it to be sent')
    expect(closed.client).toBe(false)
    expect(heard.server).toBe('')
    server.destroy()
    client.destroy()
    await until(() => proxy.connections === 0, 'nothing to be left')
  })
})
