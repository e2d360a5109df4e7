import { parseDuration } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

describe('durations', () => {
  test.each([
    [1, 1],
    [1_500, 1_500],
    [1.4, 1],
    ['1ms', 1],
    ['500ms', 500],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['1.5h', 5_400_000],
    ['12 h', 43_200_000],
    ['7d', 604_800_000],
    ['0.5s', 500],
    ['36500d', 36_500 * 86_400_000],
  ])('[OPT-1] %j is %d ms', (given, ms) => {
    expect(parseDuration(given, 'session.idleTimeout')).toBe(ms)
  })

  test.each([
    [0],
    [0.9],
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [36_501 * 86_400_000],
    ['36501d'],
    [''],
    ['30'],
    ['30 minutes'],
    ['m'],
    ['-5m'],
    ['+5m'],
    ['1e3s'],
    ['0x10s'],
    ['.5s'],
    ['5.s'],
    ['5M'],
    [' 5m'],
    ['5m '],
    ['5m\n'],
    ['0ms'],
    ['0.5ms'],
    ['1m30s'],
    [null],
    [undefined],
    [true],
    [[5]],
    [{ ms: 5 }],
  ])('[OPT-1] %j is refused', (given) => {
    expect(() => parseDuration(given, 'session.idleTimeout')).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', option: 'session.idleTimeout' }),
    )
  })
})
