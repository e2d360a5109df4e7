/** The map is whole: ARCHITECTURE.md names every file of the product, and nothing that is not there. */
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesBelow, ROOT } from '../support/sources.js'

const map = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
/** Everything in backticks: files, by name or path, and folders, which end with a slash. */
const named = new Set([...map.matchAll(/`([\w./*-]+)`/g)].map(([, name]) => name!))
const files = filesBelow('packages', '.ts').filter((path) => /^packages\/[\w-]+\/src\//.test(path))

/** The door of a package, and what is made by a command, need no row of their own. */
const isPlain = (path: string): boolean => /(^|\/)(index|main)\.ts$|\.generated\.ts$/.test(path)

const hasRow = (path: string): boolean => {
  const inPackage = path.split('/').slice(3).join('/')
  const folders = inPackage.split('/').slice(0, -1)
  return (
    named.has(basename(path)) ||
    named.has(inPackage) ||
    folders.some((_, index) => named.has(`${folders.slice(0, index + 1).join('/')}/`))
  )
}

describe('[ARCH-7] ARCHITECTURE.md is the map of the code', () => {
  it('every file has a row', () => {
    expect(files.length).toBeGreaterThan(250)
    expect(files.filter((path) => !isPlain(path) && !hasRow(path))).toEqual([])
  })

  it('every row has a file', () => {
    const there = new Set(files.flatMap((path) => [basename(path), path.split('/').slice(3).join('/'), dirname(path)]))
    const sources = [...named].filter((name) => /\w\.ts$/.test(name) && !name.includes('*'))
    expect(sources.filter((name) => !there.has(name) && !there.has(basename(name)) && !isElsewhere(name))).toEqual([])
  })
})

/** The map names files of the demo and of tests, too. */
const isElsewhere = (name: string): boolean =>
  ['demo', 'test', 'bench', 'nemesis'].some((folder) =>
    filesBelow(folder, '.ts').some((path) => path.endsWith(`/${name}`)),
  )
