/** Notices two processes that run as one region: two feeds that live at one time under one name. */
import type { FeedId } from '@sojourn/core'

/** Feeds of a region that are remembered; each opening of its store makes one. */
const MAX_FEEDS_A_REGION = 32

/**
 * A region's process that starts again has another feed, and its former one never comes back. So a feed that comes back after another one
 * is written by a process that was there all the time. The feed that was there first is kept, and the other one refused, so that the
 * region goes on under the one that others know; when that one is gone, the other is let in.
 */
export class Namesakes {
  /** Of each region, the feeds that had a link here, in the order in which they first had one. */
  readonly #feeds = new Map<string, FeedId[]>()

  /** A link with the region was let in. */
  admitted(region: string, feed: FeedId): void {
    const feeds = this.#feeds.get(region) ?? []
    if (feeds.includes(feed)) return
    feeds.push(feed)
    if (feeds.length > MAX_FEEDS_A_REGION) feeds.shift()
    this.#feeds.set(region, feeds)
  }

  /**
   * A feed comes under the name of a region that is linked as another feed. `restart`: it is new, and takes the place of the other one.
   * `first`, `second`: both live, and it was there before the other one, or after it.
   */
  judge(region: string, linked: FeedId, coming: FeedId): 'restart' | 'first' | 'second' {
    const feeds = this.#feeds.get(region) ?? []
    if (!feeds.includes(coming)) return 'restart'
    return feeds.indexOf(coming) < feeds.indexOf(linked) ? 'first' : 'second'
  }

  forget(region: string): void {
    this.#feeds.delete(region)
  }
}
