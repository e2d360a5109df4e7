/** Whether docstrings and tables are what the declarations say. `npm run docs:options` writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generatedTypes, TABLES, withTables } from '../support/option-docs.js'
import { filesBelow, ROOT } from '../support/sources.js'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const expectWritten = (path: string, text: string): void => {
  if (process.env.UPDATE_DOCS) writeFileSync(join(ROOT, path), text)
  expect(read(path), `${path} is out of date: npm run docs:options`).toBe(text)
}

const PAGES = ['README.md', ...filesBelow('docs', '.md'), ...filesBelow('packages', 'README.md')]

describe('[OPT-4] what is written of options is what is declared', () => {
  it.each([...generatedTypes()])('the types of %s', (path, text) => expectWritten(path, text))

  it.each(PAGES)('the tables of %s', (path) => expectWritten(path, withTables(read(path))))

  it('and every option stands in a table', () => {
    const pages = PAGES.map(read).join('\n')
    expect(Object.keys(TABLES).filter((name) => !pages.includes(`<!-- options: ${name} -->`))).toEqual([])
  })
})
