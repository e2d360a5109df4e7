/** Who numbered a feed: the actor of one incarnation of one store (32 hex digits). */
export type FeedId = string

/** How far somebody holds everything of each feed: feed → sequence. A feed that is not there is held through 0. */
export type Vector = ReadonlyMap<FeedId, number>

/** One entry of somebody's vector. */
export interface Held {
  readonly feed: FeedId
  readonly through: number
}

export const heldThrough = (vector: Vector, feed: FeedId): number => vector.get(feed) ?? 0

/** Raises one entry; entries never fall. Moves it to the end, so that the first entry is the longest unmoved. */
export const raise = (vector: Map<FeedId, number>, feed: FeedId, through: number): boolean => {
  if (through <= heldThrough(vector, feed)) return false
  vector.delete(feed)
  vector.set(feed, through)
  return true
}

/**
 * An earlier incarnation of the same store, and the last sequence of its feed that the store still held when it was opened
 * again. What a peer holds of the ancestor up to there, it holds of the present feed too: the numbers go on.
 */
export interface Ancestor {
  readonly feed: FeedId
  readonly through: number
}

/** From where a holder of `vector` must be served a feed with this lineage: everything through the result is held. */
export const resumeFrom = (vector: Vector, feed: FeedId, lineage: readonly Ancestor[]): number =>
  lineage.reduce(
    (from, ancestor) => Math.max(from, Math.min(heldThrough(vector, ancestor.feed), ancestor.through)),
    heldThrough(vector, feed),
  )
