/** What a peer sends of its feed, and what of that is claimed. */
import type { FeedId, Held, SessionKey } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { Origin } from '@sojourn/store'
import type { Segment } from '@sojourn/wire'
import type { Peer } from './peer.js'
import type { Applied } from './record-repair.js'
import type { ReplicationProgress } from './replication-progress.js'

/** "The feed is held through here, as soon as …": claims are made in order. */
interface Claim {
  through: number
  /** Segments whose commits are not on the disk yet. */
  unwritten: number
  /** Other feeds that must be held first, for what the sender left out. */
  readonly needs: Map<FeedId, number>
  /** Deltas build on what is not here; these records were asked for. */
  readonly wants: Set<SessionKey>
  /** What else is then held. */
  readonly holds: Map<FeedId, number>
  /** Whether the sender waits for the ack. */
  prompt: boolean
  /** Whether the feed is held through here then; else a scan has come so far. */
  whole: boolean
}

/** Records that may be asked for and not have come, for each frame that may wait. */
const WANTED_A_FRAME = 16

export interface InboundOptions {
  readonly peer: Peer
  readonly progress: ReplicationProgress
  /** The peer's feed is held through here. */
  readonly from: number
  readonly maxPending: number
  /** Commits the items of a segment; all or none. */
  readonly apply: (items: readonly Uint8Array[], origin: Origin, isCatchUp: boolean) => Applied
  readonly want: (keys: readonly SessionKey[]) => void
  readonly resume: (from: number, epoch: number) => void
  /** A segment is on the disk, and is not claimed. */
  readonly received: (through: number, epoch: number) => void
  /** Something may have become claimable, on any link: see {@link settleClaims}. */
  readonly settle: () => void
  /** Claims were made; `whole`: and with the last one the feed is held as far as it was received. */
  readonly claimed: (prompt: boolean, whole: boolean) => void
  /** A commit failed; nothing after it can be claimed. */
  readonly failed: (error: unknown) => void
}

/** Receives one peer's feed: commits what comes, and claims it in the vector once it is on the disk and complete. */
export class Inbound {
  readonly #options: InboundOptions
  /** The end of the last segment that joined on. */
  #through: number
  #claims: Claim[] = []
  /** How often the sender was asked to start again. What it had sent before it heard that does not join on. */
  #epoch = 0

  constructor(options: InboundOptions) {
    this.#options = options
    this.#through = Math.max(options.from, options.progress.scannedThrough(options.peer.feed))
  }

  /** @throws FRAME_INVALID and other codes of malformed items; the link must be closed then */
  received(segment: Segment): void {
    const { peer, failed, settle } = this.#options
    if (segment.through < segment.from) throw new SojournError('FRAME_INVALID', 'a segment ends before it begins')
    const origin = { feed: peer.feed, sequence: segment.through }
    const isCatchUp = segment.mode === 'catchup' || segment.mode === 'caughtup'
    const { writes, wants } = this.#options.apply(segment.items, origin, isCatchUp)
    if (wants.length > 0) this.#options.want(wants)
    if (segment.epoch !== this.#epoch) return
    if (segment.from > this.#through) {
      this.restart()
      return
    }
    this.#through = Math.max(this.#through, segment.through)
    const own = this.#enqueue(segment, wants)
    const written = () => {
      for (const claim of own) claim.unwritten--
      settle()
      if (this.#claims.includes(own.at(-1)!) || segment.mode === 'catchup')
        this.#options.received(segment.through, segment.epoch)
    }
    if (writes.length === 0) written()
    else Promise.all(writes).then(written, failed)
  }

  /** A segment as claims: one for the end, and for a live one before each thing that must be there first. */
  #enqueue(segment: Segment, wants: readonly SessionKey[]): Claim[] {
    const { maxPending } = this.#options
    const isLive = segment.mode === 'live' || segment.mode === 'prompt'
    const all = claimOf(segment.through, segment, {
      needs: raiseAll(new Map(), segment.needs),
      holds: raiseAll(new Map(), segment.holds),
      wants: new Set(wants),
      whole: segment.mode !== 'catchup',
    })
    const last = this.#claims.at(-1)
    const half = maxPending / 2
    // A scan can be longer than the queue, and what a feed needs of another can be long in coming: claims get coarser then.
    if (this.#claims.length > half && last && (all.whole || !last.whole)) {
      extend(last, all)
      this.#checkWants(last)
      return [last]
    }
    const isCut = isLive && wants.length === 0 && this.#claims.length + segment.needs.length <= half
    const own = isCut ? cut(segment, all) : [all]
    this.#claims.push(...own)
    this.#checkWants(all)
    return own
  }

  /** A sound peer soon gives what it is asked for. */
  #checkWants({ wants }: Claim): void {
    const limit = this.#options.maxPending * WANTED_A_FRAME
    if (wants.size > limit)
      throw new SojournError('LINK_OVERLOADED', `${limit} requested records have not arrived`, { limit })
  }

  /** What could be claimed as far as this link goes, in order. */
  get ready(): readonly Claim[] {
    const blocked = this.#claims.findIndex((claim) => !isComplete(claim))
    return blocked < 0 ? this.#claims : this.#claims.slice(0, blocked)
  }

  /** The feed that the next claim waits for, where it waits for nothing else. */
  get awaited(): FeedId | undefined {
    const { next } = this
    return next && isComplete(next) ? unmetNeed(next, this.progress) : undefined
  }

  /** What is claimed next: the same one as long as nothing is claimed. */
  get next(): Claim | undefined {
    return this.#claims[0]
  }

