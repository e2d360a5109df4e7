/** The command line: parses the arguments, runs a command, and ends with its code. */
import { isSojournError } from '@sojourn/core/internal'
import { VERSION } from '@sojourn/server/parts'
import { CommanderError } from 'commander'
import { COMMANDS } from './commands.js'
import { EXIT, exitOf } from './exit-codes.js'
import { endWithReader, processOutput } from './output.js'
import { programOf } from './program.js'

const MORE = `
Exit codes:
  0    The command is done.
  1    The command is done, and the answer is no: no such session or region, regions that differ or do not hold an end yet.
  2    Settings or arguments are wrong.
  3    A store could not be opened, a file could not be written, or a backup is damaged or needs a key that was not given.
  4    The server cannot listen on an address.
  5    A region could not be reached, refused the token, or answered with an error.
  7    A region of \`sojourn dev\` ended by itself.
  70   Sojourn has a bug.

Commands take tokens from SOJOURN_TOKEN or --token-file, never from a flag. NO_COLOR and FORCE_COLOR decide about colours.
\`sojourn <command> --help\` shows the rest.
`

/** As the store makes ids, and made them before ids had two parts; one in 64 of these begins with what an option begins with. */
const DASHED_ID = /^-(?:[\w-]{21}\.[\w-]{22}|[\w-]{42})$/

/** `sojourn help end` is `sojourn end --help`, which says so where there is no such command. */
const withHelpLast = (argv: readonly string[]): readonly string[] => {
  const [node, script, word, name, ...rest] = argv
  if (word !== 'help' || name === undefined) return argv
  const isKnown = COMMANDS.some((entry) => entry.name === name)
  return [node!, script!, name, ...rest, ...(isKnown ? ['--help'] : [])]
}

/** An id that would be taken for an option stands after `--`, where none are. */
const withIdLast = (argv: readonly string[]): readonly string[] => {
  const at = argv.findIndex((arg, index) => index > 2 && DASHED_ID.test(arg))
  return at < 0 || argv.includes('--') ? argv : [...argv.toSpliced(at, 1), '--', argv[at]!]
}

const textOf = (error: unknown): string =>
  isSojournError(error) ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)

/**
 * Runs a command line and sets the exit code of this process, one of `exit-codes.ts`.
 * @param argv as `process.argv`
 * @example await main(['node', 'sojourn', 'status', '--json'])
 */
export const main = async (argv: readonly string[]): Promise<void> => {
  const { env, stdin: input } = process
  const out = processOutput(env)
  const done = (code: number): void => {
    process.exitCode = code
  }
  endWithReader()
  const fail = (error: unknown): void => {
    out.aside(`${out.paintAside('red', 'sojourn:')} ${textOf(error)}`)
    done(exitOf(error))
  }
  process.on('uncaughtException', (error) => {
    fail(error)
    process.exit()
  })
  const about = 'An active-active, multi-region session store'
  const program = programOf({
    entries: COMMANDS,
    about,
    version: VERSION,
    more: MORE,
    surroundings: { env, input, out },
    done,
  })
  try {
    await program.parseAsync(withIdLast(withHelpLast(argv)))
  } catch (error) {
    // Commander has said what is wrong, or has shown the help that was asked for.
    if (error instanceof CommanderError) done(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
    else fail(error)
  }
}
