import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Lane, type LaneFault } from './lane.js'

export interface Address {
  readonly host: string
  readonly port: number
}

/** From the dialers to the target, or from the target back. */
export type Direction = 'there' | 'back'

export interface TcpProxy {
  /** What to dial instead of the target: `ws://127.0.0.1:<port>`. */
  readonly url: string
  /** Bytes carried from the dialers to the target, and back. */
  readonly bytes: { readonly [direction in Direction]: number }
  /** Connections that stand. */
  readonly connections: number
  /** Destroys every connection, and every new one at once, until `heal`. */
  cut(): void
  heal(): void
  /** Stops reading from both sides, without closing anything: a black hole, or a peer that stops reading. Until `flow`. */
  stall(): void
  flow(): void
  /** Spoils a direction, of the connections that stand and of new ones, until the function that it returns is called. */
  spoil(direction: Direction, fault: LaneFault): () => void
  /** One end of every connection is destroyed, and the other hears nothing of it; new connections are well. */
  halfOpen(gone: 'dialer' | 'target'): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  readonly lanes: readonly Lane[]
}

const STALL: LaneFault = { kind: 'stall' }

/**
 * A TCP proxy on a free port in front of a listener. Bytes keep their order, whatever is wrong.
 * @param target asked for each connection, so that the listener may come, go and move; while it gives undefined, connections are refused
 */
export const openProxy = async (target: Address | (() => Address | undefined)): Promise<TcpProxy> => {
  const bytes = { there: 0, back: 0 }
  const pairs = new Set<Pair>()
  const faults = { there: new Set<LaneFault>(), back: new Set<LaneFault>() }
  let isCut = false

  const changed = () => {
    for (const { lanes } of pairs) for (const lane of lanes) lane.changed()
  }
  const laneOf = (from: Socket, to: Socket, direction: Direction) =>
    new Lane(
      from,
      to,
      () => faults[direction],
      (count) => {
        bytes[direction] += count
      },
    )

  const server = createServer((client) => {
    const at = typeof target === 'function' ? target() : target
    if (isCut || at === undefined) {
      client.on('error', () => {})
      client.destroy()
      return
    }
    const upstream = connect(at)
    const lanes = [laneOf(client, upstream, 'there'), laneOf(upstream, client, 'back')]
    const pair: Pair = { client, upstream, lanes }
    pairs.add(pair)
    const closed = () => {
      if (client.destroyed && upstream.destroyed) pairs.delete(pair)
    }
    client.on('close', closed)
    upstream.on('close', closed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const destroyAll = () => {
    for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.destroy()
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
      for (const each of Object.values(faults)) each.add(STALL)
      changed()
    },
    flow() {
      for (const each of Object.values(faults)) each.delete(STALL)
      changed()
    },
    spoil(direction, fault) {
      // One of its own, so that two that are alike are undone one by one.
      const own = { ...fault }
      faults[direction].add(own)
      changed()
      return () => {
        faults[direction].delete(own)
        changed()
      }
    },
    halfOpen(gone) {
      for (const { client, upstream, lanes } of pairs) {
        for (const lane of lanes) lane.abandon()
        if (gone === 'dialer') client.destroy()
        else upstream.destroy()
      }
    },
    close: () =>
      new Promise((resolve) => {
        isCut = true
        destroyAll()
        server.close(() => resolve())
      }),
  }
}
