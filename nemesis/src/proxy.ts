import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Lane, type LaneFault } from './lane.js'

/** A TCP proxy, each direction of which can be spoiled. */

export interface Address {
  readonly host: string
  readonly port: number
}

/** From the dialers to the target, or from the target back. */
export type Direction = 'there' | 'back'

/** What came of one connection, in one direction. */
export interface Recorded {
  readonly direction: Direction
  readonly bytes: Buffer
}

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
  /** Keeps a copy of all bytes of connections that begin from now on; the function that it returns gives what there is by then. */
  record(): () => readonly Recorded[]
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  readonly lanes: readonly Lane[]
}

type Target = Address | (() => Address | undefined)

const STALL: LaneFault = { kind: 'stall' }

/**
 * A TCP proxy on a free port in front of a listener. Bytes keep their order, whatever is wrong.
 * @param target asked for each connection, so that the listener may come, go and move; while it gives undefined, connections are refused
 */
export const openProxy = async (target: Target): Promise<TcpProxy> => {
  const proxy = new SpoiledProxy(target)
  await proxy.listen()
  return proxy
}

class SpoiledProxy implements TcpProxy {
  readonly bytes = { there: 0, back: 0 }
  readonly #target: Target
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #faults = { there: new Set<LaneFault>(), back: new Set<LaneFault>() }
  readonly #recordings = new Set<{ readonly direction: Direction; readonly chunks: Buffer[] }[]>()
  #isCut = false

  constructor(target: Target) {
    this.#target = target
    this.#server = createServer((client) => this.#accept(client))
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get connections(): number {
    return this.#pairs.size
  }

  #accept(client: Socket): void {
    const at = typeof this.#target === 'function' ? this.#target() : this.#target
    if (this.#isCut || at === undefined) {
      client.on('error', () => {})
      client.destroy()
      return
    }
    const upstream = connect(at)
    const lanes = [this.#lane(client, upstream, 'there'), this.#lane(upstream, client, 'back')]
    const pair: Pair = { client, upstream, lanes }
    this.#pairs.add(pair)
    const closed = () => {
      if (client.destroyed && upstream.destroyed) this.#pairs.delete(pair)
    }
    client.on('close', closed)
    upstream.on('close', closed)
  }

  #lane(from: Socket, to: Socket, direction: Direction): Lane {
    const carried = (count: number) => {
      this.bytes[direction] += count
    }
    const chunks: Buffer[] = []
    for (const recording of this.#recordings) recording.push({ direction, chunks })
    if (this.#recordings.size > 0) from.on('data', (chunk: Buffer) => chunks.push(chunk))
    return new Lane(from, to, () => this.#faults[direction], carried)
  }

  record(): () => readonly Recorded[] {
    const recording: { readonly direction: Direction; readonly chunks: Buffer[] }[] = []
    this.#recordings.add(recording)
    return () => recording.map(({ direction, chunks }) => ({ direction, bytes: Buffer.concat(chunks) }))
  }

  cut(): void {
    this.#isCut = true
    for (const { client, upstream } of this.#pairs) for (const socket of [client, upstream]) socket.destroy()
  }

  heal(): void {
    this.#isCut = false
  }

  stall(): void {
    for (const each of Object.values(this.#faults)) each.add(STALL)
    this.#changed()
  }

  flow(): void {
    for (const each of Object.values(this.#faults)) each.delete(STALL)
    this.#changed()
  }

  spoil(direction: Direction, fault: LaneFault): () => void {
    // One of its own, so that two that are alike are undone one by one.
    const own = { ...fault }
    this.#faults[direction].add(own)
    this.#changed()
    return () => {
      this.#faults[direction].delete(own)
      this.#changed()
    }
  }

  #changed(): void {
    for (const { lanes } of this.#pairs) for (const lane of lanes) lane.changed()
  }

  halfOpen(gone: 'dialer' | 'target'): void {
    for (const { client, upstream, lanes } of this.#pairs) {
      for (const lane of lanes) lane.abandon()
      if (gone === 'dialer') client.destroy()
      else upstream.destroy()
    }
  }

  close(): Promise<void> {
    this.cut()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}
