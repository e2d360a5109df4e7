/** What the table of commands says, checked against itself. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasColours } from '../../packages/cli/src/colour.js'
import { argumentName, commandPaths, flagName } from '../../packages/cli/src/command.js'
import { COMMANDS } from '../../packages/cli/src/commands.js'
import { openProgress } from '../../packages/cli/src/progress.js'
import { SETTING_FLAGS } from '../../packages/cli/src/settings-flags.js'
import { ROOT } from '../support/sources.js'

const README = join(ROOT, 'packages/cli/README.md')
const MAX_WORDS = 25
const all = commandPaths(COMMANDS)

describe('[CLI-8] the table of commands', () => {
  it('says everything in sentences of at most 25 words', () => {
    const sentences = all.flatMap(({ path, command }) => [
      command.about,
      command.example.does,
      ...command.arguments.map(({ about }) => about),
      // What a setting is, its schema says.
      ...Object.entries(command.flags).flatMap(([name, { about }]) => (name in SETTING_FLAGS ? [] : [about])),
      ...(command.more ?? '')
        .split('\n')
        .filter((line) => path[0] !== 'serve' && /^\S/.test(line))
        .join(' ')
        .split(/[.;:] /),
    ])
    expect(sentences.filter((each) => each.split(/\s+/).length > MAX_WORDS)).toEqual([])
    expect(sentences.length).toBeGreaterThan(60)
  })

  it('is what the README says', () => {
    const rows = all.map(({ path, command }) => {
      const words = ['sojourn', ...path, ...command.arguments.map(argumentName)]
      return `| \`${words.join(' ')}\` | ${command.about} |`
    })
    const table = ['| | |', '|---|---|', ...rows].join('\n')
    const readme = readFileSync(README, 'utf8')
    const current = readme.replace(/(<!-- commands -->\n)[\s\S]*?(\n<!-- \/commands -->)/, `$1${table}$2`)
    if (process.env.UPDATE_DOCS) writeFileSync(README, current)
    expect(readme, 'out of date: UPDATE_DOCS=1 npx vitest run cli-table').toBe(current)
    expect(readme).toContain(table)
  })

  it('has an example of each command, with flags that the command has', () => {
    for (const { path, command } of all) {
      const { line } = command.example
      expect(line).toContain(`sojourn ${path.join(' ')}`)
      const known = Object.keys(command.flags).map(flagName)
      for (const [flag] of line.matchAll(/--[\w-]+/g)) expect(known, line).toContain(flag)
    }
  })
})

describe('[CLI-7] colours', () => {
  const cases: [what: string, env: NodeJS.ProcessEnv, onTerminal: boolean, elsewhere: boolean][] = [
    ['go to terminals', { TERM: 'xterm' }, true, false],
    ['not where NO_COLOR is set', { NO_COLOR: '1' }, false, false],
    ['everywhere where FORCE_COLOR is', { FORCE_COLOR: '1' }, true, true],
    ['nowhere where both are', { NO_COLOR: '1', FORCE_COLOR: '1' }, false, false],
    ['nowhere where FORCE_COLOR says none', { FORCE_COLOR: '0' }, false, false],
    ['where NO_COLOR is empty, as without it', { NO_COLOR: '' }, true, false],
    ['not to a terminal that has none', { TERM: 'dumb' }, false, false],
  ]
  it.each(cases)('%s', (_, env, onTerminal, elsewhere) => {
    expect([hasColours({ isTTY: true }, env), hasColours({}, env)]).toEqual([onTerminal, elsewhere])
  })
})

describe('[CLI-7] progress', () => {
  const open = (isLive: boolean) => {
    let now = 0
    const written: string[] = []
    const clock = { monotonic: () => now }
    const progress = openProgress({ isLive, columns: 10, write: (text) => void written.push(text) }, clock)
    const at = (ms: number, text: string): void => {
      now = ms
      progress.report(() => text)
    }
    return { progress, written, at }
  }

  it('is one line on a terminal, drawn over ten times a second, no wider than it, and cleared', () => {
    const { progress, written, at } = open(true)
    at(0, 'first')
    at(99, 'too soon')
    at(100, 'twelve chars')
    progress.end()
    progress.end()
    expect(written).toEqual(['\r\u001b[Kfirst', '\r\u001b[Ktwelve ch', '\r\u001b[K'])
  })

  it('is a plain line every five seconds elsewhere', () => {
    const { progress, written, at } = open(false)
    for (let ms = 0; ms < 11_000; ms += 100) at(ms, `line at ${ms}`)
    progress.end()
    expect(written).toEqual(['line at 5000\n', 'line at 10000\n'])
  })

  it('is nothing where nothing lasts', () => {
    const { progress, written, at } = open(false)
    at(4_999, 'soon over')
    progress.end()
    expect(written).toEqual([])
  })
})
