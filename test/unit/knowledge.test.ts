import type { Held } from '@sojourn/core/internal'
import { describe, expect, it } from 'vitest'
// Not a door of the package: the replica's own part.
import { Knowledge } from '../../packages/replica/src/knowledge.js'

const feedOf = (n: number) => n.toString(16).padStart(32, '0')
const OWN = feedOf(0xffff)

const open = (maxFeeds: number, restored: readonly Held[] = []) =>
  new Knowledge({
    region: 'a',
    feed: OWN,
    restored,
    maxFeeds,
    committed: () => 1_000,
    claimed: () => {},
    acked: () => {},
  })

/** A link with a region stands. */
const link = (knowledge: Knowledge, region: string, feed: string, lineage: readonly string[] = []) => {
  knowledge.introduce(region, feed, [])
  knowledge.retire(
    region,
    feed,
    lineage.map((ancestor) => ({ feed: ancestor, through: 1 })),
  )
}

describe('[SYNC-2] a vector that is full', () => {
  it('forgets the longest unmoved feed, but never one that a region writes now', () => {
    const knowledge = open(4)
    link(knowledge, 'b', feedOf(1))
    knowledge.claim(feedOf(1), 7)
    for (let n = 10; n < 30; n++) knowledge.claim(feedOf(n), 1)
    expect(knowledge.through(feedOf(1))).toBe(7)
    expect([...knowledge.vector.keys()]).toEqual([1, 27, 28, 29].map(feedOf))
  })

  it('does not carry the openings that came before: not from a lineage, not from others who have not heard', () => {
    const knowledge = open(64, [{ feed: feedOf(1), through: 5 }])
    link(knowledge, 'b', feedOf(3), [feedOf(2), feedOf(1)])
    knowledge.claim(feedOf(1), 9)
    knowledge.claim(feedOf(2), 9)
    expect(knowledge.held()).toEqual([])
    expect(knowledge.learn({ region: 'b', holder: feedOf(2), feed: OWN, through: 3 })).toBe(false)
    // A region that lost its disk says nothing of what it was; that it has another feed now is enough.
    knowledge.claim(feedOf(3), 4)
    link(knowledge, 'b', feedOf(4))
    knowledge.claim(feedOf(3), 9)
    knowledge.claim(feedOf(4), 1)
    expect(knowledge.held()).toEqual([{ feed: feedOf(4), through: 1 }])
  })

  it('is not made to forget by a region that lists what another writes', () => {
    const knowledge = open(64)
    link(knowledge, 'b', feedOf(1))
    knowledge.claim(feedOf(1), 7)
    link(knowledge, 'c', feedOf(2), [feedOf(1), OWN])
    expect(knowledge.through(feedOf(1))).toBe(7)
    expect(knowledge.learn({ region: 'b', holder: feedOf(1), feed: OWN, through: 3 })).toBe(true)
  })
})
