/** What a peer is sent of the feed of this replica. */
import type { Clock, Connection, FeedId, Limits, SessionKey, Timer } from '@sojourn/core/internal'
import { encodeItem } from '@sojourn/core/internal'
import type { FeedCursor, Origin, RecordStore } from '@sojourn/store'
import type { Segment } from '@sojourn/wire'
import { Inflight } from './inflight.js'
import type { LastFrame } from './last-frame.js'
import { NeedList } from './need-list.js'
import type { Peer } from './peer.js'
import type { ReplicationProgress } from './replication-progress.js'

/**
 * Commits that nobody waits for are sent at once on a link that is quiet, and otherwise together with those of this time: under load a
 * frame, and the peer's batch, serve for many. Milliseconds.
 */
const MIN_GAP_MS = 4

/** After a scan that could not read the store, the next one begins so much later. Milliseconds. */
const SCAN_RETRY_MS = 1_000

/** Records that a catch-up reads before others run. */
const ROWS_A_TURN = 64

/** What an item weighs with the peer, over its bytes, until it is on the disk there: decoded, a record is many objects. */
const RECEIVED_ITEM_BYTES = 2_048

export interface OutboundOptions {
  readonly frames: LastFrame
  readonly connection: Connection
  readonly peer: Peer
  readonly store: RecordStore
  readonly progress: ReplicationProgress
  readonly limits: Limits
  readonly clock: Clock
  /** The peer holds everything through here. */
  readonly from: number
  /** An earlier scan of the peer's came this far. */
  readonly scanned: number
  /** Whether a write waits for acks. */
  readonly isAwaited: () => boolean
  /** Whether a write waits for a commit after `after`, up to `through`. */
  readonly awaits: (after: number, through: number) => boolean
  /** The link went from reading the feed on disk to sending commits as they come, or back. */
  readonly moved: (state: 'live' | 'lagging') => void
  readonly failed: (error: unknown) => void
}

/** A scan of the feed that is under way: records are sent in its order. */
interface Scan {
  /** Ends its wait, where it found the link full. */
  wake: (() => void) | undefined
}

/**
 * `new`: nothing was sent. `live`: the peer was sent all that there is, and is sent commits as they come. `lagging`: there is more to send than
 * there is room for, or the feed is scanned, or is to be. `closed`: nothing is sent any more.
 */
type State = 'new' | 'live' | 'lagging' | 'closed'

/**
 * Sends one peer this replica's feed: the journal's tail as deltas, or, further back, records in the order of the feed. What it
 * remembers is a position; the backlog is the feed.
 */
export class Outbound {
  readonly #options: OutboundOptions
  /** All through here was sent, or left out because the peer gets it elsewhere. */
  #position: number
  /** What the last segment sent ended with; what lies between it and the position was left out. */
  #sentThrough: number
  /** Why the part that was left out is held by the peer all the same. */
  #carried = new NeedList()
  #state: State = 'new'
  /** The one that is under way. One that is not this one any more has nothing to say. */
  #scan: Scan | undefined
  /**
   * The position was reached by a scan that is not through: what stood before it may have moved after it, so the recent commits
   * alone would not do.
   */
  #mustScan: boolean
  /** As the peer numbers its resumes. */
  #epoch = 0
  readonly #inflight = new Inflight()
  /** Whether the peer has yet to be sent what else it holds with what was sent. */
  #holdsDue = true
  /** When deltas were last sent, on the monotonic clock. */
  #sentAt = Number.NEGATIVE_INFINITY
  #gapTimer: Timer | undefined
  /** After a scan that failed: nothing is sent until the next one begins. */
  #retryTimer: Timer | undefined

  constructor(options: OutboundOptions) {
    this.#options = options
    this.#position = this.#sentThrough = Math.max(options.from, options.scanned)
    this.#mustScan = options.scanned > options.from
  }

  /** Commits that are to be sent, or were sent and are not acknowledged; what the peer gets elsewhere does not count. */
  get owed(): number {
    const { store, progress, peer } = this.#options
    const acked = progress.heldBy(peer.feed, store.actor)
    return store.committed - (acked >= this.#sentThrough ? Math.max(acked, this.#position) : acked)
  }

  /** All through here was sent, or needs no sending. */
  get position(): number {
    return this.#position
  }

  get state(): 'live' | 'lagging' {
    return this.#state === 'live' ? 'live' : 'lagging'
  }

  /** The peer asks to go on from elsewhere. */
  resume(from: number, epoch: number): void {
    this.#abandonScan()
    this.#epoch = epoch
    this.#position = this.#sentThrough = from
    this.#mustScan = false
    this.#carried = new NeedList()
    this.#inflight.clear()
    this.pump()
  }

  #abandonScan(): void {
    const scan = this.#scan
    this.#scan = undefined
    scan?.wake?.()
  }

