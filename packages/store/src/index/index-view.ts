/** The index, as others may ask it. */
import type { SessionIndex } from './session-index.js'

/** What others may ask the index. */
export type IndexView = Pick<
  SessionIndex,
  | 'size'
  | 'isCorrupt'
  | 'isDue'
  | 'originOf'
  | 'keys'
  | 'keysOfSubject'
  | 'cutoffKeys'
  | 'openFeed'
  | 'nextInFeed'
  | 'closeFeed'
  | 'nextDue'
  | 'firstDue'
  | 'sum'
  | 'rangeSums'
  | 'sumsBelow'
  | 'versionsIn'
>
