/** One authenticated connection to a peer, and what is said on it. */
import type { Connection, FeedId, Held, Limits, Timer } from '@sojourn/core/internal'
import { isSojournError, resumeFrom, SojournError } from '@sojourn/core/internal'
import type { RecordStore } from '@sojourn/store'
import {
  type Acks,
  type Agreement,
  decodeMessage,
  encodeMessage,
  type Heartbeat,
  type LinkCapability,
  type Message,
  type Records,
} from '@sojourn/wire'
import { Acknowledgements } from './acknowledgements.js'
import type { Digests } from './digests.js'
import type { Met } from './handshake.js'
import { Inbound } from './inbound.js'
import type { LastFrame } from './last-frame.js'
import { Outbound } from './outbound.js'
import type { Peer } from './peer.js'
import { Pulse } from './pulse.js'
import type { QuorumReads } from './quorum-reads.js'
import type { RecordRepair } from './record-repair.js'
import type { ReplicationProgress } from './replication-progress.js'
import { SocketRoom } from './socket-room.js'
import type { TrustedClock } from './trusted-clock.js'

/** What a link asks of the replica that it belongs to. */
export interface LinkHost {
  readonly region: string
  readonly store: RecordStore
  readonly progress: ReplicationProgress
  readonly frames: LastFrame
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
  readonly repair: RecordRepair
  readonly reads: QuorumReads
  readonly digests: Digests
  moved(link: Link, state: 'live' | 'lagging'): void
  failed(error: unknown): void
}

/** One authenticated connection to a peer: feeds both ways, acks, heartbeats, questions. */
export class Link {
  readonly peer: Peer
  /** Whether this side opened the connection. */
  readonly dialed: boolean
  /** What is spoken on the link. */
  readonly #agreement: Agreement
  readonly #host: LinkHost
  readonly #connection: Connection
  readonly #outbound: Outbound
  readonly inbound: Inbound
  /** As the peer's hello had it: our feed is held there through here. */
  readonly #heldFrom: number
  readonly #acks: Acknowledgements
  readonly #room: SocketRoom
  #heartbeatTimer: Timer | undefined
  readonly pulse: Pulse
  /** Where the peer's feed ended when it last said so. */
  #peerHead: number | undefined
  #closed = false
  #closedFor: SojournError | undefined

