import type { FeedId, SessionKey } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import type { Origin } from '@sojourn/store'
import { decodeItem, type Stretch } from '@sojourn/wire'
import type { Applied, Entry } from './exchange.js'
import type { Knowledge } from './knowledge.js'
import type { Peer } from './outbound.js'

/** "The feed is held through here, as soon as …": checkpoints are claimed in order. */
interface Checkpoint {
  readonly through: number
  /** The commits of the stretch are on the disk. */
  written: boolean
  /** Another feed must be held first, for what the sender left out. */
  readonly needs: { readonly feed: FeedId; readonly through: number } | undefined
  /** A delta builds on what is not here; the record was asked for. */
  wants: SessionKey | undefined
  /** What else is then held. */
  readonly holds: Stretch['holds']
  /** Whether the sender waits for the ack. */
  readonly prompt: boolean
}

export interface InboundOptions {
  readonly peer: Peer
  readonly knowledge: Knowledge
  /** The peer's feed is held through here. */
  readonly from: number
  readonly maxPending: number
  /** Commits the entries of a stretch; all or none. */
  readonly apply: (entries: readonly Entry[], origin: Origin, isCatchUp: boolean) => Applied
  readonly want: (keys: readonly SessionKey[]) => void
  readonly resume: (from: number, epoch: number) => void
  /** A checkpoint was claimed. */
  readonly claimed: (prompt: boolean) => void
  /** A commit failed; nothing behind it can be claimed. */
  readonly failed: (error: unknown) => void
}

/** Receives one peer's feed: commits what comes, and claims it in the vector once it is on the disk and complete. */
export class Inbound {
  readonly #options: InboundOptions
  /** The end of the last stretch that joined on. */
  #through: number
  #checkpoints: Checkpoint[] = []
  /** How often the sender was asked to start again. What it had sent before it heard that does not join on. */
  #epoch = 0

  constructor(options: InboundOptions) {
    this.#options = options
    this.#through = options.from
  }

  /** @throws FRAME_INVALID and other codes of malformed items; the link must be closed then */
  received(stretch: Stretch): void {
    const { peer, maxPending, failed } = this.#options
    if (stretch.through < stretch.from) throw new SojournError('FRAME_INVALID', 'a stretch ends before it begins')
    if (this.#checkpoints.length >= maxPending)
      throw new SojournError('LINK_OVERLOADED', `${maxPending} stretches wait to be claimed`, { limit: maxPending })
    const entries = stretch.items.map((bytes) => ({ bytes, item: decodeItem(bytes) }))
    const origin = { feed: peer.feed, sequence: stretch.through }
    const { writes, wants } = this.#options.apply(entries, origin, stretch.mode === 'catchup')
    if (wants.length > 0) this.#options.want(wants)
    if (stretch.epoch !== this.#epoch) return
    if (stretch.from > this.#through) {
      this.restart()
      return
    }
    this.#through = Math.max(this.#through, stretch.through)
    const last = this.#enqueue(stretch, wants)
    const written = () => {
      last.forEach((checkpoint) => {
        checkpoint.written = true
      })
      this.claim()
    }
    if (writes.length === 0) written()
    else Promise.all(writes).then(written, failed)
  }

  /** A stretch as checkpoints: one before each thing that must be there first, and one for the end. */
  #enqueue(stretch: Stretch, wants: readonly SessionKey[]): Checkpoint[] {
    const bare = { written: false, needs: undefined, wants: undefined, holds: [], prompt: false }
    // A catch-up waits for acks, too: it sends no more than so much ahead of them.
    const prompt = stretch.mode !== 'live'
    const own: Checkpoint[] = []
    let waitsFor: Checkpoint['needs']
    for (const { at, feed, through } of stretch.needs) {
      if (wants.length === 0) own.push({ ...bare, through: at - 1, needs: waitsFor, prompt })
      else if (waitsFor) own.push({ ...bare, through: stretch.from, needs: waitsFor })
      waitsFor = { feed, through }
    }
    for (const key of wants) own.push({ ...bare, through: stretch.from, wants: key })
    own.push({ ...bare, through: stretch.through, needs: waitsFor, holds: stretch.holds, prompt })
    this.#checkpoints.push(...own)
    return own
  }

  /** Claims what can be claimed: called when commits are written, when another feed advanced, when a record came. */
  claim(): void {
    const { knowledge, peer, claimed } = this.#options
    let count = 0
    let prompt = false
    for (const checkpoint of this.#checkpoints) {
      const { needs } = checkpoint
      if (!checkpoint.written || checkpoint.wants !== undefined) break
      if (needs && knowledge.through(needs.feed) < needs.through) break
      count++
      prompt ||= checkpoint.prompt
    }
    if (count === 0) return
    const done = this.#checkpoints.splice(0, count)
    knowledge.claim(peer.feed, done[count - 1]!.through)
    for (const { holds } of done) for (const { feed, through } of holds) knowledge.claim(feed, through)
    claimed(prompt)
  }

  /** A wanted record came, and is on the disk; or the sender has none. */
  supplied(keys: ReadonlySet<SessionKey>): void {
    for (const checkpoint of this.#checkpoints)
      if (checkpoint.wants !== undefined && keys.has(checkpoint.wants)) checkpoint.wants = undefined
    this.claim()
  }

  /** The peer says where its feed ends, and what it holds: who holds the feed to there holds that, too. */
  heard(head: number, vector: Stretch['holds']): void {
    const { knowledge, peer } = this.#options
    if (this.#checkpoints.length > 0 || this.#through < head) return
    for (const { feed, through } of vector) knowledge.claim(feed, through)
    knowledge.claim(peer.feed, head)
  }

  /** Starts again from what is claimed: a frame was lost, or a link over which left-out entries came. */
  restart(): void {
    this.#checkpoints = []
    this.#through = Math.max(this.#options.from, this.#options.knowledge.through(this.#options.peer.feed))
    this.#options.resume(this.#through, ++this.#epoch)
  }
}
