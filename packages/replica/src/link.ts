/** One authenticated connection to a peer, and what is said on it. */
import type { Connection, FeedId, Limits, SessionKey, Timer } from '@sojourn/core/internal'
import { isSojournError, resumeFrom, SojournError } from '@sojourn/core/internal'
import type { Origin, RecordStore } from '@sojourn/store'
import {
  type Acks,
  type Agreement,
  type Ask,
  type Digest,
  decodeMessage,
  encodeMessage,
  type Heartbeat,
  type LinkCapability,
  type Message,
  type Records,
  type Tell,
  type Versions,
} from '@sojourn/wire'
import type { Applied } from './exchange.js'
import type { Met } from './handshake.js'
import { Inbound } from './inbound.js'
import type { Knowledge } from './knowledge.js'
import { Outbound, type Peer } from './outbound.js'
import { Pulse } from './pulse.js'
import type { TrustedClock } from './trusted-clock.js'

/** How long acks that nobody waits for may be saved up. */
const LAZY_ACK_MS = 20

/** Answers of one link that wait until its socket has room. */
const MAX_WAITING = 64

/** What a link asks of the replica that it belongs to. */
export interface LinkHost {
  readonly region: string
  readonly store: RecordStore
  readonly knowledge: Knowledge
  readonly clock: TrustedClock
  readonly limits: Limits
  readonly heartbeatMs: number
  readonly linkTimeoutMs: number
  readonly maxClockSkewMs: number
  /** The feeds received over links that do not stall, this one's included. */
  linked(): readonly FeedId[]
  isAwaited(): boolean
  /** See {@link OutboundOptions.awaits}. */
  awaits(after: number, through: number): boolean
  /** A link brought news of what others hold. */
  learned(from: Link): void
  /** Claims what has become claimable, over all links. */
  settle(): void
  /** What the peer sent is held here, as far as it came, and it sends. */
  delivered(link: Link): void
  /** See {@link InboundOptions.apply}. */
  apply(items: readonly Uint8Array[], origin: Origin, isCatchUp: boolean, region: string): Applied
  asked(link: Link, ask: Ask): Promise<void>
  told(link: Link, tell: Tell): Promise<void>
  wanted(link: Link, keys: readonly SessionKey[]): Promise<void>
  /** Records outside the feed's order. Resolves when they are on the disk. */
  supplied(link: Link, records: Records): Promise<void>
  /** The sum over all records here, and what the peer says is its own. */
  sum(): string
  summed(link: Link, sum: string): void
  digested(link: Link, digest: Digest): void
  versioned(link: Link, versions: Versions): Promise<void>
  moved(link: Link, state: 'live' | 'behind'): void
  failed(error: unknown): void
}

/** One authenticated connection to a peer: feeds both ways, acks, heartbeats, questions. */
export class Link {
  readonly peer: Peer
  /** Whether this side opened the connection. */
  readonly dialled: boolean
  /** What is spoken on the link. */
  readonly #agreement: Agreement
  readonly #host: LinkHost
  readonly #connection: Connection
  readonly #outbound: Outbound
  readonly inbound: Inbound
  /** As the peer's hello had it: our feed is held there through here. */
  readonly #heldFrom: number
  /** What the peer was told of who holds what: `holder feed` → through. */
  readonly #told = new Map<string, number>()
  #ackTimer: Timer | undefined
  #heartbeatTimer: Timer | undefined
  readonly #pulse: Pulse
  /** Where the peer's feed ended when it last said so. */
  #peerHead: number | undefined
  #closed = false
  /** What waits for room in the socket. */
  readonly #waiting: (() => void)[] = []
  #closedFor: SojournError | undefined

