import { type Ancestor, heldThrough, raise, resumeFrom } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

describe('vectors', () => {
  test('[SYNC-1] entries rise and never fall, and the longest unmoved stands first', () => {
    const vector = new Map<string, number>()
    const moves: readonly (readonly [feed: string, through: number, moved: boolean, order: string])[] = [
      ['a', 0, false, ''],
      ['a', 3, true, 'a'],
      ['b', 1, true, 'a b'],
      ['a', 3, false, 'a b'],
      ['a', 2, false, 'a b'],
      ['a', 4, true, 'b a'],
      ['c', 1, true, 'b a c'],
      ['b', 2, true, 'a c b'],
    ]
    for (const [feed, through, moved, order] of moves) {
      const before = heldThrough(vector, feed)
      expect(raise(vector, feed, through)).toBe(moved)
      expect(heldThrough(vector, feed)).toBe(Math.max(before, through))
      expect([...vector.keys()].join(' ')).toBe(order)
    }
    expect(heldThrough(vector, 'unknown')).toBe(0)
  })

  /** A store was opened three times, as `x`, `y` and now `z`; of x it still held 10, of y (which went on from 10) 25. */
  const lineage: readonly Ancestor[] = [
    { feed: 'x', through: 10 },
    { feed: 'y', through: 25 },
  ]
  test.each<[held: Record<string, number>, from: number, why: string]>([
    [{}, 0, 'nothing is held'],
    [{ other: 99 }, 0, 'another feed says nothing'],
    [{ z: 30 }, 30, 'the present feed is held'],
    [{ x: 4 }, 4, 'a part of an ancestor is held'],
    [{ x: 10 }, 10, 'all of an ancestor that was left is held'],
    [{ x: 14 }, 10, 'what the store lost of its ancestor has other numbers now'],
    [{ y: 20 }, 20, 'a part of the next one'],
    [{ x: 14, y: 20 }, 20, 'the latest of the ancestors counts'],
    [{ x: 14, y: 99 }, 25, 'but no further than the store went on from it'],
    [{ x: 10, y: 25, z: 26 }, 26, 'the present feed goes on from there'],
    [{ y: 25, z: 3 }, 25, 'an ancestor can be held further than the present feed'],
  ])('[SYNC-1] a holder of %j is served from %d: %s', (held, from) => {
    expect(resumeFrom(new Map(Object.entries(held)), 'z', lineage)).toBe(from)
  })
})
