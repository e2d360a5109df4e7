/** The links of a replica: who may connect, and which connection is kept. */
import type { Connection, ConnectionHandler, FeedId, Listener, Random, Transport } from '@sojourn/core/internal'
import { quoted, SojournError } from '@sojourn/core/internal'
import type { Hello, LinkFailure, Speech } from '@sojourn/wire'
import { Arrival, type Ended } from './arrival.js'
import { Dialers } from './dialers.js'
import { Handshake, type Met } from './handshake.js'
import { settleClaims } from './inbound.js'
import { Link, type LinkHost } from './link.js'
import { type LinkChange, LinkFailures } from './link-failures.js'
import { Namesakes } from './namesakes.js'
import { Stalls } from './stalls.js'

export interface LinksOptions {
  readonly region: string
  readonly peers: ReadonlyMap<string, string | null>
  readonly secret: string
  /** What this side speaks. */
  readonly speech: Speech
  readonly random: Random
  readonly transport: Transport
  readonly maxReconnectDelayMs: number
  readonly hello: () => Omit<Hello, 'linked'>
  /** Where a link asks for what it does not do itself. */
  readonly host: Omit<LinkHost, 'linked' | 'moved' | 'learned' | 'settle' | 'delivered'>
  /** A newer connection to the same region took a link's place. */
  readonly replaced: (old: Link, link: Link) => void
  readonly changed: (change: LinkChange) => void
}

/** A link that stood so long was a link. */
const STEADY_MS = 100

/** A peer that hears another process under our name lets us in for a moment, until that one is back. */
const KEPT_MS = 2_000

/** One link for each region at most, whoever dialed: opens, authenticates, keeps and replaces connections. */
export class Links {
  readonly #options: LinksOptions
  readonly #host: LinkHost
  readonly #links = new Map<string, Link>()
  readonly #dialers: Dialers
  readonly #failures = new LinkFailures()
  readonly #namesakes: Namesakes
  /** Peers that refused us because they hear another process under our name. */
  readonly #takenAt = new Set<string>()
  /** Bytes of frames that crossed links with each member, since the replica was opened. */
  readonly #traffic = new Map<string, { sent: number; received: number }>()
  readonly #stalls: Stalls
  /** Connections whose other side is not known yet, the oldest first. */
  readonly #arrivals = new Set<Arrival>()
  #listener: Listener | undefined
  #isolated = false
  #closed = false

