import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface TcpProxy {
  /** What to dial instead of the target: `ws://127.0.0.1:<port>`. */
  readonly url: string
  /** Bytes carried from the diallers to the target, and back. */
  readonly bytes: { readonly there: number; readonly back: number }
  /** Connections that stand. */
  readonly connections: number
  /** Destroys every connection, and every new one at once, until `heal`. */
  cut(): void
  heal(): void
  /** Stops reading from both sides, without closing anything: a black hole, or a peer that stops reading. Until `flow`. */
  stall(): void
  flow(): void
  close(): Promise<void>
}

/**
 * A TCP proxy on a free port in front of a listener.
 * @param target asked for each connection, so that the listener may come, go and move; while it gives undefined, connections are refused
 */
export const openProxy = async (target: Address | (() => Address | undefined)): Promise<TcpProxy> => {
  const bytes = { there: 0, back: 0 }
  const pairs = new Set<readonly [Socket, Socket]>()
  let isCut = false
  let isStalled = false

  const carry = (from: Socket, to: Socket, way: keyof typeof bytes) => {
    from.setNoDelay(true)
    if (isStalled) from.pause()
    from.on('data', (chunk) => {
      bytes[way] += chunk.length
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => {
      if (!isStalled) from.resume()
    })
    from.on('end', () => to.end())
    from.on('error', () => {})
  }

  const server = createServer((client) => {
    const at = typeof target === 'function' ? target() : target
    if (isCut || at === undefined) {
      client.on('error', () => {})
      client.destroy()
      return
    }
    const upstream = connect(at)
    const pair = [client, upstream] as const
    pairs.add(pair)
    carry(client, upstream, 'there')
    carry(upstream, client, 'back')
    for (const [one, other] of [pair, [upstream, client] as const])
      one.on('close', () => {
        pairs.delete(pair)
        other.destroySoon()
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const destroyAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes,
    get connections() {
      return pairs.size
    },
    cut() {
      isCut = true
      destroyAll()
    },
    heal() {
      isCut = false
    },
    stall() {
      isStalled = true
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    flow() {
      isStalled = false
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    close: () =>
      new Promise((resolve) => {
        isCut = true
        destroyAll()
        server.close(() => resolve())
      }),
  }
}
