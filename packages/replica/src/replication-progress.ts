/** Who holds what of which feed. */
import type { Ancestor, FeedId, Held, Vector } from '@sojourn/core/internal'
import { heldThrough, quoted, raise, SojournError } from '@sojourn/core/internal'
import type { Holding } from '@sojourn/wire'

interface Holder {
  readonly region: string
  readonly vector: Map<FeedId, number>
}

export interface KnowledgeOptions {
  readonly region: string
  /** This replica's own feed. */
  readonly feed: FeedId
  readonly restored: readonly Held[]
  readonly maxFeeds: number
  /** The last sequence of this replica's own feed that is on the disk. */
  readonly committed: () => number
  /** A feed is held further than before, here. */
  readonly claimed: (feed: FeedId) => void
  /** A region is known to hold more of this replica's own feed. */
  readonly acked: (region: string, through: number) => void
}

/** Who holds what: this replica's vector, and what it has heard of the others'. */
export class ReplicationProgress {
  readonly #options: KnowledgeOptions
  /** What is held here of other feeds. Raised only when the commits are on the disk. */
  readonly #vector = new Map<FeedId, number>()
  /** How far a scan over a feed has come that is not held yet; not stored, so a reopened replica scans again. */
  readonly #scanned = new Map<FeedId, number>()
  readonly #holders = new Map<FeedId, Holder>()
  /** The present feed of each region that has a link, or had one last. */
  readonly #present = new Map<string, FeedId>()
  /** Feeds that those regions will add nothing to, by region: earlier incarnations. */
  readonly #retired = new Map<string, Set<FeedId>>()

  constructor(options: KnowledgeOptions) {
    this.#options = options
    for (const { feed, through } of options.restored) this.#vector.set(feed, through)
  }

  get vector(): Vector {
    return this.#vector
  }

