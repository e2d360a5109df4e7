/** The other side of a link. */
import type { FeedId } from '@sojourn/core/internal'

/** What a link's parts know of the peer. Each link has one of its own, so that it also stands for the link. */
export interface Peer {
  readonly region: string
  /** The feed of its present incarnation. */
  readonly feed: FeedId
  /** The feeds that it receives over links of its own, and its own: what comes from there need not be relayed to it. */
  linked: ReadonlySet<FeedId>
}