  constructor(options: LinksOptions) {
    this.#options = options
    this.#host = {
      ...options.host,
      linked: () => this.linked,
      settle: () => {
        settleClaims([...this.#links.values()].map((link) => link.inbound))
        this.#stalls.watch()
      },
      delivered: (link) => this.#stalls.delivered(link),
      learned: (from) => {
        for (const link of this.#links.values()) if (link !== from) link.learned()
      },
      moved: (link, state) => {
        if (this.#links.get(link.peer.region) === link) {
          const whole = state === 'lagging' && { whole: link.position === 0 }
          options.changed({ region: link.peer.region, state, ...whole })
        }
      },
    }
    this.#stalls = new Stalls({
      clock: options.host.clock,
      minStallMs: options.host.linkTimeoutMs,
      links: () => this.#links.values(),
    })
    const { clock, heartbeatMs } = options.host
    this.#namesakes = new Namesakes({ clock, heartbeatMs })
    const { random, transport, maxReconnectDelayMs } = options
    this.#dialers = new Dialers({
      clock,
      random,
      transport,
      transportOptions: this.#transport,
      maxReconnectDelayMs,
      isWanted: (region) => !this.#closed && !this.#isolated && !this.#links.has(region),
      attend: (connection, region) => this.#attend(connection, region),
    })
    for (const [region, url] of options.peers) this.#dialers.add(region, url)
  }

  /** A region became a member, or has another address. A link that stands is kept. */
  add(region: string, url: string | null): void {
    this.#dropDialer(region)
    this.#dialers.add(region, url)
    this.#dialers.dial(region)
  }

  /** A region is no member any more. */
  remove(region: string): void {
    this.#dropDialer(region)
    this.#traffic.delete(region)
    this.#failures.forget(region)
    this.#namesakes.forget(region)
    this.#takenAt.delete(region)
    this.#links.get(region)?.close(new SojournError('LINK_REGION', `${quoted(region)} was removed from the regions`))
  }

  #dropDialer(region: string): void {
    const connection = this.#dialers.drop(region)
    // A connection that became the link is the link's.
    if (connection && !this.#links.has(region)) connection.close('LINK_REGION: the address changed')
  }

  /** The feeds that come here directly, so that nobody else need send them. */
  get linked(): FeedId[] {
    return [...this.#links.values()].filter((link) => !this.#stalls.isStalled(link)).map((link) => link.peer.feed)
  }

  [Symbol.iterator](): IterableIterator<Link> {
    return this.#links.values()
  }

  get(region: string): Link | undefined {
    return this.#links.get(region)
  }

  /** Those that came to the listener. */
  get #callers(): Arrival[] {
    return [...this.#arrivals].filter(({ isCaller }) => isCaller)
  }

  get address(): Listener['address'] | undefined {
    return this.#listener?.address
  }

  get unauthenticated(): NonNullable<Listener['unauthenticated']> {
    return this.#listener?.unauthenticated ?? { connections: this.#callers.length, evicted: 0 }
  }

  trafficWith(region: string): { readonly sent: number; readonly received: number } {
    return this.#traffic.get(region) ?? { sent: 0, received: 0 }
  }

  get isIsolated(): boolean {
    return this.#isolated
  }

  /** @throws INVALID_OPTION where the address cannot be listened on */
  async listen(at: { host: string; port: number }): Promise<void> {
    this.#listener = await this.#options.transport.listen(at, (connection) => this.#accept(connection), this.#transport)
  }

  get #transport() {
    const { maxFrameBytes, maxHandshakes, maxHandshakesPerAddress } = this.#host.limits
    return { maxFrameBytes, connectTimeoutMs: this.#host.linkTimeoutMs, maxHandshakes, maxHandshakesPerAddress }
  }

  /** Of connections with a region: the last failure, when it is dialed next (milliseconds since the epoch), and how often each reason was met. */
  failuresOf(region: string): {
    readonly lastError: LinkFailure | undefined
    readonly nextTryAt: number | undefined
    readonly failures: ReturnType<LinkFailures['counts']>
  } {
    // The other side may have been quicker.
    const nextTryAt = this.#links.has(region) ? undefined : this.#dialers.nextTryAt(region)
    return { lastError: this.#failures.last(region), nextTryAt, failures: { ...this.#failures.counts(region) } }
  }

  /** Peers that hear another process under this region's name, and keep that one. */
  get takenAt(): string[] {
    for (const region of this.#takenAt)
      if ((this.#links.get(region)?.pulse.ageMs ?? 0) >= KEPT_MS) this.#takenAt.delete(region)
    return [...this.#takenAt]
  }

  dialAll(): void {
    this.#dialers.dialAll()
  }

  /** Closes every link and refuses new ones until {@link rejoin}. */
  isolate(): void {
    this.#isolated = true
    this.#hangUp(new SojournError('LINK_CLOSED', 'the region isolates itself'))
  }

  rejoin(): void {
    this.#isolated = false
    this.dialAll()
  }

  #hangUp(why: SojournError): void {
    this.#dialers.rest()
    for (const { connection } of this.#arrivals) connection.close(why.message)
    for (const link of [...this.#links.values()]) link.close(why)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stalls.close()
    this.#hangUp(new SojournError('LINK_CLOSED', 'the replica closes'))
    await this.#listener?.close()
  }

  #accept(connection: Connection): ConnectionHandler {
    return this.#attend(connection, undefined)
  }

  /** Follows a connection from its first frame to its end. */
  #attend(connection: Connection, dials: string | undefined): ConnectionHandler {
    const { clock, limits, linkTimeoutMs, failed } = this.#host
    const arrival = new Arrival({
      connection,
      dials,
      clock,
      timeoutMs: linkTimeoutMs,
      handshake: (ready) => this.#handshake(connection, dials, ready),
      met: (peer, greetedMs) => {
        this.#settleNames(peer.region, peer.hello.feed)
        return this.#admit(new Link(this.#host, this.#counted(connection, peer.region), peer, greetedMs))
      },
      heard: (region, bytes) => {
        this.#trafficOf(region).received += bytes
      },
      settled: (settled) => this.#arrivals.delete(settled),
      ended: (link, ended) => {
        if (link) this.#lost(link, ended)
        else this.#refused(ended, dials !== undefined)
      },
      failed,
    })
    this.#arrivals.add(arrival)
    // A listener's connection is handed to its handler only after this returns.
    if (arrival.isCaller && this.#isolated)
      clock.soon(() => arrival.refuse(new SojournError('LINK_CLOSED', 'the region is isolated')))
    else if (this.#callers.length > limits.maxHandshakes) this.#refuseOldest()
    return arrival
  }

  #handshake(connection: Connection, dials: string | undefined, ready: (peer: Met) => void): Handshake {
    const { region, secret, speech, random, peers, hello } = this.#options
    return new Handshake({
      connection,
      region,
      secret,
      speech,
      random,
      dials,
      isMember: (name) => peers.has(name),
      hello: () => ({ ...hello(), linked: this.linked }),
      maxFrameBytes: this.#host.limits.maxFrameBytes,
      authenticated: () => connection.authenticated?.(),
      ready,
    })
  }

  /** Who has just come may be a peer; who came first has had the time to say so. */
  #refuseOldest(): void {
    this.#callers[0]?.refuse(new SojournError('OVERLOADED', 'too many handshakes at a time (limits.maxHandshakes)'))
  }

  /** A connection ended before it became a link. */
  #refused({ region, code, fault, why }: Ended, isDialed: boolean): void {
    // Whoever closes, or isolates himself, or changes an address, knows it.
    if (isDialed && (this.#closed || this.#isolated || !this.#dialers.has(region))) return
    if (code === 'LINK_DUPLICATE') return
    const known = code ?? (isDialed ? 'LINK_UNREACHABLE' : undefined)
    if (known === undefined || (known === 'LINK_CLOSED' && !isDialed)) return
    const failure = this.#noted({ region, code: known, fault, why })
    this.#options.changed({ region, state: known === 'LINK_UNREACHABLE' ? 'unreachable' : 'refused', ...failure })
  }

  #noted({ region, code = 'LINK_CLOSED', fault, why }: Ended): Omit<LinkFailure, 'at'> {
    const isUnreachable = code === 'LINK_UNREACHABLE' || (code === 'LINK_CLOSED' && fault !== undefined)
    const failure = { code, reason: isUnreachable ? (fault ?? 'other') : code, why }
    if (this.#options.peers.has(region)) {
      this.#failures.noted(region, { ...failure, at: this.#host.clock.now() })
      if (code === 'LINK_REGION_TAKEN') this.#takenAt.add(region)
    }
    return failure
  }

  #trafficOf(region: string): { sent: number; received: number } {
    let traffic = this.#traffic.get(region)
    if (traffic === undefined) {
      traffic = { sent: 0, received: 0 }
      this.#traffic.set(region, traffic)
    }
    return traffic
  }

  #counted(connection: Connection, region: string): Connection {
    return {
      send: (frame) => {
        this.#trafficOf(region).sent += frame.length
        connection.send(frame)
      },
      get bufferedBytes() {
        return connection.bufferedBytes
      },
      close: (why) => connection.close(why),
    }
  }

  /** @throws LINK_REGION_TAKEN, LINK_DUPLICATE: see {@link Namesakes.settle} */
  #settleNames(region: string, feed: FeedId): void {
    const current = this.#links.get(region)
    const second = current && this.#namesakes.settle(current, feed)
    if (!second) return
    const failure = this.#noted({ region, code: second.code, why: second.message })
    this.#options.changed({ region, state: 'refused', ...failure })
    current.close(second)
  }

  /** Two regions may dial each other at one time: both sides keep the connection of the region whose name sorts first. */
  #admit(link: Link): Link {
    const { region } = link.peer
    // It may have been removed while it was shaking hands.
    if (!this.#options.peers.has(region))
      throw new SojournError('LINK_REGION', `${quoted(region)} is no longer a member`)
    const current = this.#links.get(region)
    if (current) {
      const rival = current.peer.feed === link.peer.feed && current.dialed !== link.dialed
      const mine = this.#options.region < region
      if (rival && link.dialed !== mine)
        throw new SojournError('LINK_DUPLICATE', `a link with ${quoted(region)} is open already`)
      current.close(
        rival
          ? new SojournError('LINK_DUPLICATE', 'the other connection is kept')
          : new SojournError('LINK_REPLACED', 'a newer connection'),
      )
    }
    this.#links.set(region, link)
    this.#namesakes.met(region, link.peer.feed)
    if (!current) this.#options.changed({ region, state: 'up' })
    link.start()
    if (current) this.#options.replaced(current, link)
    const lost = current !== undefined && current.peer.feed !== link.peer.feed
    for (const other of this.#links.values()) if (other !== link) other.linksChanged(lost)
    return link
  }

  #lost(link: Link, { code, fault, why }: Ended): void {
    link.stop()
    this.#stalls.forget(link)
    const { region } = link.peer
    // A replaced connection ends after the one that took its place.
    if (this.#links.get(region) !== link) return
    this.#links.delete(region)
    for (const other of this.#links.values()) other.linksChanged(true)
    const { reason } = this.#noted({ region, code, fault, why })
    this.#options.changed({ region, state: 'down', ...(code && { code }), reason, why })
    // A link that is lost as soon as it stands (a disk that refuses everything) is not dialed faster than one that never stood.
    this.#dialers.lost(region, link.pulse.ageMs >= STEADY_MS)
  }
}