  /** All through here was received. */
  get position(): number {
    return this.#through
  }

  /** Whether something that was received is not on the disk yet. */
  get isWriting(): boolean {
    return this.#claims.some(({ unwritten }) => unwritten > 0)
  }

  get feed(): FeedId {
    return this.#options.peer.feed
  }

  get progress(): ReplicationProgress {
    return this.#options.progress
  }

  /** Makes the first claims. */
  claim(count: number): void {
    const { progress, claimed } = this.#options
    const done = this.#claims.splice(0, count)
    for (const { through, whole } of done) {
      if (whole) progress.claim(this.feed, through)
      else progress.scanned(this.feed, through)
    }
    for (const { holds } of done) for (const [feed, through] of holds) progress.claim(feed, through)
    claimed(
      done.some(({ prompt }) => prompt),
      done.at(-1)?.whole === true,
    )
  }

  /** A wanted record came, and is on the disk; or the sender has none. */
  supplied(keys: ReadonlySet<SessionKey>): void {
    for (const { wants } of this.#claims) for (const key of keys) wants.delete(key)
    this.#options.settle()
  }

  /** The peer says where its feed ends, and what it holds: who holds the feed to there holds that, too. */
  heard(head: number, vector: readonly Held[]): void {
    const { progress } = this.#options
    if (this.#claims.length === 0 && this.#through >= head) {
      for (const { feed, through } of vector) progress.claim(feed, through)
      progress.claim(this.feed, head)
    }
    this.#options.settle()
  }

  /** Starts again from what is claimed: a frame was lost, or a link over which left-out entries came. */
  restart(): void {
    const { progress, from, resume } = this.#options
    this.#claims = []
    progress.forgetScan(this.feed)
    this.#through = Math.max(from, progress.through(this.feed))
    resume(this.#through, ++this.#epoch)
  }
}

const claimOf = (through: number, { mode }: Segment, more: Partial<Claim> = {}): Claim => ({
  through,
  unwritten: 1,
  needs: new Map(),
  wants: new Set(),
  holds: new Map(),
  // A catch-up waits for acks, too: it sends no more than so much ahead of them.
  prompt: mode !== 'live',
  whole: true,
  ...more,
})

/** What is left out at a place is needed from there on only, so what stands before can be claimed without. */
const cut = (segment: Segment, all: Claim): Claim[] => {
  const own: Claim[] = []
  let needs = new Map<FeedId, number>()
  for (const { at, feed, through } of segment.needs) {
    own.push(claimOf(at - 1, segment, { needs }))
    needs = new Map([[feed, through]])
  }
  return [...own, { ...all, needs }]
}

/** Two claims become one. */
const extend = (last: Claim, next: Claim): void => {
  last.through = Math.max(last.through, next.through)
  last.unwritten += next.unwritten
  last.whole = next.whole
  last.prompt ||= next.prompt
  raiseAll(last.needs, entriesOf(next.needs))
  raiseAll(last.holds, entriesOf(next.holds))
  for (const key of next.wants) last.wants.add(key)
}

const entriesOf = (held: ReadonlyMap<FeedId, number>): Held[] => [...held].map(([feed, through]) => ({ feed, through }))

const raiseAll = (held: Map<FeedId, number>, more: readonly Held[]): Map<FeedId, number> => {
  for (const { feed, through } of more) held.set(feed, Math.max(held.get(feed) ?? 0, through))
  return held
}

/** Whether it is here, on the disk, as far as its link is to bring it. */
const isComplete = ({ unwritten, wants }: Claim): boolean => unwritten === 0 && wants.size === 0

const unmetNeed = (
  { needs }: Claim,
  progress: ReplicationProgress,
  assumed: ReadonlyMap<FeedId, number> = new Map(),
): FeedId | undefined => {
  for (const [feed, through] of needs)
    if (Math.max(progress.through(feed), assumed.get(feed) ?? 0) < through) return feed
  return undefined
}

/**
 * Makes what claims can be made over all links together: the largest set of claims whose needs are held, or are in the set.
 *
 * One link after the other would not do. Two peers each leave out what the receiver gets from the other, so that each feed can need a
 * part of the other, and neither come first. Together they are complete: an entry is left out only where all of it came from
 * the feed that is named, and came to that feed earlier still; the chain ends with somebody who sent it. Only what was sent over a link
 * counts for that: what a segment says is held besides (`holds`) rests on the segment, so it must not bear out what the segment left out.
 */
export const settleClaims = (inbounds: readonly Inbound[]): void => {
  const claims = inbounds.map((inbound) => ({ inbound, ready: inbound.ready, count: 0 }))
  for (const claim of claims) claim.count = claim.ready.length
  for (let settled = false; !settled; ) {
    settled = true
    const assumed = new Map<FeedId, number>()
    const assume = (feed: FeedId, through: number) => assumed.set(feed, Math.max(assumed.get(feed) ?? 0, through))
    for (const { inbound, ready, count } of claims)
      for (const { through, whole } of ready.slice(0, count)) if (whole) assume(inbound.feed, through)
    for (const claim of claims) {
      const { progress } = claim.inbound
      const unmet = claim.ready
        .slice(0, claim.count)
        .findIndex((claim) => unmetNeed(claim, progress, assumed) !== undefined)
      if (unmet < 0) continue
      claim.count = unmet
      settled = false
    }
  }
  for (const { inbound, count } of claims) if (count > 0) inbound.claim(count)
}
