import type { Level, Verdict } from '@sojourn/core/internal'
import { answer, fail, quorumUnmet, regionsNeeded, startTally, verdict } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

describe('how many regions a level asks for', () => {
  test.each<[Level, number, number]>([
    ['local', 1, 1],
    ['local', 5, 1],
    ['majority', 1, 1],
    ['majority', 2, 2],
    ['majority', 3, 2],
    ['majority', 4, 3],
    ['majority', 5, 3],
    ['all', 1, 1],
    ['all', 4, 4],
    [1, 3, 1],
    [3, 3, 3],
  ])('[QUO-1] %j of %d is %d', (level, members, need) => {
    expect(regionsNeeded(level, members, 'write')).toBe(need)
  })

  test.each([[0], [4], [-1], [1.5], [Number.NaN], ['quorum'], ['2'], [null], [undefined], [{}]])(
    '[QUO-1] %j of 3 is refused',
    (level) => {
      expect(() => regionsNeeded(level as Level, 3, 'write')).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION', option: 'write' }),
      )
    },
  )

  test('[QUO-1] two majorities of the same members always meet', () => {
    for (let members = 1; members <= 50; members++)
      expect(2 * regionsNeeded('majority', members, 'write')).toBeGreaterThan(members)
  })
})

describe('the tally', () => {
  /** `+b`: region b answered; `-b`: it will not. */
  test.each<[need: number, members: number, events: string, after: Verdict]>([
    [1, 3, '', 'met'],
    [2, 3, '', 'open'],
    [2, 3, '+b', 'met'],
    [2, 3, '-b', 'open'],
    [2, 3, '-b +c', 'met'],
    [2, 3, '-b -c', 'unmet'],
    [3, 3, '+b', 'open'],
    [3, 3, '-b', 'unmet'],
    [3, 3, '+b +c', 'met'],
    // One region counts once, however often it speaks, this one too.
    [3, 3, '+b +b', 'open'],
    [2, 3, '+a', 'open'],
    [2, 3, '-b -b', 'open'],
    // An answer stands; a failure gives way to an answer that came after all.
    [2, 3, '+b -b', 'met'],
    [2, 3, '-b +b', 'met'],
    [3, 3, '-b +b', 'open'],
    [2, 3, '-a -b', 'open'],
    [3, 5, '-b -c +d', 'open'],
    [3, 5, '-b -c -d', 'unmet'],
    [3, 5, '-b -c +d +e', 'met'],
  ])('[QUO-1] %d of %d after "%s" is %s', (need, members, events, after) => {
    let tally = startTally(need, members, 'a')
    for (const event of events.split(' ').filter(Boolean)) {
      const before = structuredClone(tally)
      const next = (event[0] === '+' ? answer : fail)(tally, event[1]!)
      expect(tally).toEqual(before)
      tally = next
    }
    expect(verdict(tally)).toBe(after)
  })

  test('[QUO-1] a region that cannot read its own copy is none of those that answered, until it can', () => {
    const asking = startTally(2, 3, 'a', true)
    expect(verdict(answer(asking, 'b'))).toBe('open')
    expect(verdict(fail(asking, 'b'))).toBe('unmet')
    expect(answer(answer(asking, 'b'), 'c')).toMatchObject({ answered: ['b', 'c'], failed: ['a'] })
    expect(answer(asking, 'a')).toEqual(startTally(2, 3, 'a'))
    expect(verdict(startTally(1, 3, 'a', true))).toBe('open')
  })

  test('[QUO-1] an unmet write says that it may have been applied, an unmet read does not', () => {
    const tally = answer(startTally(3, 4, 'a'), 'b')
    const details = { code: 'QUORUM_UNMET', need: 3, got: 2, regions: ['a', 'b'] }
    expect(quorumUnmet(tally, true)).toMatchObject({ ...details, mayHaveApplied: true })
    expect(quorumUnmet(tally, false)).toMatchObject({ ...details, mayHaveApplied: false })
  })
})