  /** The vector as it travels and is stored. */
  held(except: ReadonlySet<FeedId> = new Set()): Held[] {
    const out: Held[] = []
    for (const [feed, through] of this.#vector) if (!except.has(feed)) out.push({ feed, through })
    return out
  }

  through(feed: FeedId): number {
    return heldThrough(this.#vector, feed)
  }

  /** Everything of `feed` through a sequence is held here, on the disk. */
  claim(feed: FeedId, through: number): void {
    if (feed === this.#options.feed || this.#isRetired(feed) || !raise(this.#vector, feed, through)) return
    this.#trim(this.#vector)
    if ((this.#scanned.get(feed) ?? 0) <= through) this.#scanned.delete(feed)
    this.#options.claimed(feed)
  }

  /** Scans under way, or broken off. */
  scans(): Held[] {
    return [...this.#scanned].map(([feed, through]) => ({ feed, through }))
  }

  /** All that the feed showed through here is held; what has moved to a later place may be missing. */
  scanned(feed: FeedId, through: number): void {
    if (through <= this.through(feed) || !raise(this.#scanned, feed, through)) return
    this.#trim(this.#scanned)
  }

  scannedThrough(feed: FeedId): number {
    return Math.max(this.through(feed), this.#scanned.get(feed) ?? 0)
  }

  forgetScan(feed: FeedId): void {
    this.#scanned.delete(feed)
  }

  /**
   * A peer opened a link: what it says of itself replaces what was known of its region.
   * @throws LINK_REGION where it calls another's feed its own
   */
  introduce(region: string, holder: FeedId, vector: readonly Held[]): void {
    const owner = holder === this.#options.feed ? this.#options.region : this.#holders.get(holder)?.region
    if (owner !== undefined && owner !== region)
      throw new SojournError('LINK_REGION', `${quoted(region)} claims the feed of ${quoted(owner)} as its own`)
    // What a region writes now is no earlier incarnation of any: a copy of its directory may have said so under another name.
    for (const feeds of this.#retired.values()) feeds.delete(holder)
    for (const [feed, known] of this.#holders) if (known.region === region) this.#holders.delete(feed)
    if (this.#holders.size >= this.#options.maxFeeds) this.#forgetHolder()
    this.#holders.set(holder, { region, vector: new Map() })
    for (const { feed, through } of vector) this.learn({ region, holder, feed, through })
  }

  /**
   * A region announced which incarnations came before its present one. What this replica holds of those it holds of that one,
   * as far as it counts. So it drops them, and takes them up from nobody who has not heard. Else the feeds of all incarnations ever made
   * would fill the vectors.
   */
  retire(region: string, present: FeedId, lineage: readonly Ancestor[]): void {
    const last = this.#present.get(region)
    const retired = new Set(lineage.map(({ feed }) => feed))
    if (last !== undefined && last !== present) retired.add(last)
    for (const feed of this.#retired.get(region) ?? [])
      if (feed !== present && retired.size < this.#options.maxFeeds) retired.add(feed)
    // Nobody retires what another region writes.
    for (const [other, feed] of this.#present) if (other !== region) retired.delete(feed)
    retired.delete(this.#options.feed)
    retired.delete(present)
    this.#present.set(region, present)
    this.#retired.set(region, retired)
    for (const feed of retired) {
      this.#vector.delete(feed)
      this.#scanned.delete(feed)
      this.#holders.delete(feed)
      for (const { vector } of this.#holders.values()) vector.delete(feed)
    }
  }

  #isRetired(feed: FeedId): boolean {
    for (const feeds of this.#retired.values()) if (feeds.has(feed)) return true
    return false
  }

  /** Forgets the feed that has not moved for longest, but never one that a region writes now. */
  #trim(vector: Map<FeedId, number>): void {
    if (vector.size <= this.#options.maxFeeds) return
    const present = new Set([this.#options.feed, ...this.#present.values()])
    for (const feed of vector.keys())
      if (!present.has(feed)) {
        vector.delete(feed)
        return
      }
  }

  #forgetHolder(): void {
    const present = new Set(this.#present.values())
    for (const holder of this.#holders.keys())
      if (!present.has(holder)) {
        this.#holders.delete(holder)
        return
      }
  }

  /**
   * Somebody says what somebody holds. Returns whether it was news.
   * @throws FRAME_INVALID for an acknowledgement of what was never sent: a quorum must not rest on it
   */
  learn({ region, holder, feed, through }: Holding): boolean {
    if (holder === this.#options.feed || this.#isRetired(holder) || this.#isRetired(feed)) return false
    if (feed === this.#options.feed && through > this.#options.committed())
      throw new SojournError('FRAME_INVALID', `sequence ${through} was acknowledged but never sent`)
    let known = this.#holders.get(holder)
    if (known === undefined) {
      if (this.#holders.size >= this.#options.maxFeeds) this.#forgetHolder()
      if (this.#holders.size >= this.#options.maxFeeds) return false
      known = { region, vector: new Map() }
      this.#holders.set(holder, known)
    }
    if (!raise(known.vector, feed, through)) return false
    this.#trim(known.vector)
    if (feed === this.#options.feed) this.#options.acked(region, through)
    return true
  }

  /** The region that writes a feed, or wrote it, as far as is known. */
  regionOf(feed: FeedId): string | undefined {
    return this.#holders.get(feed)?.region
  }

  /** How far a peer is known to hold a feed. */
  heldBy(holder: FeedId, feed: FeedId): number {
    return heldThrough(this.#holders.get(holder)?.vector ?? new Map(), feed)
  }

  /**
   * What a peer may want to hear: what is held here, and what others hold whom it does not hear itself. To who writes a feed this
   * replica reports it where there is a link; where there is none, the peer must pass it on, though it receives that feed, too.
   * @param linked the feeds that the peer receives over links of its own
   * @param linkedHere those that this replica receives so
   */
  *holdingsFor(peer: FeedId, linked: ReadonlySet<FeedId>, linkedHere: readonly FeedId[]): Iterable<Holding> {
    const { region, feed: holder } = this.#options
    for (const [feed, through] of this.#vector)
      if (feed === peer || !linked.has(feed) || !linkedHere.includes(feed)) yield { region, holder, feed, through }
    for (const [other, known] of this.#holders) {
      if (other === peer || linked.has(other)) continue
      for (const [feed, through] of known.vector) yield { region: known.region, holder: other, feed, through }
    }
  }
}
