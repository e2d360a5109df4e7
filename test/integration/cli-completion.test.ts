/** The scripts of `sojourn completion`, loaded by the shells that they are for. */
import { beforeAll, describe, expect, it } from 'vitest'
import { commandPaths, flagName } from '../../packages/cli/src/command.js'
import { COMMANDS } from '../../packages/cli/src/commands.js'
import { hasShell, offersOf, type Shell } from '../support/completion.js'
import { sojourn } from '../support/sojourn-process.js'
import { ROOT } from '../support/sources.js'

const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish']
const sorted = (words: readonly string[]) => [...words].sort()

const CASES: readonly [words: string[], offers: string[]][] = [
  [['s'], ['serve', 'sessions', 'settings', 'status']],
  [
    ['region', ''],
    ['add', 'remove'],
  ],
  [['config', ''], ['check']],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
  [
    ['get', '--read', ''],
    ['all', 'local', 'majority'],
  ],
  [
    ['end', '-', '--reason', 'r'],
    ['reused', 'revoked', 'rotated'],
  ],
  // A subject may be left out.
  [['end', '--subject', '--exc'], ['--except']],
  [['sessions', '--subj'], ['--subject']],
  [['get', '--adm'], ['--admin']],
  [['region', 'add', 'sa', 'null', '--admin-'], ['--admin-url']],
  [
    ['serve', '--fsync', ''],
    ['always', 'everysec', 'never'],
  ],
  [['config', 'check', '--clients-tls-k'], ['--clients-tls-key-file']],
  // A name of a region that is the name of a command, too.
  [['region', 'add', 'status', '--wat'], []],
  [['status', '--wat'], ['--watch']],
  // Files, where files belong.
  [['backup', 'LICEN'], ['LICENSE']],
  [['restore', '--config', 'LICEN'], ['LICENSE']],
]

describe.each(SHELLS)('[CLI-4] completion', (shell) => {
  const isThere = hasShell(shell)
  let script = ''
  beforeAll(async () => {
    const ended = await sojourn(['completion', shell])
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    script = ended.stdout
  })

  it.skipIf(!isThere)(
    `${shell} offers commands, flags, values and files${isThere ? '' : ' (skipped: no such shell)'}`,
    () => {
      const offers = offersOf(
        shell,
        script,
        CASES.map(([words]) => words),
        ROOT,
      )
      for (const [index, [words, expected]] of CASES.entries())
        expect(sorted(offers[index]!), words.join(' ')).toEqual(expected)
    },
  )

  it(`${shell} is given every command, flag and choice of the table`, () => {
    for (const { path, command } of commandPaths(COMMANDS)) {
      for (const word of path) expect(script).toContain(word)
      for (const [name, { choices = [] }] of Object.entries(command.flags)) {
        expect(script, path.join(' ')).toContain(shell === 'fish' ? `-l ${flagName(name).slice(2)}` : flagName(name))
        for (const each of choices) expect(script).toContain(each)
      }
    }
  })
})

it.skipIf(!hasShell('bash'))('[CLI-4] bash offers exactly the flags of each command', async () => {
  const { stdout } = await sojourn(['completion', 'bash'])
  const all = commandPaths(COMMANDS)
  const offers = offersOf(
    'bash',
    stdout,
    all.map(({ path }) => [...path, '--']),
  )
  for (const [index, { path, command }] of all.entries())
    expect(sorted(offers[index]!), path.join(' ')).toEqual(
      sorted([...Object.keys(command.flags).map(flagName), '--help']),
    )
})

it('[CLI-4] a shell that there is no script for is refused', async () => {
  expect(await sojourn(['completion', 'csh'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('shell is "csh"; give one of bash, zsh, fish'),
  })
})
