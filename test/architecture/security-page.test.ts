/** Whether docs/security.md answers each requirement, with rules that tests carry. */
import { describe, expect, it } from 'vitest'
import { carriedRules, rulesIn, statedRules } from '../support/rules.js'
import { readSource } from '../support/sources.js'

const page = readSource('docs/security.md').text

/** The rows of a table, each a list of cells. */
const tableOf = (mark: string): string[][] => {
  const table = page.match(new RegExp(`<!-- ${mark} -->\n([\\s\\S]*?)<!-- /${mark} -->`))?.[1] ?? ''
  const rows = table.trim().split('\n')
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

/** ASVS 5.0: how many requirements each section has. */
const ASVS = [
  ['7.1', 3],
  ['7.2', 4],
  ['7.3', 2],
  ['7.4', 5],
  ['7.5', 3],
  ['7.6', 2],
  ['3.3', 5],
] as const

/** SP 800-63B-4: its sections about sessions, and what they number. */
const NIST = [
  ...['2.1.3', '2.2.3', '2.3.3', '5.1', '5.1.2', '5.2', '5.3'],
  ...[1, 2, 3, 4, 5, 6].map((n) => `5.1 (${n})`),
  ...[1, 2, 3, 4, 5, 6, 7].map((n) => `5.1.1 (${n})`),
]

const LISTS = { thefts: tableOf('thefts'), asvs: tableOf('asvs'), nist: tableOf('nist') }

describe('[README-7] the page about security', () => {
  it('has a row for each requirement of ASVS, in its order', () => {
    const numbers = ASVS.flatMap(([section, count]) => Array.from({ length: count }, (_, n) => `${section}.${n + 1}`))
    expect(LISTS.asvs.map(([number]) => number)).toEqual(numbers)
  })

  it('has one for each of NIST, and none twice', () => {
    const names = LISTS.nist.map(([name]) => name!)
    expect(new Set(names).size).toBe(names.length)
    const sections = new Set(names.map((name) => name.split(',')[0]!))
    expect([...sections].sort()).toEqual([...NIST].sort())
  })

  it.each(Object.entries(LISTS))(
    'names in each row of %s the tests that show it, or says why there is none',
    (_, rows) => {
      expect(rows.length).toBeGreaterThan(10)
      const silent = rows.filter((cells) => {
        const shown = cells.at(-1)!
        return rulesIn(shown).length === 0 && !/^none: .{10,}/.test(shown)
      })
      expect(silent).toEqual([])
      // Whatever a row leaves to Sojourn, a test shows.
      const idle = rows.filter((cells) => cells.at(-1)!.startsWith('none') && cells.at(-2) !== 'nothing')
      expect(idle).toEqual([])
    },
  )

  it('names no rule that no test carries, or that SPEC.md does not state', () => {
    const [carried, stated] = [carriedRules(), new Set(statedRules())]
    const named = [...new Set(rulesIn(page))]
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter((rule) => !carried.has(rule) || !stated.has(rule))).toEqual([])
  })
})
