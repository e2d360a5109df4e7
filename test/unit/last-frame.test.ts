/** Links that are equally far send one frame. */
import { encodeMessage, type Segment } from '@sojourn/wire'
import { describe, expect, it } from 'vitest'
import { LastFrame } from '../../packages/replica/src/last-frame.js'

const items = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]
const segment: Segment = { type: 'segment', epoch: 0, from: 3, through: 5, mode: 'live', needs: [], holds: [], items }
const feed = '0a'.repeat(16)

describe('[CATCH-3] a segment of commits is encoded once for all links', () => {
  it('that send the same one', () => {
    const frames = new LastFrame()
    const frame = frames.of(segment)
    expect(frame).toEqual(encodeMessage(segment))
    expect(frames.of({ ...segment, items: [...items] })).toBe(frame)
  })

  it.each<[string, Partial<Segment>]>([
    ['another epoch', { epoch: 1 }],
    ['another beginning', { from: 2 }],
    ['another end', { through: 6 }],
    ['another mode', { mode: 'prompt' }],
    ['something left out', { needs: [{ at: 4, feed, through: 1 }] }],
    ['something held besides', { holds: [{ feed, through: 1 }] }],
    ['fewer items', { items: items.slice(1) }],
    ['other items', { items: [items[0]!, Uint8Array.of(5)] }],
  ])('and anew where there is %s', (_what, change) => {
    const frames = new LastFrame()
    frames.of(segment)
    const other = { ...segment, ...change }
    expect(frames.of(other)).toEqual(encodeMessage(other))
  })
})
