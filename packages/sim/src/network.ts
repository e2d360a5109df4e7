/** The network of a world. */
import type { Connection, ConnectionHandler, ErrorCode, Transport } from '@sojourn/core/internal'
import type { Prng } from './prng.js'
import type { WorldTime } from './time.js'

/** What a link between two machines is like, one way. */
export interface Wire {
  /** The shortest time under way, milliseconds. */
  readonly latencyMs: number
  /** What comes on top of it, on average. */
  readonly jitterMs: number
  /** Bytes a millisecond that leave the sender. */
  readonly bytesPerMs: number
  /** Of each frame: that it never comes. */
  readonly loss: number
  /** Of each frame: that it comes twice. */
  readonly duplication: number
}

/** The process at one end of a connection. */
export interface Host {
  readonly machine: string
  /** Whether the process runs; what comes for a dead one is answered with a reset, unless the machine is off. */
  isAlive(): boolean
  /** Whether the machine has power: a dead one says nothing. */
  isOn(): boolean
  /** Runs something in the process: later where it is paused, never where it is dead. */
  deliver(run: () => void): void
}

export interface NetworkTotals {
  frames: number
  bytes: number
  lost: number
  duplicated: number
  reset: number
}

interface Side {
  readonly host: Host
  handler: ConnectionHandler | undefined
  buffered: number
  /** When the last byte handed over has left, and when the last frame arrives. */
  departedAt: number
  arrivesAt: number
  /** Its owner was notified, or closed it. */
  closed: boolean
  /** Something that it sent is lost, and all after it. */
  isCut: boolean
}

interface Pair {
  readonly sides: readonly [Side, Side]
  state: 'dialing' | 'open' | 'gone'
  lossy: boolean
}

/** A connection that was dialed, and the process at its other end, once there was one. */
export interface Dialed extends Connection {
  readonly far: Host | undefined
}

/** An observer of everything that is under way: the trace, and checkers of what is on the wire. */
export type Tap = (from: string, to: string, frame: Uint8Array) => void

/**
 * Machines and the wires between them. A connection keeps its frames in order, as TCP does; two connections do not keep theirs. While a
 * direction is blocked its frames wait, and come when it is healed, even if the connection was given up meanwhile.
 */
export class Network {
  readonly #time: WorldTime
  readonly #random: Prng
  readonly #wires = new Map<string, Wire>()
  readonly #blocked = new Map<string, number>()
  /** What waits for a direction to be healed, in order. */
  readonly #held = new Map<string, (() => void)[]>()
  /** By machine and port. */
  readonly #listeners = new Map<string, { host: Host; accept: (connection: Connection) => ConnectionHandler }>()
  readonly #pairs = new Set<Pair>()
  readonly #tap: Tap
  readonly #isOrderly: boolean
  readonly totals: NetworkTotals = { frames: 0, bytes: 0, lost: 0, duplicated: 0, reset: 0 }

  /** @param isOrderly whether a connection that is reset brings what came before the first frame that it loses, as TCP does, and nothing after */
  constructor(time: WorldTime, random: Prng, tap: Tap, isOrderly = false) {
    this.#isOrderly = isOrderly
    this.#time = time
    this.#random = random
    this.#tap = tap
  }

  setWire(from: string, to: string, wire: Wire): void {
    this.#wires.set(`${from}>${to}`, wire)
  }

  wire(from: string, to: string): Wire {
    return this.#wires.get(`${from}>${to}`)!
  }

  /** Blocks one direction. Blocks add up: each is taken back by an {@link unblock} of its own. */
  block(from: string, to: string): void {
    const way = `${from}>${to}`
    this.#blocked.set(way, (this.#blocked.get(way) ?? 0) + 1)
  }

