/** How the pages for users are written: short sentences, the field's words, and links that lead somewhere. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BANNED, MAX_WORDS, sentencesOf, wordsOf } from '../support/prose.js'
import { PAGES } from '../support/snippets.js'
import { filesBelow, ROOT } from '../support/sources.js'

const MAX_README_LINES = 200

/** Pages that were there before the rule about sentences. */
const OLDER = ['docs/conflicts.md', 'CONTRIBUTING.md']
const ALL = [
  ...PAGES,
  'ARCHITECTURE.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'nemesis/README.md',
  ...filesBelow('examples', 'README.md'),
]
const SHORT = ALL.filter((page) => !OLDER.includes(page))

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** Without code, comments, HTML, and the addresses of links. */
const proseOf = (text: string): string =>
  text
    .replace(/^```[\s\S]*?^```$/gm, '\n')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<[^>]+>/g, '')
    .replace(/`[^`]*`/g, 'code')
    .replace(/\]\([^)]*\)/g, ']')

/** Paragraphs, list items, headings and the cells of tables, each a text of its own. */
const blocksOf = (prose: string): string[] =>
  prose
    .split(/\n\s*\n|\n(?=\s*(?:[-|#]|\d+\.) ?)/)
    .flatMap((block) => (block.trim().startsWith('|') ? block.split('|') : [block]))
    .map((block) => block.replace(/\s+/g, ' ').trim())

describe('[README-3] pages are short and plain', () => {
  it(`README.md has at most ${MAX_README_LINES} lines`, () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(MAX_README_LINES)
  })

  it.each(SHORT)(`%s has no sentence of more than ${MAX_WORDS} words`, (page) => {
    const long = blocksOf(proseOf(read(page)))
      .flatMap(sentencesOf)
      .filter((sentence) => wordsOf(sentence) > MAX_WORDS)
      .map((sentence) => `${wordsOf(sentence)} words: ${sentence}`)
    expect(long).toEqual([])
  })

  it.each(ALL)("%s uses the field's words", (page) => {
    const prose = proseOf(read(page)).replace(/\s+/g, ' ')
    const found = BANNED.flatMap(([word, instead]) =>
      [...prose.matchAll(new RegExp(`.{0,30}${word.source}.{0,30}`, 'gi'))].map(([text]) => `${text} → ${instead}`),
    )
    expect(found).toEqual([])
  })

  it('and the rules find what they look for', () => {
    const [long] = sentencesOf(`${'word '.repeat(MAX_WORDS)}word. Short.`)
    expect(wordsOf(long!)).toBe(MAX_WORDS + 1)
    expect(blocksOf('A\nb.\n\n- c\n- d\n\n| e | f |')).toEqual(['A b.', '- c', '- d', '', 'e', 'f', ''])
    expect(
      BANNED.filter(([word]) => word.test('a peer is told of a rotten stretch by a dialler that walks')),
    ).toHaveLength(5)
  })
})

/** As GitHub names a heading's anchor. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/`/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-')

const LINKING = [
  ...ALL,
  'SPEC.md',
  ...['packages', 'deploy', 'bench'].flatMap((folder) => filesBelow(folder, 'README.md')),
]

describe('[README-5] links lead to what is there', () => {
  it.each(LINKING)('of %s', (page) => {
    const text = read(page).replace(/^```[\s\S]*?^```$/gm, '')
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(
      ([, link, source]) => link ?? source!,
    )
    const dead = targets.filter((target) => {
      if (/^https?:/.test(target)) return false
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, file))) return true
      if (anchor === undefined) return false
      return ![...read(file).matchAll(/^#+ (.*)$/gm)].some(([, heading]) => anchorOf(heading!) === anchor)
    })
    expect(dead).toEqual([])
  })
})

describe('[README-6] the glossary', () => {
  const rows = [...read('docs/glossary.md').matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)]
    .map(([, word, meaning]) => [word!, meaning!] as const)
    .filter(([word]) => word !== 'word')

  it('has each word once, in one sentence', () => {
    expect(rows.length).toBeGreaterThan(50)
    const words = rows.map(([word]) => word)
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([])
    const strays = rows.filter(([, meaning]) => !/^[A-Z][^.]*(?:SPEC\.md[^.]*)?\.$/.test(meaning))
    expect(strays).toEqual([])
  })

  it('has the words of the code', () => {
    const needed =
      'session, region, replica, peer, link, id, key, document, map, register, change, delta, record, lease, deadline, limit, end, expired, purge, stamp, actor, ' +
      'incarnation, journal, checkpoint, feed, sequence, segment, scan, cursor, vector, claim, acknowledge, lagging, in step, quorum, tally, read repair, digest, ' +
      'handle, credential, subject, authentication, elevate, rotate, cutoff, receipt, horizon, view, engine, door, repair, corrupt, unauthenticated, drain, dialer'
    const words = new Set(rows.map(([word]) => word))
    expect(needed.split(', ').filter((word) => !words.has(word))).toEqual([])
  })

  it('is linked from ARCHITECTURE.md', () => {
    expect(read('ARCHITECTURE.md')).toContain('(docs/glossary.md)')
  })
})
