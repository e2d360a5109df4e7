/** Makes of the table of commands what parses arguments and writes help; it refuses what the table does not have, with the nearest name. */
import { Option, Command as Parser } from 'commander'
import { argumentName, type Call, type Command, type Entry, type Flag, flagName, isGroup } from './command.js'
import { refused } from './flags.js'

/** What a command finds around it. */
export type Surroundings = Pick<Call, 'env' | 'input' | 'out'>

export interface ProgramOptions {
  readonly entries: readonly Entry[]
  readonly about: string
  readonly version: string
  /** The end of the help of the whole. */
  readonly more: string
  readonly surroundings: Surroundings
  /** The command is done, with this exit code. */
  readonly done: (code: number) => void
}

const optionOf = (name: string, { about, value, short, default: fallback, group, repeats }: Flag): Option => {
  const names = [...(short === undefined ? [] : [`-${short}`]), flagName(name)].join(', ')
  const option = new Option(value === undefined ? names : `${names} ${value}`, about)
  if (fallback !== undefined) option.default(fallback, fallback)
  if (group !== undefined) option.helpGroup(group)
  if (repeats) option.argParser((given: string, before: readonly string[] = []) => [...before, given])
  return option
}

/** What a command is called with, of what was parsed. @throws INVALID_OPTION */
const callOf = (
  { flags, arguments: declared }: Command,
  args: Call['args'],
  given: Readonly<Record<string, never>>,
  surroundings: Surroundings,
): Call => {
  for (const [index, { name, choices }] of declared.entries()) {
    const given = args[index]
    if (given !== undefined && choices !== undefined && !choices.includes(given))
      throw refused(name, given, `one of ${choices.join(', ')}`)
  }
  return {
    ...surroundings,
    args,
    flags: Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [name, flag.read(given[name], flagName(name))]),
    ),
  }
}

const HELP = ['-h, --help', 'Show the help'] as const

const addCommand = (parent: Parser, path: string, command: Command, options: ProgramOptions): void => {
  const parser = parent
    .command(command.name)
    .description(`${command.about}.`)
    .helpOption(...HELP)
  for (const argument of command.arguments) parser.argument(argumentName(argument), argument.about)
  for (const [name, flag] of Object.entries(command.flags)) parser.addOption(optionOf(name, flag))
  const { line, does } = command.example
  parser.addHelpText(
    'after',
    `\nExample:\n  ${line}\n      ${does}.${command.more === undefined ? '' : `\n${command.more}`}`,
  )
  refuseIn(parser, path)
  parser.action(async (...given: unknown[]) => {
    const args = given.slice(0, command.arguments.length) as (string | undefined)[]
    const code = await command.run(callOf(command, args, parser.opts(), options.surroundings))
    if (code !== undefined) options.done(code)
  })
}

/** What is wrong is thrown, in one line that says where to look. */
const refuseIn = (parser: Parser, path: string): void => {
  parser.exitOverride()
  parser.configureOutput({
    outputError: (text, write) => {
      const fault = text
        .replace(/^error: /, '')
        .trim()
        .replace('\n(Did you mean ', '; did you mean ')
        .replace(/\?\)$/, '?')
      write(`sojourn: ${fault}\n\`${path} --help\` shows the commands and flags.\n`)
    },
  })
}

const add = (parent: Parser, entries: readonly Entry[], path: string, options: ProgramOptions): void => {
  for (const entry of entries) {
    const below = `${path} ${entry.name}`
    if (isGroup(entry)) {
      const group = parent
        .command(entry.name)
        .description(`${entry.about}.`)
        .helpOption(...HELP)
      refuseIn(group, below)
      add(group, entry.commands, below, options)
    } else addCommand(parent, below, entry, options)
  }
}

/** The whole command line, ready to parse. */
export const programOf = (options: ProgramOptions): Parser => {
  const root = new Parser('sojourn')
    .description(`${options.about}.`)
    .version(options.version, '-V, --version', 'Show the version')
    .helpCommand('help [command]', 'Show the help of a command')
    .helpOption(...HELP)
    .addHelpText('after', options.more)
    .configureHelp({
      styleTitle: (text) => options.surroundings.out.paint('bold', text),
      styleCommandText: (text) => options.surroundings.out.paint('cyan', text),
      styleSubcommandText: (text) => options.surroundings.out.paint('cyan', text),
      styleOptionText: (text) => options.surroundings.out.paint('cyan', text),
    })
  refuseIn(root, 'sojourn')
  add(root, options.entries, 'sojourn', options)
  return root
}
