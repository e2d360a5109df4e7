/** The order in which processes that run as one region were met: of two that live at one time the first one is kept. */
import type { FeedId } from '@sojourn/core'

/** Feeds of a region that are remembered; each opening of its store makes one. */
const MAX_FEEDS_A_REGION = 32

/**
 * A region's process that starts again has another feed, and its former one never comes back. So a feed that comes back after another one,
 * or answers while another one comes, is written by a process that is there all the time. The region goes on under the feed that was
 * there first, which the others know; when that one is gone, the other is let in.
 */
export class Namesakes {
  /** Of each region, the feeds that came here, in the order in which they first did. */
  readonly #feeds = new Map<string, FeedId[]>()

  met(region: string, feed: FeedId): void {
    const feeds = this.#feeds.get(region) ?? []
    if (feeds.includes(feed)) return
    feeds.push(feed)
    if (feeds.length > MAX_FEEDS_A_REGION) feeds.shift()
    this.#feeds.set(region, feeds)
  }

  knows(region: string, feed: FeedId): boolean {
    return this.#feeds.get(region)?.includes(feed) ?? false
  }

  /** Whether a feed was met before another one of its region. */
  wasBefore(region: string, feed: FeedId, other: FeedId): boolean {
    const feeds = this.#feeds.get(region) ?? []
    return feeds.indexOf(feed) < feeds.indexOf(other)
  }

  forget(region: string): void {
    this.#feeds.delete(region)
  }
}