  /** @param greetedMs how long ago the hello can have been written at most */
  constructor(host: LinkHost, connection: Connection, peer: Met, greetedMs: number) {
    const { hello } = peer
    this.#host = host
    this.#connection = connection
    this.dialed = peer.dialed
    this.#agreement = peer.agreement
    this.peer = { region: peer.region, feed: hello.feed, linked: new Set([hello.feed, ...hello.linked]) }
    this.pulse = new Pulse({ ...host, region: peer.region, greetedMs })
    this.pulse.checkSkew(hello, greetedMs)
    const { store, progress, limits, clock } = host
    progress.introduce(peer.region, hello.feed, hello.vector)
    const from = resumeFrom(progress.vector, hello.feed, hello.lineage)
    progress.claim(hello.feed, from)
    progress.retire(peer.region, hello.feed, hello.lineage)
    this.#acks = new Acknowledgements({
      peer: this.peer,
      progress,
      linked: () => host.linked(),
      clock,
      maxHoldings: 8 * limits.maxVectorFeeds,
      send: (acks) => this.send(acks),
    })
    const { maxBufferedBytes } = limits
    this.#room = new SocketRoom({ connection, clock, maxBufferedBytes, overloaded: (error) => this.close(error) })
    this.inbound = new Inbound({
      peer: this.peer,
      progress,
      from,
      maxPending: limits.maxPendingFrames,
      apply: (items, origin, isCatchUp) => host.repair.apply(items, origin, isCatchUp, peer.region),
      want: (keys) => this.send({ type: 'want', keys }),
      resume: (position, epoch) => this.send({ type: 'resume', epoch, from: position, linked: host.linked() }),
      received: (through, epoch) => this.send({ type: 'received', through, epoch }),
      settle: () => host.settle(),
      claimed: (prompt, whole) => {
        this.#acks.owe(prompt)
        if (whole) host.delivered(this)
      },
      failed: (error) => this.#fail(error),
    })
    const theirVector = new Map(hello.vector.map(({ feed, through }) => [feed, through]))
    this.#heldFrom = resumeFrom(theirVector, store.actor, store.lineage)
    this.#outbound = new Outbound({
      frames: host.frames,
      connection,
      peer: this.peer,
      store,
      progress,
      limits,
      clock,
      from: this.#heldFrom,
      scanned: Math.min(hello.scanned.find(({ feed }) => feed === store.actor)?.through ?? 0, store.committed),
      isAwaited: () => host.isAwaited(),
      awaits: (after, through) => host.awaits(after, through),
      moved: (state) => host.moved(this, state),
      failed: (error) => host.failed(error),
    })
  }

  get status() {
    const { store, progress, clock } = this.#host
    const unacked = this.#outbound.owed
    const since = unacked > 0 ? store.tail.firstAfter(progress.heldBy(this.peer.feed, store.actor)) : undefined
    return {
      state: this.#outbound.state,
      unacked,
      lagMs: since === undefined ? 0 : Math.max(0, clock.monotonic() - since),
      rttMs: this.pulse.rttMs,
      skewMs: this.pulse.skewMs,
      bufferedBytes: this.#connection.bufferedBytes,
      toReceive:
        this.#peerHead === undefined ? undefined : Math.max(0, this.#peerHead - progress.through(this.peer.feed)),
      held: progress.through(this.peer.feed),
      ...this.#agreement,
    }
  }

  /** Whether both sides can do it: what the peer does not know is not sent to it. */
  can(capability: LinkCapability): boolean {
    return this.#agreement.capabilities.includes(capability)
  }

  /** Asks the peer for a sign of life; {@link pulse} says whether it came. */
  challenge(): void {
    this.#sendHeartbeat()
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
    const { store, progress } = this.#host
    progress.learn({ region: this.peer.region, holder: this.peer.feed, feed: store.actor, through: this.#heldFrom })
    // And what it says of other feeds was learned when the link was made.
    this.#host.learned(this)
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

  /** Whether the socket has taken enough of what it was given. */
  get hasRoom(): boolean {
    return this.#room.isThere
  }

  /** @throws what the connection must be closed for */
  received(frame: Uint8Array): void {
    this.pulse.heard()
    this.#dispatch(decodeMessage(frame, this.#host.limits.maxFrameBytes))
  }

  #dispatch(message: Message): void {
    const host = this.#host
    switch (message.type) {
      case 'segment':
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
        this.#reply(host.repair.answer(message))
        break
      case 'tell':
        this.#reply(host.reads.answered(this.peer, message))
        break
      case 'want':
        this.#follow(this.#sendAll(host.repair.wanted(message.keys)))
        break
      case 'records':
        this.#supplied(message)
        break
      case 'digest':
        this.#expect('digest', message)
        // A peer that has yet to read what it was sent is not answered: it compares again.
        if (this.hasRoom) this.#answer(host.digests.received(this.peer, message))
        break
      case 'versions':
        this.#expect('digest', message)
        this.#follow(this.#sendAll(host.digests.compared(this.peer, message)))
        break
      default:
        throw new SojournError('FRAME_UNEXPECTED', `a ${message.type} frame on an established link`)
    }
  }

  #expect(capability: LinkCapability, { type }: Message): void {
    if (!this.can(capability))
      throw new SojournError('FRAME_UNEXPECTED', `a ${type} frame without an agreed capability ${capability}`)
  }

  #acked(holdings: Acks['holdings']): void {
    const { progress } = this.#host
    const news = holdings.filter((holding) => progress.learn(holding))
    if (news.length > 0) this.#host.learned(this)
    this.#outbound.acked(progress.heldBy(this.peer.feed, this.#host.store.actor))
  }

  /** What the peer says that it holds itself, in whatever frame: others may want to know. */
  #holds(vector: readonly Held[]): void {
    const { region, feed: holder } = this.peer
    this.#acked(vector.map(({ feed, through }) => ({ region, holder, feed, through })))
  }

  #supplied(message: Records): void {
    const keys = new Set([...message.records.map(({ key }) => key), ...message.absent])
    this.#follow(this.#host.repair.supplied(this.peer.region, message).then(() => this.inbound.supplied(keys)))
  }

  #answer(message: Message | undefined): void {
    if (message) this.send(message)
  }

  #reply(message: Promise<Message | undefined>): void {
    this.#follow(message.then((reply) => this.#answer(reply)))
  }

  /** One after the other, as there is room. */
  async #sendAll(messages: Iterable<Message>): Promise<void> {
    for (const message of messages) {
      this.send(message)
      await this.#room.wait()
      if (this.#closed) return
    }
  }

  /** What a frame set going fails: the link is not to be trusted, or not to be served. */
  #follow(work: Promise<void>): void {
    work.catch((error: unknown) => this.#fail(error))
  }

  /** A feed is held further here: entries that others left out because of it can be claimed, and others may want to know. */
  claimed(feed: FeedId): void {
    if (feed !== this.peer.feed) {
      this.#outbound.claimed(feed)
      if (!this.peer.linked.has(feed)) this.#acks.owe(false)
    }
  }

  /** The peer's own news of what others hold reached us over another link. */
  learned(): void {
    this.#acks.owe(false)
  }

  /** This replica receives other feeds over links than before; `lost`: and what this link's peer left out may not come otherwise. */
  linksChanged(lost: boolean): void {
    // Whom this replica could tell itself, the peer must tell now.
    this.#acks.owe(false)
    if (lost) this.inbound.restart()
    else this.#sendHeartbeat()
  }

  #setLinked(linked: readonly FeedId[]): void {
    this.peer.linked = new Set([this.peer.feed, ...linked])
  }

  #beat(): void {
    const { clock, heartbeatMs, linkTimeoutMs } = this.#host
    if (this.#closed) return
    if (this.pulse.isSilent()) {
      this.close(new SojournError('LINK_TIMEOUT', `the peer was silent for ${linkTimeoutMs} ms`))
      return
    }
    this.#sendHeartbeat()
    this.#heartbeatTimer = clock.after(heartbeatMs, () => this.#beat())
  }

  #sendHeartbeat(): void {
    const { store, progress } = this.#host
    // A socket that does not drain needs no heartbeats on top.
    if (!this.hasRoom) return
    this.#outbound.flushLeftOut()
    this.send({
      type: 'heartbeat',
      ...this.pulse.beat(),
      head: store.committed,
      sum: this.#host.digests.sum,
      vector: progress.held(),
      linked: this.#host.linked(),
    })
  }

  #heartbeat(message: Heartbeat): void {
    const { progress } = this.#host
    this.pulse.received(message)
    this.#setLinked(message.linked)
    this.#holds(message.vector)
    this.#peerHead = message.head
    this.inbound.heard(message.head, message.vector)
    if (progress.through(this.peer.feed) >= message.head) this.#host.delivered(this)
    if (this.isLive && this.can('digest')) this.#answer(this.#host.digests.heard(this.peer, message.sum))
  }

  #fail(error: unknown): void {
    const known = isSojournError(error) ? error : new SojournError('FRAME_INVALID', String(error), { cause: error })
    this.#host.failed(error)
    this.close(known)
  }

  drained(): void {
    this.#outbound.pump()
    this.#room.drained()
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
    this.#acks.close()
    this.#heartbeatTimer?.cancel()
    this.#room.close()
  }
}
