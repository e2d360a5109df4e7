/** Whether the tables of docs/reference.md are what the code says. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ERROR_CODES } from '@sojourn/core/internal'
import { expect, it } from 'vitest'
// Not a door of its package.
import { EVENT_NAMES } from '../../packages/replica/src/events.js'
import { ROOT } from '../support/sources.js'

const PAGE = join(ROOT, 'docs/reference.md')

/** Codes of links, of what comes over them, and of the clock: events have them, and no call of a replica rejects with one. */
const isFault = (code: string): boolean => /^(?:CLOCK|ITEM|CHANGE|RECORD|FRAME|LINK)_/.test(code)

const table = (is: (code: string) => boolean): string => {
  const rows = Object.entries(ERROR_CODES).filter(([code]) => is(code))
  return ['| code | meaning |', '|---|---|', ...rows.map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)].join(
    '\n',
  )
}

const between = (text: string, mark: string, content: string): string =>
  text.replace(
    new RegExp(`(<!-- ${mark} -->\\n)[\\s\\S]*(<!-- /${mark} -->)`),
    (_, begin, end) => `${begin}${content}\n${end}`,
  )

it('[README-4] every event is in the reference', async () => {
  const named = (await readFile(PAGE, 'utf8')).split(/^## /m).find((each) => each.startsWith('Events'))!
  const rows = named.split('\n').filter((line) => line.startsWith('| `'))
  const events = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!))
  expect(events.sort()).toEqual([...EVENT_NAMES].sort())
})

it('[README-4] every error code is in the reference, with what it means', async () => {
  const text = await readFile(PAGE, 'utf8')
  for (const mark of ['errors', 'faults']) expect(text).toContain(`<!-- ${mark} -->`)
  const right = between(
    between(
      text,
      'errors',
      table((code) => !isFault(code)),
    ),
    'faults',
    table(isFault),
  )
  if (process.env.UPDATE_DOCS) await writeFile(PAGE, right)
  expect(await readFile(PAGE, 'utf8'), 'out of date: UPDATE_DOCS=1 npx vitest run docs-tables').toBe(right)
})