  unblock(from: string, to: string): void {
    const way = `${from}>${to}`
    const left = (this.#blocked.get(way) ?? 0) - 1
    if (left > 0) this.#blocked.set(way, left)
    else this.#free(way)
  }

  unblockAll(): void {
    for (const way of [...this.#blocked.keys()]) this.#free(way)
  }

  #free(way: string): void {
    this.#blocked.delete(way)
    const held = this.#held.get(way) ?? []
    this.#held.delete(way)
    for (const run of held) run()
  }

  /** Breaks the connections between two machines; what was under way arrives as far as chance has it. */
  reset(a: string, b: string): void {
    for (const pair of [...this.#pairs]) {
      const names = pair.sides.map(({ host }) => host.machine)
      if (names.includes(a) && names.includes(b)) this.#reset(pair, 'the connection was reset')
    }
  }

  /** Breaks connections that have lost a frame: nobody waits for what TCP would have sent again. */
  resetLossy(): void {
    for (const pair of [...this.#pairs]) if (pair.lossy) this.#reset(pair, 'the connection was reset')
  }

  #reset(pair: Pair, why: string): void {
    if (pair.state === 'gone') return
    pair.state = 'gone'
    this.#pairs.delete(pair)
    this.totals.reset++
    for (const side of pair.sides) this.#report(side, this.#random.between(0, 30), why)
  }

  #report(side: Side, delayMs: number, why: string, code?: ErrorCode): void {
    this.#time.schedule(delayMs, () =>
      side.host.deliver(() => {
        if (side.closed) return
        side.closed = true
        side.handler?.closed(why, code)
      }),
    )
  }

  /** A process died: its system closes its sockets, if it still can. */
  died(host: Host): void {
    for (const [name, listener] of this.#listeners) if (listener.host === host) this.#listeners.delete(name)
    for (const pair of [...this.#pairs]) {
      const mine = pair.sides.findIndex((side) => side.host === host)
      if (mine < 0) continue
      pair.sides[mine]!.closed = true
      if (host.isOn()) this.#fin(pair, mine, 'the process is gone')
    }
  }

  transport(host: Host): Transport {
    return {
      dial: (url, handler, { connectTimeoutMs }) => this.dial(host, url, handler, connectTimeoutMs),
      listen: async (at, accept) => {
        const address = `${host.machine}:${at.port}`
        this.#listeners.set(address, { host, accept })
        return {
          address: at,
          close: async () => {
            if (this.#listeners.get(address)?.host === host) this.#listeners.delete(address)
          },
        }
      },
    }
  }

  /** Something leaves one machine for another: it arrives after a while, or when the way is free again. */
  #travel(from: string, to: string, delayMs: number, arrive: () => void): void {
    const way = `${from}>${to}`
    this.#time.schedule(delayMs, () => {
      if (!this.#blocked.has(way)) return arrive()
      const held = this.#held.get(way) ?? []
      held.push(arrive)
      this.#held.set(way, held)
    })
  }

  #latency(from: string, to: string): number {
    const { latencyMs, jitterMs } = this.wire(from, to)
    return latencyMs + (jitterMs > 0 ? this.#random.exponential(jitterMs) : 0)
  }

  /** @param url names a machine and a port */
  dial(near: Host, url: string, handler: ConnectionHandler, connectTimeoutMs: number): Dialed {
    const { hostname: target, host: address } = new URL(url)
    const dialer: Side = newSide(near, handler)
    const patience = this.#time.schedule(connectTimeoutMs, () => this.#report(dialer, 0, 'no answer', 'LINK_TIMEOUT'))
    const answer = (run: () => void) => {
      patience.cancel()
      near.deliver(run)
    }
    let pair: Pair | undefined
    this.#travel(near.machine, target, this.#latency(near.machine, target), () => {
      const listener = this.#listeners.get(address)
      if (!listener?.host.isAlive()) {
        const refuse = () => answer(() => this.#report(dialer, 0, 'connection refused'))
        this.#travel(target, near.machine, this.#latency(target, near.machine), refuse)
        return
      }
      listener.host.deliver(() => {
        const far = newSide(listener.host, undefined)
        const opened: Pair = { sides: [dialer, far], state: 'dialing', lossy: false }
        pair = opened
        this.#pairs.add(opened)
        opened.state = 'open'
        far.handler = listener.accept(this.#connection(opened, 1))
        this.#travel(target, near.machine, this.#latency(target, near.machine), () =>
          answer(() => {
            if (dialer.closed) this.#fin(opened, 0, 'given up')
            else handler.opened()
          }),
        )
      })
    })
    const connection = (): Connection | undefined => pair && this.#connection(pair, 0)
    return {
      get far() {
        return pair?.sides[1].host
      },
      send: (frame) => connection()?.send(frame),
      get bufferedBytes() {
        return dialer.buffered
      },
      close: (why) => {
        patience.cancel()
        if (pair) connection()!.close(why)
        else this.#report(dialer, 1, why)
      },
    }
  }

  #connection(pair: Pair, mine: 0 | 1): Connection {
    const near = pair.sides[mine]
    return {
      send: (frame) => {
        if (!near.closed && near.host.isAlive()) this.#send(pair, mine, new Uint8Array(frame))
      },
      get bufferedBytes() {
        return near.buffered
      },
      close: (why) => {
        if (near.closed) return
        this.#fin(pair, mine, why)
        this.#report(near, 1, why)
      },
    }
  }

  #send(pair: Pair, mine: number, frame: Uint8Array): void {
    const [near, far] = [pair.sides[mine]!, pair.sides[1 - mine]!]
    const [from, to] = [near.host.machine, far.host.machine]
    const { bytesPerMs, loss, duplication } = this.wire(from, to)
    const { now } = this.#time
    near.buffered += frame.length
    near.departedAt = Math.max(near.departedAt, now) + frame.length / bytesPerMs
    near.arrivesAt = Math.max(near.arrivesAt, near.departedAt + this.#latency(from, to))
    this.totals.frames++
    this.totals.bytes += frame.length
    this.#tap(from, to, frame)
    this.#time.schedule(near.departedAt - now, () => {
      near.buffered -= frame.length
      if (near.buffered === 0) near.host.deliver(() => !near.closed && near.handler?.drained())
    })
    const isLost = loss > 0 && this.#random.chance(loss)
    const copies = isLost ? 0 : duplication > 0 && this.#random.chance(duplication) ? 2 : 1
    if (isLost) {
      this.totals.lost++
      pair.lossy = true
    }
    if (copies === 2) this.totals.duplicated++
    for (let copy = 0; copy < copies; copy++)
      this.#travel(from, to, near.arrivesAt - now, () => this.#arrive(pair, mine, frame))
  }

  #arrive(pair: Pair, mine: number, frame: Uint8Array): void {
    const [near, far] = [pair.sides[mine]!, pair.sides[1 - mine]!]
    // A reset connection delivers what chance lets through.
    if (pair.state === 'gone' && this.#random.chance(0.5)) {
      near.isCut = this.#isOrderly
      return
    }
    if (near.isCut) return
    if (!far.host.isAlive()) {
      if (far.host.isOn()) this.#report(near, this.#latency(far.host.machine, near.host.machine), 'reset by the peer')
      return
    }
    far.host.deliver(() => {
      if (!far.closed) far.handler?.received(frame)
    })
  }

  /** One side closes: the other hears of it after everything that was sent before. */
  #fin(pair: Pair, mine: number, why: string): void {
    const [near, far] = [pair.sides[mine]!, pair.sides[1 - mine]!]
    const [from, to] = [near.host.machine, far.host.machine]
    const { now } = this.#time
    near.arrivesAt = Math.max(near.arrivesAt, near.departedAt, now) + 0.01
    this.#travel(from, to, near.arrivesAt - now + this.wire(from, to).latencyMs, () => {
      this.#pairs.delete(pair)
      this.#report(far, 0, why)
    })
  }
}

const newSide = (host: Host, handler: ConnectionHandler | undefined): Side => ({
  host,
  handler,
  buffered: 0,
  departedAt: 0,
  arrivesAt: 0,
  closed: false,
  isCut: false,
})
