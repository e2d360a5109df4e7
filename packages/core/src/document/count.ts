/** How far a counter goes. */

/**
 * What a counter shows at most, and minus this at least. Regions that add to one at the same time can take their sum further; it shows
 * this then, and the sum itself is kept, so that it comes out the same in every order.
 */
export const MAX_COUNT = Number.MAX_SAFE_INTEGER
const MAX_SUM = BigInt(MAX_COUNT)

/** What a counter shows whose additions come to this. */
export const shownCount = (sum: bigint): number =>
  sum > MAX_SUM ? MAX_COUNT : sum < -MAX_SUM ? -MAX_COUNT : Number(sum)
