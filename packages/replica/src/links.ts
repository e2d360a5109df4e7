import type {
  Connection,
  ConnectionHandler,
  ErrorCode,
  FeedId,
  Listener,
  Random,
  Timer,
  Transport,
} from '@sojourn/core'
import { isSojournError, quoted, SojournError } from '@sojourn/core'
import type { Hello } from '@sojourn/wire'
import { codeOfReason, Handshake } from './handshake.js'
import { settleClaims } from './inbound.js'
import { Link, type LinkHost } from './link.js'
import { Stalls } from './stalls.js'

/** What became of a connection to a region; `code` says why, where it was refused or lost. */
export interface LinkChange {
  readonly region: string
  readonly state: 'up' | 'live' | 'behind' | 'down' | 'refused'
  readonly code?: ErrorCode
  readonly why?: string
  /** `behind`: whether the whole feed is read, because nothing of it is known to be held. */
  readonly whole?: boolean
}

export interface LinksOptions {
  readonly region: string
  readonly peers: ReadonlyMap<string, string | null>
  readonly secret: string
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

/** A first try to dial again; each further one waits up to twice as long. */
const MIN_RECONNECT_DELAY_MS = 50

/** A link that stood so long was a link. */
const STEADY_MS = 100

interface Dialler {
  readonly region: string
  readonly url: string
  delayMs: number
  timer: Timer | undefined
  connection: Connection | undefined
}

/** One link for each region at most, whoever dialled: opens, authenticates, keeps and replaces connections. */
export class Links {
  readonly #options: LinksOptions
  readonly #host: LinkHost
  readonly #links = new Map<string, Link>()
  readonly #diallers = new Map<string, Dialler>()
  /** Bytes of frames that crossed links with each member, since the replica was opened. */
  readonly #traffic = new Map<string, { sent: number; received: number }>()
  readonly #stalls: Stalls
  /** Connections whose other side is not known yet. */
  readonly #strangers = new Set<Connection>()
  /** Those of them that came to the listener, the oldest first, and how each is refused. */
  readonly #callers = new Map<Connection, (error: SojournError) => void>()
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
          const whole = state === 'behind' && { whole: link.position === 0 }
          options.changed({ region: link.peer.region, state, ...whole })
        }
      },
    }
    this.#stalls = new Stalls({
      clock: options.host.clock,
      minStallMs: options.host.linkTimeoutMs,
      links: () => this.#links.values(),
    })
    for (const [region, url] of options.peers) this.#addDialler(region, url)
  }

  #addDialler(region: string, url: string | null): void {
    if (url === null) return
    this.#diallers.set(region, {
      region,
      url,
      delayMs: MIN_RECONNECT_DELAY_MS,
      timer: undefined,
      connection: undefined,
    })
  }

  /** A region became a member, or has another address. A link that stands is kept. */
  add(region: string, url: string | null): void {
    this.#dropDialler(region)
    this.#addDialler(region, url)
    const dialler = this.#diallers.get(region)
    if (dialler) this.#dial(dialler)
  }

  /** A region is no member any more. */
  remove(region: string): void {
    this.#dropDialler(region)
    this.#traffic.delete(region)
    this.#links.get(region)?.close(new SojournError('LINK_REGION', `${quoted(region)} was removed from the regions`))
  }

  #dropDialler(region: string): void {
    const dialler = this.#diallers.get(region)
    this.#diallers.delete(region)
    dialler?.timer?.cancel()
    // A connection that became the link is the link's.
    if (dialler?.connection && !this.#links.has(region)) dialler.connection.close('LINK_REGION: the address changed')
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

  get address(): Listener['address'] | undefined {
    return this.#listener?.address
  }

  get unauthenticated(): NonNullable<Listener['unauthenticated']> {
    return this.#listener?.unauthenticated ?? { connections: this.#callers.size, evicted: 0 }
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

  dialAll(): void {
    for (const dialler of this.#diallers.values()) this.#dial(dialler)
  }

  /** Closes every link and refuses new ones until {@link rejoin}. */
  isolate(): void {
    this.#isolated = true
    this.#hangUp(new SojournError('LINK_CLOSED', 'the region isolates itself'))
  }

  rejoin(): void {
    this.#isolated = false
    for (const dialler of this.#diallers.values()) dialler.delayMs = MIN_RECONNECT_DELAY_MS
    this.dialAll()
  }

  #hangUp(why: SojournError): void {
    for (const dialler of this.#diallers.values()) {
      dialler.timer?.cancel()
      dialler.timer = undefined
    }
    for (const connection of this.#strangers) connection.close(why.message)
    for (const link of [...this.#links.values()]) link.close(why)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stalls.close()
    this.#hangUp(new SojournError('LINK_CLOSED', 'the replica closes'))
    await this.#listener?.close()
  }

  #dial(dialler: Dialler): void {
    if (this.#closed || this.#isolated || dialler.connection || dialler.timer || this.#links.has(dialler.region)) return
    let connection: Connection | undefined
    const handler = this.#attend(
      {
        send: (frame) => connection?.send(frame),
        get bufferedBytes() {
          return connection?.bufferedBytes ?? 0
        },
        close: (why) => connection?.close(why),
        authenticated: () => connection?.authenticated?.(),
      },
      dialler.region,
    )
    connection = this.#options.transport.dial(
      dialler.url,
      {
        ...handler,
        closed: (why, fault) => {
          dialler.connection = undefined
          handler.closed(why, fault)
          this.#redial(dialler)
        },
      },
      this.#transport,
    )
    dialler.connection = connection
  }

  #redial(dialler: Dialler): void {
    if (this.#closed || this.#isolated || dialler.timer || this.#diallers.get(dialler.region) !== dialler) return
    const { maxReconnectDelayMs, random } = this.#options
    // Full jitter: regions that lost each other at one time must not dial in step for ever.
    const [byte = 0] = random.bytes(1)
    const delayMs = 1 + (dialler.delayMs * byte) / 255
    dialler.delayMs = Math.min(dialler.delayMs * 2, maxReconnectDelayMs)
    dialler.timer = this.#host.clock.after(delayMs, () => {
      dialler.timer = undefined
      this.#dial(dialler)
    })
  }

  #accept(connection: Connection): ConnectionHandler {
    return this.#attend(connection, undefined)
  }

  /** Follows a connection from its first frame to its end. */
  #attend(connection: Connection, dials: string | undefined): ConnectionHandler {
    const { region, secret, random, peers, hello, changed } = this.#options
    const { clock, limits, linkTimeoutMs } = this.#host
    let link: Link | undefined
    let refusal: SojournError | undefined
    const handshake = new Handshake({
      connection,
      region,
      secret,
      random,
      dials,
      isMember: (name) => peers.has(name),
      hello: () => ({ ...hello(), linked: this.linked }),
      maxFrameBytes: limits.maxFrameBytes,
      authenticated: () => connection.authenticated?.(),
      ready: (peer) => {
        patience.cancel()
        this.#strangers.delete(connection)
        this.#callers.delete(connection)
        link = this.#admit(new Link(this.#host, this.#counted(connection, peer.region), peer))
      },
    })
    const refuse = (error: unknown) => {
      refusal = isSojournError(error) ? error : new SojournError('FRAME_INVALID', String(error), { cause: error })
      if (!isSojournError(error)) this.#host.failed(error)
      link?.stop()
      connection.close(refusal.message)
    }
    const patience = clock.after(linkTimeoutMs, () =>
      refuse(new SojournError('LINK_TIMEOUT', `no handshake within ${linkTimeoutMs} ms`)),
    )
    this.#strangers.add(connection)
    if (dials === undefined) this.#callers.set(connection, refuse)
    // A listener's connection is handed to its handler only after this returns.
    if (dials === undefined && this.#isolated)
      clock.soon(() => refuse(new SojournError('LINK_CLOSED', 'the region is isolated')))
    else if (this.#callers.size > limits.maxHandshakes) this.#refuseOldest()
    return {
      opened: () => handshake.opened(),
      received: (frame) => {
        if (refusal) return
        try {
          if (link) {
            this.#trafficOf(link.peer.region).received += frame.length
            link.received(frame)
          } else if (this.#strangers.has(connection)) handshake.received(frame)
        } catch (error) {
          refuse(error)
        }
      },
      drained: () => link?.drained(),
      closed: (why, fault) => {
        patience.cancel()
        this.#strangers.delete(connection)
        this.#callers.delete(connection)
        // What a stranger gives for a reason counts for nothing; a peer, or whom we dialled, may tell us what is wrong with us.
        const isKnown = link !== undefined || dials !== undefined
        const ours = refusal ?? link?.closedFor
        const code = ours?.code ?? fault ?? (isKnown ? codeOfReason(why) : undefined)
        const told = { region: dials ?? handshake.peer, ...(code && { code }), why: ours?.message ?? why }
        if (link) this.#lost(link, told)
        else if (code && code !== 'LINK_CLOSED' && code !== 'LINK_DUPLICATE') changed({ state: 'refused', ...told })
      },
    }
  }

  /** Who has just come may be a peer; who came first has had the time to say so. */
  #refuseOldest(): void {
    const [oldest] = this.#callers
    if (oldest === undefined) return
    const [connection, refuse] = oldest
    this.#callers.delete(connection)
    refuse(new SojournError('OVERLOADED', 'too many handshakes at a time (limits.maxHandshakes)'))
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

  /** Two regions may dial each other at one time: both sides keep the connection of the region whose name sorts first. */
  #admit(link: Link): Link {
    const { region } = link.peer
    // It may have been removed while it was shaking hands.
    if (!this.#options.peers.has(region))
      throw new SojournError('LINK_REGION', `${quoted(region)} is no member any more`)
    const current = this.#links.get(region)
    if (current) {
      const rival = current.peer.feed === link.peer.feed && current.dialled !== link.dialled
      const mine = this.#options.region < region
      if (rival && link.dialled !== mine)
        throw new SojournError('LINK_DUPLICATE', `a link with ${quoted(region)} stands already`)
      current.close(
        rival
          ? new SojournError('LINK_DUPLICATE', 'the other connection is kept')
          : new SojournError('LINK_REPLACED', 'a newer connection'),
      )
    }
    this.#links.set(region, link)
    if (!current) this.#options.changed({ region, state: 'up' })
    link.start()
    if (current) this.#options.replaced(current, link)
    const lost = current !== undefined && current.peer.feed !== link.peer.feed
    for (const other of this.#links.values()) if (other !== link) other.linksChanged(lost)
    return link
  }

  #lost(link: Link, told: Omit<LinkChange, 'state'>): void {
    link.stop()
    this.#stalls.forget(link)
    const { region } = link.peer
    // A replaced connection ends after the one that took its place.
    if (this.#links.get(region) !== link) return
    this.#links.delete(region)
    for (const other of this.#links.values()) other.linksChanged(true)
    this.#options.changed({ state: 'down', ...told })
    const dialler = this.#diallers.get(region)
    if (dialler === undefined) return
    // A link that is lost as soon as it stands (a disk that refuses everything) is not dialled faster than one that never stood.
    if (link.ageMs >= STEADY_MS) dialler.delayMs = MIN_RECONNECT_DELAY_MS
    this.#redial(dialler)
  }
}
