/** Pauses between tries to connect. */
import { Backoff } from '@sojourn/net'
import { describe, expect, it } from 'vitest'

/** Says the same byte again and again. */
const always = (byte: number) => ({ bytes: (count: number) => new Uint8Array(count).fill(byte) })

const pauses = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next())

describe('[NET-14] pauses between tries', () => {
  const bounds = { minMs: 50, maxMs: 300 }

  it('grow to the longest one, and begin anew when a try has worked', () => {
    const backoff = new Backoff({ ...bounds, random: always(255) })
    expect(pauses(backoff, 5)).toEqual([50, 100, 200, 300, 300])
    backoff.reset()
    expect(pauses(backoff, 2)).toEqual([50, 100])
  })

  it('are as long as chance says, down to the share that it leaves', () => {
    expect(pauses(new Backoff({ ...bounds, random: always(0) }), 3)).toEqual([0, 0, 0])
    expect(pauses(new Backoff({ ...bounds, random: always(0), leastShare: 0.5 }), 3)).toEqual([25, 50, 100])
    expect(pauses(new Backoff({ ...bounds, random: always(51) }), 3)).toEqual([10, 20, 40])
  })

  it('are never longer than the longest one, also where the first could be', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 10, random: always(255) })
    expect(pauses(backoff, 2)).toEqual([10, 10])
    backoff.reset()
    expect(pauses(backoff, 1)).toEqual([10])
  })

  it('are there after the first try also where the longest one is as short as the first', () => {
    const backoff = new Backoff({ minMs: 50, maxMs: 50, random: always(255) })
    expect(backoff.isFresh).toBe(true)
    backoff.skip()
    expect(backoff.isFresh).toBe(false)
    expect(pauses(backoff, 2)).toEqual([50, 50])
    backoff.reset()
    expect(backoff.isFresh).toBe(true)
  })
})
