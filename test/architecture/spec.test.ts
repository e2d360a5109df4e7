import { describe, expect, it } from 'vitest'
import { carriedRules, statedRules } from '../support/rules.js'

const stated = statedRules()
const carried = carriedRules()

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
