/** The options of a `SojournStore`: `npm run docs:options` writes them from where they are declared (ADR 17). */
import type { Clock, Duration, SessionApi } from '@sojourn/core/internal'

export interface SojournStoreOptions {
  /** An open replica, or another implementation of the session API. The adapter does not close it. */
  readonly sessions: SessionApi
  /**
   * JSON pointers of integer fields that count. Increments of concurrent requests add up. Give an array of JSON
   * pointers, such as ['/views']. Default: none.
   */
  readonly counters?: readonly string[] | undefined
  /**
   * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to
   * those of `sessions`. Give an array of JSON pointers, such as ['/user']. Default: none.
   */
  readonly atomic?: readonly string[] | undefined
  /**
   * A call that takes longer fails with TIMEOUT. Default: 5s, or a second more than `sessions` may take to say what is
   * wrong (`answersWithinMs`): a client's UNAVAILABLE, or a replica's QUORUM_UNMET, says more.
   */
  readonly timeout?: Duration | undefined
  /** Time and timers. Default: the system's. */
  readonly clock?: Clock | undefined
}
