import type { Held } from '@sojourn/core/internal'
import { describe, expect, it } from 'vitest'
// Not a door of the package: the replica's own part.
import { ReplicationProgress } from '../../packages/replica/src/replication-progress.js'

const feedOf = (n: number) => n.toString(16).padStart(32, '0')
const OWN = feedOf(0xffff)

const open = (maxFeeds: number, restored: readonly Held[] = []) =>
  new ReplicationProgress({
    region: 'a',
    feed: OWN,
    restored,
    maxFeeds,
    committed: () => 1_000,
    claimed: () => {},
    acked: () => {},
  })

/** A link with a region stands. */
const link = (progress: ReplicationProgress, region: string, feed: string, lineage: readonly string[] = []) => {
  progress.introduce(region, feed, [])
  progress.retire(
    region,
    feed,
    lineage.map((ancestor) => ({ feed: ancestor, through: 1 })),
  )
}

describe('[SYNC-2] a vector that is full', () => {
  it('forgets the longest unmoved feed, but never one that a region writes now', () => {
    const progress = open(4)
    link(progress, 'b', feedOf(1))
    progress.claim(feedOf(1), 7)
    for (let n = 10; n < 30; n++) progress.claim(feedOf(n), 1)
    expect(progress.through(feedOf(1))).toBe(7)
    expect([...progress.vector.keys()]).toEqual([1, 27, 28, 29].map(feedOf))
  })

  it('does not carry the incarnations that came before: not from a lineage, not from others who have not heard', () => {
    const progress = open(64, [{ feed: feedOf(1), through: 5 }])
    link(progress, 'b', feedOf(3), [feedOf(2), feedOf(1)])
    progress.claim(feedOf(1), 9)
    progress.claim(feedOf(2), 9)
    expect(progress.held()).toEqual([])
    expect(progress.learn({ region: 'b', holder: feedOf(2), feed: OWN, through: 3 })).toBe(false)
    // A region that lost its disk says nothing of what it was; that it has another feed now is enough.
    progress.claim(feedOf(3), 4)
    link(progress, 'b', feedOf(4))
    progress.claim(feedOf(3), 9)
    progress.claim(feedOf(4), 1)
    expect(progress.held()).toEqual([{ feed: feedOf(4), through: 1 }])
  })

  it('is not made to forget by a region that lists what another writes', () => {
    const progress = open(64)
    link(progress, 'b', feedOf(1))
    progress.claim(feedOf(1), 7)
    link(progress, 'c', feedOf(2), [feedOf(1), OWN])
    expect(progress.through(feedOf(1))).toBe(7)
    expect(progress.learn({ region: 'b', holder: feedOf(1), feed: OWN, through: 3 })).toBe(true)
  })
})
