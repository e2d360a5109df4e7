import type { Clock, Connection, FeedId, Limits, SessionKey, Timer } from '@sojourn/core/internal'
import { encodeItem } from '@sojourn/core/internal'
import type { Origin, RecordStore } from '@sojourn/store'
import { encodeMessage, type Need, type Stretch } from '@sojourn/wire'
import type { Knowledge } from './knowledge.js'

/**
 * Commits that nobody waits for are sent at once on a link that is quiet, and otherwise together with those of this time: under load a
 * frame, and the peer's batch, serve for many. Milliseconds.
 */
const MIN_GAP_MS = 4

/** Records that a catch-up reads before others run. */
const ROWS_A_TURN = 64

/** What an item weighs with the peer, over its bytes, until it is on the disk there: decoded, a record is many objects. */
const RECEIVED_ITEM_BYTES = 2_048

/** What one link's sender and receiver know of the peer. */
export interface Peer {
  readonly region: string
  /** The feed of its present opening. */
  readonly feed: FeedId
  /** The feeds that it receives over links of its own, and its own: what comes from there need not be relayed to it. */
  linked: ReadonlySet<FeedId>
}

export interface OutboundOptions {
  readonly connection: Connection
  readonly peer: Peer
  readonly store: RecordStore
  readonly knowledge: Knowledge
  readonly limits: Limits
  readonly clock: Clock
  /** The peer holds everything through here. */
  readonly from: number
  /** An earlier walk of the peer's came this far. */
  readonly walked: number
  /** Whether a write waits for acks. */
  readonly isAwaited: () => boolean
  /** Whether a write waits for a commit behind `after`, up to `through`. */
  readonly awaits: (after: number, through: number) => boolean
  /** The link went from reading the feed on disk to sending commits as they come, or back. */
  readonly moved: (state: 'live' | 'behind') => void
  readonly failed: (error: unknown) => void
}

/**
 * Sends one peer this replica's feed: the journal's tail as deltas, or, further back, records in the order of the feed. What it
 * remembers is a position; the backlog is the feed.
 */
export class Outbound {
  readonly #options: OutboundOptions
  /** All through here was sent, or left out because the peer gets it elsewhere. */
  #position: number
  /** What the last stretch sent ended with; what lies between it and the position was left out. */
  #sentThrough: number
  /** Why the part that was left out is held by the peer all the same. */
  #carried = new NeedList()
  #catchingUp = false
  /**
   * The position was reached by a walk that is not through: what stood before it may have moved behind it, so the recent commits
   * alone would not do.
   */
  #mustWalk: boolean
  #state: 'live' | 'behind' | undefined
  /** As the peer numbers its resumes. */
  #epoch = 0
  /** As this side counts them, so that a catch-up under way notices that it is stale. */
  #resumes = 0
  /** Stretches that the peer has not acknowledged, oldest first. */
  #unacked: { readonly through: number; readonly bytes: number }[] = []
  #unackedBytes = 0
  /** Whether the peer has yet to be told what else it holds with what was sent. */
  #holdsDue = true
  /** When deltas were last sent, on the monotonic clock. */
  #sentAt = Number.NEGATIVE_INFINITY
  #gapTimer: Timer | undefined
  /** Ends the wait of a catch-up that found the link full. */
  #wake: (() => void) | undefined
  #closed = false

  constructor(options: OutboundOptions) {
    this.#options = options
    this.#position = this.#sentThrough = Math.max(options.from, options.walked)
    this.#mustWalk = options.walked > options.from
  }

