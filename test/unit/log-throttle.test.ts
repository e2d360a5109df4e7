/** The log of what happens again and again. */
import type { Clock, Timer } from '@sojourn/core/internal'
import { LogThrottle, openLog } from '@sojourn/server'
import { describe, expect, it } from 'vitest'

/** Time that moves when it is asked to. */
const steppedTime = () => {
  let now = 0
  let timers: { readonly at: number; readonly call: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    soon: (call) => call(),
    endOfTurn: (call) => call(),
    after(delayMs, call): Timer {
      const timer = { at: now + delayMs, call }
      timers.push(timer)
      return {
        hold: () => {},
        release: () => {},
        cancel: () => {
          timers = timers.filter((each) => each !== timer)
        },
      }
    },
  }
  return {
    clock,
    pass(ms: number) {
      now += ms
      const due = timers.filter(({ at }) => at <= now)
      timers = timers.filter(({ at }) => at > now)
      for (const { call } of due) call()
    },
  }
}

const opened = () => {
  const lines: { msg: string; n?: number; suppressed?: number }[] = []
  const { clock, pass } = steppedTime()
  const throttle = new LogThrottle(openLog('info', 'eu', { write: (line) => void lines.push(JSON.parse(line)) }), clock)
  const line = (name: string, n: number) => ({ name, level: 'info' as const, body: { n }, message: name })
  return {
    lines,
    pass,
    throttle,
    line,
    shown: () => lines.splice(0).map(({ msg, n, suppressed }) => [msg, n, suppressed]),
  }
}

describe('[SRV-4] the log of what happens again and again', () => {
  it('has the first line of a minute of each thing, and how many it did not log', () => {
    const { throttle, line, pass, shown } = opened()
    for (let n = 0; n < 5; n++) throttle.write(line('a', n))
    throttle.write(line('b', 0))
    expect(shown()).toEqual([
      ['a', 0, undefined],
      ['b', 0, undefined],
    ])
    pass(60_000)
    expect(shown()).toEqual([])
    throttle.write(line('a', 5))
    throttle.write(line('b', 1))
    expect(shown()).toEqual([
      ['a', 5, 4],
      ['b', 1, undefined],
    ])
  })

  it('has of a state some lines a minute, and at its end how it is', () => {
    const { throttle, line, pass, shown } = opened()
    for (let n = 0; n < 1_000; n++) throttle.writeState(line('link us', n), 3)
    expect(shown()).toEqual([0, 1, 2].map((n) => ['link us', n, undefined]))
    pass(59_999)
    expect(shown()).toEqual([])
    pass(1)
    expect(shown()).toEqual([['link us', 999, 996]])
    // Quiet again: nothing more comes of itself, and what comes is logged.
    pass(60_000)
    throttle.writeState(line('link us', 1_000), 3)
    expect(shown()).toEqual([['link us', 1_000, undefined]])
  })

  it('has of a state that goes on changing as many lines in each minute', () => {
    const { throttle, line, pass, lines } = opened()
    for (let n = 0; n < 6_000; n++) {
      throttle.writeState(line('link us', n), 3)
      pass(100)
    }
    throttle.close()
    // Ten minutes: three lines each, the last one of them how it is, and what was kept back at the end.
    expect(lines.length).toBeLessThanOrEqual(10 * 3 + 1)
    expect(lines.at(-1)!.n).toBe(5_999)
    expect(lines.reduce((sum, { suppressed = 0 }) => sum + suppressed, lines.length)).toBe(6_000)
  })

  it('forgets what it logged where there are too many things, and logs it again', () => {
    const { throttle, line, shown } = opened()
    for (let n = 0; n < 1_024; n++) throttle.write(line(`thing ${n}`, n))
    throttle.write(line('thing 0', 0))
    expect(shown()).toHaveLength(1_024)
    throttle.write(line('one more', 0))
    throttle.write(line('thing 0', 1))
    expect(shown()).toEqual([
      ['one more', 0, undefined],
      ['thing 0', 1, undefined],
    ])
  })
})