  /** The peer has segments on its disk, and cannot claim them yet. */
  received(through: number, epoch: number): void {
    if (epoch === this.#epoch) this.acked(through)
  }

  /** The peer holds the feed through a sequence. */
  acked(through: number): void {
    this.#inflight.acked(through)
    this.pump()
  }

  /** More of another feed is held here: news for a peer that does not receive that feed itself. */
  claimed(feed: FeedId): void {
    const { peer, clock } = this.#options
    if (feed === peer.feed || peer.linked.has(feed) || this.#holdsDue) return
    this.#holdsDue = true
    clock.soon(() => {
      if (this.#holdsDue && this.#state === 'live') this.#send([], this.#position, 'live')
    })
  }

  close(): void {
    this.#state = 'closed'
    this.#gapTimer?.cancel()
    this.#retryTimer?.cancel()
    this.#abandonScan()
  }

  #isFull(): boolean {
    const { connection, limits } = this.#options
    return connection.bufferedBytes > limits.maxBufferedBytes || this.#inflight.bytes > limits.maxUnackedBytes
  }

  /** Sends what can be sent now. Called whenever there may be more to send, or room: a commit, an ack, a drained socket. */
  pump(): void {
    const { store } = this.#options
    if (!this.#isFull()) this.#scan?.wake?.()
    while (this.#mayStream() && this.#position < store.committed && !this.#isFull()) {
      if (this.#mustScan || !store.tail.covers(this.#position)) void this.#catchUp()
      else if (this.#mayWait()) return
      else this.#sendRecent()
    }
    if (this.#mayStream() && this.#position >= store.committed) this.#caughtUp()
  }

  #mayStream(): boolean {
    return this.#state !== 'closed' && this.#scan === undefined && this.#retryTimer === undefined
  }

  /** All that there is was sent, or left out. */
  #caughtUp(): void {
    this.#mustScan = false
    this.#enter('live')
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

  #enter(state: 'live' | 'lagging'): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.moved(state)
  }

  /** Whether the peer holds an entry, or will, without being sent it; notes what that rests on. */
  #leftOut(sequence: number, origin: Origin | undefined): boolean {
    if (origin === undefined) return false
    const { peer, progress } = this.#options
    if (origin.feed === peer.feed || progress.heldBy(peer.feed, origin.feed) >= origin.sequence) return true
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
    const { store, failed, clock } = this.#options
    const scan: Scan = { wake: undefined }
    this.#scan = scan
    this.#enter('lagging')
    // To the very end: a record that moves there while this is under way must be sent whole from there, for what the journal's tail has
    // of it builds on what was not sent.
    const cursor = store.index.openFeed(this.#position)
    let retryMs = 0
    try {
      await this.#sendScanned(scan, cursor)
    } catch (error) {
      // What was read since the last frame was not sent.
      if (this.#scan === scan) this.#position = this.#sentThrough
      retryMs = SCAN_RETRY_MS
      failed(error)
    } finally {
      store.index.closeFeed(cursor)
      if (this.#scan === scan) this.#scan = undefined
      if (retryMs === 0) clock.soon(() => this.pump())
      else this.#retryTimer = clock.after(retryMs, () => this.#retry())
    }
  }

  #retry(): void {
    this.#retryTimer = undefined
    this.pump()
  }

  /** Sends what a scan comes to, until that is the end of the feed, or the scan counts no more. */
  async #sendScanned(scan: Scan, cursor: FeedCursor): Promise<void> {
    const { store, limits, clock } = this.#options
    const start = this.#sentThrough
    let items: Uint8Array[] = []
    let bytes = 0
    for (let count = 1; ; count++) {
      const row = store.index.nextInFeed(cursor)
      if (row === undefined) break
      this.#mustScan = true
      this.#position = Math.max(this.#position, row.sequence)
      if (count % ROWS_A_TURN === 0) await new Promise<void>((resolve) => clock.soon(resolve))
      if (this.#scan !== scan) return
      const item = this.#leftOut(row.sequence, row.origin) ? undefined : this.#recordItem(row.key)
      if (item === undefined) continue
      this.#carried.seal()
      items.push(item)
      bytes += item.length
      if (bytes < limits.targetFrameBytes) continue
      this.#send(items, row.sequence, 'catchup')
      items = []
      bytes = 0
      if (this.#isFull()) await this.#room(scan)
      if (this.#scan !== scan) return
    }
    this.#position = Math.max(this.#position, store.committed)
    this.#mustScan = false
    if (items.length > 0 || this.#sentThrough > start) this.#send(items, this.#position, 'caughtup')
  }

  /** A corrupt record is left out: it heals from a peer, and is committed anew then. */
  #recordItem(key: SessionKey): Uint8Array | undefined {
    const record = this.#options.store.encoded(key)
    return record && encodeItem({ type: 'record', key, record })
  }

  #room(scan: Scan): Promise<void> {
    return new Promise((resolve) => {
      scan.wake = () => {
        scan.wake = undefined
        resolve()
      }
    })
  }

  #send(items: Uint8Array[], through: number, mode: Segment['mode']): void {
    const { connection, frames, progress, peer, store } = this.#options
    // Only who holds the feed to its present end holds all that is held here.
    const complete = mode !== 'catchup' && mode !== 'caughtup' && through === store.committed
    const frame = frames.of({
      type: 'segment',
      epoch: this.#epoch,
      from: this.#sentThrough,
      through,
      mode,
      needs: this.#carried.take(),
      holds: complete ? progress.held(peer.linked) : [],
      items,
    })
    if (complete) this.#holdsDue = false
    this.#sentThrough = through
    const bytes = frame.length + items.length * RECEIVED_ITEM_BYTES
    this.#inflight.add(through, bytes)
    connection.send(frame)
  }

  /** Sends the peer what was left out since the last segment, so that it can claim it. Called with each heartbeat. */
  flushLeftOut(): void {
    if (this.#mayStream() && !this.#mustScan && this.#position > this.#sentThrough)
      this.#send([], this.#position, 'live')
  }
}
