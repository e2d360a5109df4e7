/** Distinguishes two processes that run as one region from one that started again, and keeps the links of the first. */
import type { Clock, FeedId } from '@sojourn/core/internal'
import { SojournError } from '@sojourn/core/internal'
import type { Link } from './link.js'

/** Feeds of a region that are remembered; each incarnation of its store makes one. */
const MAX_FEEDS_A_REGION = 32

/** How long a round trip may take for a sign of life; the answer is a heartbeat, and comes with the next one. Milliseconds. */
const ANSWER_MS = 1_000

type KnownLink = Pick<Link, 'peer' | 'isClosed' | 'challenge'> & {
  readonly pulse: Pick<Link['pulse'], 'answeredSince'>
}

export interface NamesakesOptions {
  readonly clock: Clock
  readonly heartbeatMs: number
}

/**
 * A region's process that starts again has another feed, and its former one never comes back. So a feed that comes back after another one,
 * or answers while another one comes, is written by a process that is there all the time. The region goes on under the feed that was
 * there first, which the others know; when that one is gone, the other is let in.
 */
export class Namesakes {
  readonly #options: NamesakesOptions
  /** Of each region, the feeds that came here, in the order in which they first did. */
  readonly #feeds = new Map<string, FeedId[]>()
  /** Links whose processes were asked whether they live, and when, on the monotonic clock. */
  readonly #challenges = new WeakMap<KnownLink, number>()

  constructor(options: NamesakesOptions) {
    this.#options = options
  }

  /** A link with a region was let in. */
  met(region: string, feed: FeedId): void {
    const feeds = this.#feeds.get(region) ?? []
    if (feeds.includes(feed)) return
    feeds.push(feed)
    if (feeds.length > MAX_FEEDS_A_REGION) feeds.shift()
    this.#feeds.set(region, feeds)
  }

  /**
   * A feed comes under the name of a region that is linked. Call it before a link is made of the connection: a link takes it that the
   * region's earlier feeds have ended. Returns why the link that stands must go, where it is that of the second process.
   * @throws LINK_REGION_TAKEN where this is the second one, LINK_DUPLICATE where it is not known yet whether the first one lives
   */
  settle(current: KnownLink, feed: FeedId): SojournError | undefined {
    const { region } = current.peer
    if (current.isClosed || current.peer.feed === feed) return undefined
    const isKnown = this.#feeds.get(region)?.includes(feed) ?? false
    if (!isKnown && !this.#lives(current)) return undefined
    this.met(region, feed)
    const feeds = this.#feeds.get(region)!
    const error = new SojournError(
      'LINK_REGION_TAKEN',
      `another process runs as region ${JSON.stringify(region)} and was linked first. Stop one of them, or rename it`,
    )
    if (feeds.indexOf(feed) > feeds.indexOf(current.peer.feed)) throw error
    return error
  }

  /**
   * Whether the process behind a link lives, although another one came under its region's name: most often that is the same one, started
   * anew, and the link a remnant.
   * @throws LINK_DUPLICATE while it is asked; who came tries again
   */
  #lives(link: KnownLink): boolean {
    const { clock, heartbeatMs } = this.#options
    const askedAt = this.#challenges.get(link)
    if (askedAt !== undefined && link.pulse.answeredSince(askedAt)) return true
    if (askedAt !== undefined && clock.monotonic() - askedAt > heartbeatMs + ANSWER_MS) return false
    if (askedAt === undefined) {
      this.#challenges.set(link, clock.monotonic())
      link.challenge()
    }
    throw new SojournError('LINK_DUPLICATE', `a link with ${link.peer.region} stands, and is asked whether it lives`)
  }

  forget(region: string): void {
    this.#feeds.delete(region)
  }
}