  /** @param greetedMs how long ago the hello can have been written at most */
  constructor(host: LinkHost, connection: Connection, peer: Met, greetedMs: number) {
    const { hello } = peer
    this.#host = host
    this.#connection = connection
    this.dialled = peer.dialled
    this.#agreement = peer.agreement
    this.peer = { region: peer.region, feed: hello.feed, linked: new Set([hello.feed, ...hello.linked]) }
    this.#pulse = new Pulse({ ...host, region: peer.region, greetedMs })
    this.#pulse.checkSkew(hello, greetedMs)
    const { store, knowledge, limits, clock } = host
    knowledge.introduce(peer.region, hello.feed, hello.vector)
    const from = resumeFrom(knowledge.vector, hello.feed, hello.lineage)
    knowledge.claim(hello.feed, from)
    knowledge.retire(peer.region, hello.feed, hello.lineage)
    this.inbound = new Inbound({
      peer: this.peer,
      knowledge,
      from,
      maxPending: limits.maxPendingFrames,
      apply: (items, origin, isCatchUp) => host.apply(items, origin, isCatchUp, peer.region),
      want: (keys) => this.send({ type: 'want', keys }),
      resume: (position, epoch) => this.send({ type: 'resume', epoch, from: position, linked: host.linked() }),
      received: (through, epoch) => this.send({ type: 'received', through, epoch }),
      settle: () => host.settle(),
      claimed: (prompt, whole) => {
        this.#owe(prompt)
        if (whole) host.delivered(this)
      },
      failed: (error) => this.#fail(error),
    })
    const theirVector = new Map(hello.vector.map(({ feed, through }) => [feed, through]))
    this.#heldFrom = resumeFrom(theirVector, store.actor, store.lineage)
    this.#outbound = new Outbound({
      connection,
      peer: this.peer,
      store,
      knowledge,
      limits,
      clock,
      from: this.#heldFrom,
      walked: Math.min(hello.walked.find(({ feed }) => feed === store.actor)?.through ?? 0, store.committed),
      isAwaited: () => host.isAwaited(),
      awaits: (after, through) => host.awaits(after, through),
      moved: (state) => host.moved(this, state),
      failed: (error) => host.failed(error),
    })
  }

  get status() {
    const { store, knowledge, clock } = this.#host
    const behind = this.#outbound.owed
    const since = behind > 0 ? store.tail.firstAfter(knowledge.heldBy(this.peer.feed, store.actor)) : undefined
    return {
      state: this.#outbound.state,
      behind,
      lagMs: since === undefined ? 0 : Math.max(0, clock.monotonic() - since),
      rttMs: this.#pulse.rttMs,
      skewMs: this.#pulse.skewMs,
      bufferedBytes: this.#connection.bufferedBytes,
      toReceive:
        this.#peerHead === undefined ? undefined : Math.max(0, this.#peerHead - knowledge.through(this.peer.feed)),
      held: knowledge.through(this.peer.feed),
      ...this.#agreement,
    }
  }

  /** Whether both sides can do it: what the peer does not know is not sent to it. */
  can(capability: LinkCapability): boolean {
    return this.#agreement.capabilities.includes(capability)
  }

  /** Asks the peer for a sign of life; {@link answeredSince} says whether it came. */
  challenge(): void {
    this.#sendHeartbeat()
  }

  /** Whether the peer has received something that was sent after `time`, on the monotonic clock, and said so. */
  answeredSince(time: number): boolean {
    return this.#pulse.answeredSince(time)
  }

  /** How long the link has stood. */
  get ageMs(): number {
    return this.#pulse.ageMs
  }

  get isClosed(): boolean {
    return this.#closed
  }

  get isLive(): boolean {
    return this.#outbound.state === 'live'
  }

  /** All through here was sent. */
  get position(): number {
    return this.#outbound.position
  }

  /** Starts to send. Called once the host counts the link among its own. */
  start(): void {
    // What the hello says is held counts as acknowledged, under the present feed's name.
    const { store, knowledge } = this.#host
    knowledge.learn({ region: this.peer.region, holder: this.peer.feed, feed: store.actor, through: this.#heldFrom })
    this.#outbound.pump()
    this.#beat()
  }

  pump(): void {
    this.#outbound.pump()
  }

  /** Sends something that the peer asked for, or should know. Who asks for more than it reads is not a peer. */
  send(message: Message): void {
    if (this.#closed) return
    const { maxBufferedBytes, maxFrameBytes } = this.#host.limits
    const limit = maxBufferedBytes + maxFrameBytes
    if (this.#connection.bufferedBytes > limit)
      this.close(new SojournError('LINK_OVERLOADED', `${limit} bytes wait for a peer that does not read`, { limit }))
    else this.#connection.send(encodeMessage(message))
  }

  /** Resolves when the socket has room again, or the link is closed. Who asks on and on and does not read is not a peer. */
  async room(): Promise<void> {
    while (!this.hasRoom) {
      if (this.#waiting.length < MAX_WAITING) await new Promise<void>((resolve) => this.#waiting.push(resolve))
      else {
        const what = `${MAX_WAITING} answers wait for a peer that does not read`
        this.close(new SojournError('LINK_OVERLOADED', what, { limit: MAX_WAITING }))
      }
    }
  }

  /** Whether the socket has taken enough of what it was given. */
  get hasRoom(): boolean {
    return this.#closed || this.#connection.bufferedBytes <= this.#host.limits.maxBufferedBytes
  }

  /** @throws what the connection must be closed for */
  received(frame: Uint8Array): void {
    this.#pulse.heard()
    this.#dispatch(decodeMessage(frame, this.#host.limits.maxFrameBytes))
  }

  #dispatch(message: Message): void {
    const host = this.#host
    switch (message.type) {
      case 'stretch':
        this.inbound.received(message)
        break
      case 'acks':
        this.#acked(message.holdings)
        break
      case 'heartbeat':
        this.#heartbeat(message)
        break
      case 'received':
        this.#outbound.received(message.through, message.epoch)
        break
      case 'resume':
        this.#setLinked(message.linked)
        this.#outbound.resume(Math.min(message.from, host.store.committed), message.epoch)
        break
      case 'ask':
        this.#follow(host.asked(this, message))
        break
      case 'tell':
        this.#follow(host.told(this, message))
        break
      case 'want':
        this.#follow(host.wanted(this, message.keys))
        break
      case 'records':
        this.#supplied(message)
        break
      case 'digest':
        this.#expect('digest', message)
        host.digested(this, message)
        break
      case 'versions':
        this.#expect('digest', message)
        this.#follow(host.versioned(this, message))
        break
      default:
        throw new SojournError('FRAME_UNEXPECTED', `a ${message.type} frame on a link that stands`)
    }
  }

  #expect(capability: LinkCapability, { type }: Message): void {
    if (!this.can(capability))
      throw new SojournError('FRAME_UNEXPECTED', `a ${type} frame, but the capability ${capability} was not agreed on`)
  }

  #acked(holdings: Acks['holdings']): void {
    const { knowledge, store } = this.#host
    const news = holdings.filter((holding) => knowledge.learn(holding))
    if (news.length > 0) this.#host.learned(this)
    this.#outbound.acked(knowledge.heldBy(this.peer.feed, store.actor))
  }

  #supplied(message: Records): void {
    const keys = new Set([...message.records.map(({ key }) => key), ...message.absent])
    this.#follow(this.#host.supplied(this, message).then(() => this.inbound.supplied(keys)))
  }

  /** What a frame set going fails: the link is not to be trusted, or not to be served. */
  #follow(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error))
  }

  /** A feed is held further here: entries that others left out because of it can be claimed, and others may want to know. */
  claimed(feed: FeedId): void {
    if (feed !== this.peer.feed) {
      this.#outbound.claimed(feed)
      if (!this.peer.linked.has(feed)) this.#owe(false)
    }
  }

  /** The peer's own news of what others hold reached us over another link. */
  learned(): void {
    this.#owe(false)
  }

  /** This replica receives other feeds over links than before; `lost`: and what this link's peer left out may not come otherwise. */
  linksChanged(lost: boolean): void {
    if (lost) this.inbound.restart()
    else this.#sendHeartbeat()
  }

  #setLinked(linked: readonly FeedId[]): void {
    this.peer.linked = new Set([this.peer.feed, ...linked])
  }

  #owe(prompt: boolean): void {
    if (prompt) this.#acknowledge()
    else this.#ackTimer ??= this.#host.clock.after(LAZY_ACK_MS, () => this.#acknowledge())
  }

  #acknowledge(): void {
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
    const { feed, linked } = this.peer
    const holdings = []
    for (const holding of this.#host.knowledge.holdingsFor(feed, linked)) {
      const name = `${holding.holder} ${holding.feed}`
      if ((this.#told.get(name) ?? 0) >= holding.through) continue
      this.#told.set(name, holding.through)
      holdings.push(holding)
    }
    if (this.#told.size > 8 * this.#host.limits.maxVectorFeeds) this.#told.clear()
    if (holdings.length > 0) this.send({ type: 'acks', holdings })
  }

  #beat(): void {
    const { clock, heartbeatMs, linkTimeoutMs } = this.#host
    if (this.#closed) return
    if (this.#pulse.isSilent()) {
      this.close(new SojournError('LINK_TIMEOUT', `nothing heard for ${linkTimeoutMs} ms`))
      return
    }
    this.#sendHeartbeat()
    this.#heartbeatTimer = clock.after(heartbeatMs, () => this.#beat())
  }

  #sendHeartbeat(): void {
    const { store, knowledge } = this.#host
    // A socket that does not drain needs no heartbeats on top.
    if (!this.hasRoom) return
    this.#outbound.flushLeftOut()
    this.send({
      type: 'heartbeat',
      ...this.#pulse.beat(),
      head: store.committed,
      sum: this.#host.sum(),
      vector: knowledge.held(),
      linked: this.#host.linked(),
    })
  }

  #heartbeat(message: Heartbeat): void {
    const { knowledge } = this.#host
    this.#pulse.received(message)
    this.#setLinked(message.linked)
    for (const held of message.vector) knowledge.learn({ region: this.peer.region, holder: this.peer.feed, ...held })
    this.#outbound.acked(knowledge.heldBy(this.peer.feed, this.#host.store.actor))
    this.#peerHead = message.head
    this.inbound.heard(message.head, message.vector)
    if (knowledge.through(this.peer.feed) >= message.head) this.#host.delivered(this)
    this.#host.summed(this, message.sum)
  }

  #fail(error: unknown): void {
    const known = isSojournError(error) ? error : new SojournError('FRAME_INVALID', String(error), { cause: error })
    this.#host.failed(error)
    this.close(known)
  }

  drained(): void {
    this.#outbound.pump()
    this.#wakeOne()
  }

  /** One after the other, so that each sees what the one before has sent. */
  #wakeOne(): void {
    if (!this.hasRoom) return
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) this.#host.clock.soon(() => this.#wakeOne())
  }

  #leaveWait(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  close(error: SojournError): void {
    if (this.#closed) return
    this.#closedFor = error
    this.stop()
    this.#connection.close(error.message)
  }

  /** Why this side closed the link. */
  get closedFor(): SojournError | undefined {
    return this.#closedFor
  }

  /** The connection is gone, or about to be. */
  stop(): void {
    this.#closed = true
    this.#outbound.close()
    this.#ackTimer?.cancel()
    this.#heartbeatTimer?.cancel()
    this.#leaveWait()
  }
}
