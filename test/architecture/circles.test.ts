/** Imports make no circles, those of types included. */
import { describe, expect, it } from 'vitest'
import { circlesIn, importGraph } from '../../tools/graph/imports.mjs'
import { ROOT } from '../support/sources.js'

const graph = importGraph(ROOT)

describe('[ARCH-6] imports make no circles', () => {
  it('of files', () => {
    expect(graph.size).toBeGreaterThan(200)
    expect(circlesIn(new Map([...graph].map(([path, { imports }]) => [path, imports])))).toEqual([])
  })

  it('of packages', () => {
    const packages = new Map<string, Set<string>>()
    for (const [path, { packages: siblings }] of graph) {
      const name = path.split('/')[1]!
      const known = packages.get(name) ?? new Set()
      packages.set(name, known)
      for (const sibling of siblings) if (sibling !== name) known.add(sibling)
    }
    expect(packages.get('core')).toEqual(new Set())
    expect(packages.get('replica')).toContain('store')
    expect(circlesIn(new Map([...packages].map(([name, siblings]) => [name, [...siblings]])))).toEqual([])
  })

  it('and every import leads to a file that is there', () => {
    for (const [path, { imports }] of graph)
      for (const target of imports) expect(graph.has(target), `${path}: ${target}`).toBe(true)
  })

  it('and a circle would be found', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
      ['e', ['e']],
    ])
    expect(circlesIn(edges)).toEqual([['a', 'b', 'c'], ['e']])
  })
})
