import { describe, expect, it } from 'vitest'
import { filesBelow, readSource } from '../support/sources.js'

const RULE = /\[([A-Z]+-\d+)\]/g

/** A rule stands in SPEC.md in bold, once. */
const stated = [...readSource('SPEC.md').text.matchAll(/\*\*\[([A-Z]+-\d+)\]\*\*/g)].map((match) => match[1]!)

/** Titles begin with their rules: one that is only mentioned in a comment is carried by nobody. */
const carried = new Set(
  filesBelow('test', '.test.ts').flatMap((path) =>
    [...readSource(path).code.matchAll(/\(\s*['"`]((?:\[[A-Z]+-\d+\]\s*)+)/g)].flatMap(([, rules]) =>
      [...rules!.matchAll(RULE)].map((match) => match[1]!),
    ),
  ),
)

describe('[SPEC-1] the rules and the tests know each other', () => {
  it('no rule is stated twice', () => {
    expect(stated.filter((rule, index) => stated.indexOf(rule) !== index)).toEqual([])
  })

  it('every rule of SPEC.md is carried by a test', () => {
    expect(stated.length).toBeGreaterThan(30)
    expect(stated.filter((rule) => !carried.has(rule))).toEqual([])
  })

  it('every rule that a test carries is in SPEC.md', () => {
    expect([...carried].filter((rule) => !stated.includes(rule)).sort()).toEqual([])
  })
})
