/** Bounds the connections of a listener whose other side is not known yet; where there are too many, the one that was silent longest goes. */
import type { IncomingMessage, Server } from 'node:http'
import { isIPv6, type Socket } from 'node:net'

export interface ConnectionBudgetOptions {
  /** Unauthenticated connections at a time. */
  readonly max: number
  /** Those of them that come from one address. */
  readonly maxPerAddress: number
}

/** What a listener says of its unauthenticated connections. */
export interface UnauthenticatedStatus {
  /** How many there are now. */
  readonly connections: number
  /** How many were closed to make room for newer ones, since the listener began. */
  readonly evicted: number
}

interface Seat {
  readonly address: string
  /** What is destroyed: the TLS socket, where there is one. */
  socket: Socket
  /** Ends the connection with a reason, where its protocol has a way to give one. */
  refuse: (() => void) | undefined
}

/** `::ffff:10.0.0.1` is 10.0.0.1. Of an IPv6 address the first half counts: whoever has one address of a network has them all. */
const addressOf = ({ remoteAddress = '' }: Socket): string => {
  const mapped = /^::ffff:([\d.]+)$/i.exec(remoteAddress)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(remoteAddress)) return remoteAddress
  const [head = '', tail] = remoteAddress.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length
  return [...groups, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4).join(':')
}

const endpointOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/**
 * The unauthenticated connections of one listener. A new one always gets in. Who has just come, or has just said something whole (a request,
 * an upgrade), stays longest: so bytes that drip in do not keep a place, and a probe or a client that knows what it wants is through
 * before its turn comes. Beyond the budget of its address the oldest of that address goes; beyond that of all, the oldest of the
 * address that has the most.
 *
 * @example
 * const budget = new ConnectionBudget({ max: 256, maxPerAddress: 64 })
 * budget.watch(server)
 * server.on('request', (request) => isKnown(request) && budget.authenticated(request.socket))
 */
export class ConnectionBudget {
  readonly #options: ConnectionBudgetOptions
  /** By the socket that the listener was given; the one that was silent longest comes first. */
  readonly #seats = new Map<Socket, Seat>()
  /** A TLS socket stands for the one below it. */
  readonly #below = new WeakMap<Socket, Socket>()
  #evicted = 0

  constructor(options: ConnectionBudgetOptions) {
    this.#options = options
  }

  get status(): UnauthenticatedStatus {
    return { connections: this.#seats.size, evicted: this.#evicted }
  }

  /**
   * Counts the connections of a server from now on.
   * @param upgrades whether the server takes upgrades. Node.js hands the socket of one over to whoever listens for it, and answers all others
   */
  watch(server: Server, { upgrades = false } = {}): void {
    server.on('connection', (socket: Socket) => this.#enter(socket))
    server.on('secureConnection', (socket: Socket) => this.#secured(socket))
    const heard = ({ socket }: IncomingMessage) => this.#heard(socket)
    server.on('request', heard)
    if (upgrades) server.on('upgrade', heard)
  }

  /** The other side is known: its connection counts no more. */
  authenticated(socket: Socket): void {
    this.#seats.delete(this.#below.get(socket) ?? socket)
  }

  /** How the connection is ended when it has to go; otherwise it is torn down. */
  refuseWith(socket: Socket, refuse: () => void): void {
    const seat = this.#seats.get(this.#below.get(socket) ?? socket)
    if (seat) seat.refuse = refuse
  }

  #enter(socket: Socket): void {
    const address = addressOf(socket)
    this.#seats.set(socket, { address, socket, refuse: undefined })
    socket.once('close', () => this.#seats.delete(socket))
    const { max, maxPerAddress } = this.#options
    if (this.#countOf(address) > maxPerAddress) this.#evictOldestOf(address)
    else if (this.#seats.size > max) this.#evictOldestOf(this.#fullestAddress())
  }

  #countOf(address: string): number {
    let count = 0
    for (const seat of this.#seats.values()) if (seat.address === address) count++
    return count
  }

  #fullestAddress(): string {
    const counts = new Map<string, number>()
    let fullest = ''
    for (const { address } of this.#seats.values()) {
      const count = (counts.get(address) ?? 0) + 1
      counts.set(address, count)
      if (count > (counts.get(fullest) ?? 0)) fullest = address
    }
    return fullest
  }

  #evictOldestOf(address: string): void {
    for (const [key, seat] of this.#seats) {
      if (seat.address !== address) continue
      this.#seats.delete(key)
      this.#evicted++
      if (seat.refuse) seat.refuse()
      else seat.socket.destroy()
      return
    }
  }

  /** Node.js does not say which socket a TLS socket is on, but both have the same other end. */
  #secured(secure: Socket): void {
    const endpoint = endpointOf(secure)
    for (const [socket, seat] of this.#seats)
      if (seat.socket === socket && endpointOf(socket) === endpoint) {
        seat.socket = secure
        this.#below.set(secure, socket)
        return
      }
  }

  #heard(socket: Socket): void {
    const key = this.#below.get(socket) ?? socket
    const seat = this.#seats.get(key)
    if (seat === undefined) return
    this.#seats.delete(key)
    this.#seats.set(key, seat)
  }
}