  /** Commits that are to be sent, or were sent and are not acknowledged; what the peer gets elsewhere does not count. */
  get owed(): number {
    const { store, knowledge, peer } = this.#options
    const acked = knowledge.heldBy(peer.feed, store.actor)
    return store.committed - (acked >= this.#sentThrough ? Math.max(acked, this.#position) : acked)
  }

  /** All through here was sent, or needs no sending. */
  get position(): number {
    return this.#position
  }

  get state(): 'live' | 'behind' {
    return this.#state ?? 'behind'
  }

  /** The peer asks to go on from elsewhere. */
  resume(from: number, epoch: number): void {
    this.#resumes++
    this.#epoch = epoch
    this.#position = this.#sentThrough = from
    this.#mustWalk = false
    this.#carried = new NeedList()
    this.#unacked = []
    this.#unackedBytes = 0
    this.#leaveWait()
    this.pump()
  }

  /** The peer has stretches on its disk, and cannot claim them yet. */
  received(through: number, epoch: number): void {
    if (epoch === this.#epoch) this.acked(through)
  }

  /** The peer holds the feed through a sequence. */
  acked(through: number): void {
    let count = 0
    for (const stretch of this.#unacked) {
      if (stretch.through > through) break
      this.#unackedBytes -= stretch.bytes
      count++
    }
    if (count > 0) this.#unacked.splice(0, count)
    this.pump()
  }

  /** More of another feed is held here: news for a peer that does not receive that feed itself. */
  claimed(feed: FeedId): void {
    const { peer, clock } = this.#options
    if (feed === peer.feed || peer.linked.has(feed) || this.#holdsDue) return
    this.#holdsDue = true
    clock.soon(() => {
      if (this.#holdsDue && !this.#closed && this.#state === 'live') this.#send([], this.#position, 'live')
    })
  }

  close(): void {
    this.#closed = true
    this.#gapTimer?.cancel()
    this.#leaveWait()
  }

  #mayCatchUp(resumes: number): boolean {
    return !this.#closed && resumes === this.#resumes
  }

  #isFull(): boolean {
    const { connection, limits } = this.#options
    return connection.bufferedBytes > limits.maxBufferedBytes || this.#unackedBytes > limits.maxUnackedBytes
  }

  /** Sends what can be sent now. Called whenever there may be more to send, or room: a commit, an ack, a drained socket. */
  pump(): void {
    const { store } = this.#options
    if (this.#wake && !this.#isFull()) this.#leaveWait()
    while (!this.#closed && !this.#catchingUp && this.#position < store.committed && !this.#isFull()) {
      if (this.#mustWalk || !store.tail.covers(this.#position)) void this.#catchUp()
      else if (this.#mayWait()) return
      else this.#sendRecent()
    }
    if (this.#position < store.committed || this.#catchingUp || this.#closed) return
    this.#mustWalk = false
    this.#move('live')
    if (this.#isFull()) return
    // What was left out is mentioned later, with more, unless somebody waits for the peer to say that it has it.
    if (this.#position > this.#sentThrough && this.#options.awaits(this.#sentThrough, this.#position))
      this.#send([], this.#position, 'prompt')
    else if (this.#holdsDue) this.#send([], this.#position, 'live')
  }

  /** Whether the next commits are better sent a moment later, together; comes back by itself then. */
  #mayWait(): boolean {
    const { clock, isAwaited } = this.#options
    const waitMs = this.#sentAt + MIN_GAP_MS - clock.monotonic()
    if (this.#state !== 'live' || waitMs <= 0 || isAwaited()) return false
    this.#gapTimer ??= clock.after(waitMs, () => {
      this.#gapTimer = undefined
      this.pump()
    })
    return true
  }

  #move(state: 'live' | 'behind'): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.moved(state)
  }

  /** Whether the peer holds an entry, or will, without being sent it; notes what that rests on. */
  #leftOut(sequence: number, origin: Origin | undefined): boolean {
    if (origin === undefined) return false
    const { peer, knowledge } = this.#options
    if (origin.feed === peer.feed || knowledge.heldBy(peer.feed, origin.feed) >= origin.sequence) return true
    if (!peer.linked.has(origin.feed)) return false
    this.#carried.add(sequence, origin)
    return true
  }

  #sendRecent(): void {
    const { store, limits, isAwaited } = this.#options
    const items: Uint8Array[] = []
    let bytes = 0
    let through = this.#position
    this.#sentAt = this.#options.clock.monotonic()
    for (const commit of store.tail.after(this.#position)) {
      through = commit.sequence
      if (this.#leftOut(commit.sequence, commit.origin)) continue
      this.#carried.seal()
      items.push(commit.item)
      bytes += commit.item.length
      if (bytes >= limits.targetFrameBytes) break
    }
    this.#position = bytes >= limits.targetFrameBytes ? through : Math.max(through, store.committed)
    // Entries that the peer gets elsewhere are mentioned with the next one that it does not; see `pump`.
    if (items.length > 0) this.#send(items, this.#position, isAwaited() ? 'prompt' : 'live')
  }

  async #catchUp(): Promise<void> {
    const { store, failed } = this.#options
    const resumes = this.#resumes
    this.#catchingUp = true
    this.#move('behind')
    const start = this.#sentThrough
    // To the very end: a record that moves there while this is under way must be sent whole from there, for what the journal's tail has
    // of it builds on what was not sent.
    const cursor = store.index.openFeed(this.#position)
    try {
      let items: Uint8Array[] = []
      let bytes = 0
      for (let count = 1; ; count++) {
        const row = store.index.nextInFeed(cursor)
        if (row === undefined) break
        this.#mustWalk = true
        this.#position = Math.max(this.#position, row.sequence)
        if (count % ROWS_A_TURN === 0) await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
        if (!this.#mayCatchUp(resumes)) return
        if (this.#leftOut(row.sequence, row.origin)) continue
        const item = this.#recordItem(row.key)
        if (item === undefined) continue
        this.#carried.seal()
        items.push(item)
        bytes += item.length
        if (bytes < this.#options.limits.targetFrameBytes) continue
        this.#send(items, row.sequence, 'catchup')
        items = []
        bytes = 0
        if (this.#isFull()) await this.#room()
        if (!this.#mayCatchUp(resumes)) return
      }
      this.#position = Math.max(this.#position, store.committed)
      this.#mustWalk = false
      if (items.length > 0 || this.#sentThrough > start) this.#send(items, this.#position, 'caughtup')
    } catch (error) {
      failed(error)
    } finally {
      store.index.closeFeed(cursor)
      this.#catchingUp = false
      if (!this.#closed) this.#options.clock.soon(() => this.pump())
    }
  }

  /** A corrupt record is left out: it heals from a peer, and is committed anew then. */
  #recordItem(key: SessionKey): Uint8Array | undefined {
    const record = this.#options.store.encoded(key)
    return record && encodeItem({ type: 'record', key, record })
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #leaveWait(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #send(items: Uint8Array[], through: number, mode: Stretch['mode']): void {
    const { connection, knowledge, peer, store } = this.#options
    // Only who holds the feed to its present end holds all that is held here.
    const complete = mode !== 'catchup' && mode !== 'caughtup' && through === store.committed
    const frame = encodeMessage({
      type: 'stretch',
      epoch: this.#epoch,
      from: this.#sentThrough,
      through,
      mode,
      needs: this.#carried.take(),
      holds: complete ? knowledge.held(peer.linked) : [],
      items,
    })
    if (complete) this.#holdsDue = false
    this.#sentThrough = through
    const bytes = frame.length + items.length * RECEIVED_ITEM_BYTES
    this.#unacked.push({ through, bytes })
    this.#unackedBytes += bytes
    connection.send(frame)
  }

  /** Tells the peer of what was left out since the last stretch, so that it can claim it. Called with each heartbeat. */
  flushLeftOut(): void {
    if (!this.#catchingUp && !this.#mustWalk && this.#position > this.#sentThrough)
      this.#send([], this.#position, 'live')
  }
}

/**
 * What was left out, as far as it matters: within a run of left-out entries one need for each feed is enough, with the first
 * place of the run and the last sequence needed.
 */
class NeedList {
  readonly #needs: Need[] = []
  #run = new Map<FeedId, { at: number; through: number }>()

  add(at: number, origin: Origin): void {
    const need = this.#run.get(origin.feed)
    if (need) need.through = Math.max(need.through, origin.sequence)
    else this.#run.set(origin.feed, { at, through: origin.sequence })
  }

  /** An entry is sent: the run ends. */
  seal(): void {
    if (this.#run.size === 0) return
    const needs = [...this.#run].map(([feed, need]) => ({ feed, ...need }))
    this.#needs.push(...needs.sort((a, b) => a.at - b.at))
    this.#run = new Map()
  }

  take(): Need[] {
    this.seal()
    return this.#needs.splice(0)
  }
}
