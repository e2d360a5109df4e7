/** `sojourn completion`: scripts for bash, zsh and fish, written from the table of commands. They ask nothing at run time. */
import {
  type Argument,
  type Command,
  commandPaths,
  type Entry,
  type Flag,
  flagName,
  isGroup,
  type Offer,
} from './command.js'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Every command line has it. */
const HELP: readonly [names: readonly string[], flag: Pick<Flag, 'about'>] = [
  ['-h', '--help'],
  { about: 'Show the help' },
]

type Named = readonly [names: readonly string[], flag: Pick<Flag, 'about' | 'value' | 'choices' | 'files' | 'repeats'>]

const flagsOf = ({ flags }: Command): readonly Named[] => [
  ...Object.entries(flags).map(
    ([name, flag]): Named => [[...(flag.short === undefined ? [] : [`-${flag.short}`]), flagName(name)], flag],
  ),
  HELP,
]

const groupsOf = (entries: readonly Entry[]) => entries.filter(isGroup)

/** The first words of what the help says: a list has one line for each flag. */
const brief = (about: string): string => about.split(/[.;:](?: |$)/)[0]!

/** Between single quotes, as bash and zsh read them. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const INDENT = '        '

/** A statement of a bash script that offers words, files, or nothing. */
const bashOffer = ({ choices, files }: Offer): string => {
  if (choices !== undefined) return `words=${quote(choices.join(' '))}`
  if (files !== undefined) return `_sojourn_files ${files === 'directory' ? '-d' : '-f'}; return`
  return 'return'
}

/** Arguments of which only some can be offered: those come wherever no flag does. */
const offeredOf = ({ arguments: args }: Command): Argument | undefined =>
  args.find(({ choices, files }) => choices !== undefined || files !== undefined)

/** Flags by what is offered after them, so that the script has a line for each offer, not for each flag. */
const bashValues = (flags: readonly Named[]): string[] => {
  const byOffer = new Map<string, string[]>()
  for (const [names, flag] of flags) {
    if (flag.value === undefined) continue
    const isOptional = flag.value.startsWith('[')
    const offer = isOptional
      ? `if [[ $current == -* ]]; then words=$flags; else ${bashOffer(flag)}; fi`
      : bashOffer(flag)
    byOffer.set(offer, [...(byOffer.get(offer) ?? []), ...names])
  }
  return [...byOffer].map(([offer, names]) => `${INDENT}    ${names.join('|')}) ${offer} ;;`)
}

const bashCase = (path: readonly string[], command: Command): string => {
  const flags = flagsOf(command)
  const offered = offeredOf(command)
  const rest = `if [[ $current == -* ]]; then words=$flags; else ${offered === undefined ? 'return' : bashOffer(offered)}; fi`
  return `${INDENT}${quote(path.join(' '))})
${INDENT}  flags=${quote(flags.map(([names]) => names.at(-1)!).join(' '))}
${INDENT}  case "$previous" in
${[...bashValues(flags), `${INDENT}    *) ${rest} ;;`].join('\n')}
${INDENT}  esac ;;`
}

const bash = (entries: readonly Entry[]): string => {
  const groups = groupsOf(entries)
  const lists = groups.map(
    ({ name, commands }) => `${INDENT}${quote(name)}) words=${quote(commands.map((each) => each.name).join(' '))} ;;`,
  )
  // Nothing here is newer than bash 3.2, which macOS has.
  return `# bash completion for sojourn. Load it with: source <(sojourn completion bash)
_sojourn_files() {
  compopt -o filenames 2>/dev/null
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$current"))
}

_sojourn() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' flags=''
  COMPREPLY=()
  # bash takes --flag=value apart at the sign.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if (( COMP_CWORD > 1 )); then path=\${COMP_WORDS[1]}; fi
  case "$path" in
    ${groups.map(({ name }) => name).join('|') || "''"}) if (( COMP_CWORD > 2 )); then path+=" \${COMP_WORDS[2]}"; fi ;;
  esac
  case "$path" in
${INDENT}'') words=${quote(`${entries.map(({ name }) => name).join(' ')} --help --version`)} ;;
${lists.join('\n')}
${commandPaths(entries)
  .map(({ path, command }) => bashCase(path, command))
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _sojourn sojourn
`
}

/** What `_arguments` and `_describe` read as signs of their own. */
const zshText = (text: string): string => text.replace(/[[\]\\:]/g, '\\$&').replaceAll('\n', ' ')

const zshOffer = ({ choices, files }: Offer): string => {
  if (choices !== undefined) return `(${choices.join(' ')})`
  return files === undefined ? ' ' : files === 'directory' ? '_files -/' : '_files'
}

const zshFlag = ([names, flag]: Named): string => {
  const isOptional = flag.value?.startsWith('[') === true
  const message = zshText((flag.value ?? '').replace(/[<>[\]]/g, ''))
  const takes = flag.value === undefined ? '' : `${isOptional ? '::' : ':'}${message}:${zshOffer(flag)}`
  const once = flag.repeats ? '*' : names.length === 1 ? '' : `(${names.join(' ')})`
  // With the sign, a value may stand after it, or in the next word.
  const sign = (name: string) => (flag.value !== undefined && name.startsWith('--') ? '=' : '')
  return names.map((name) => quote(`${once}${name}${sign(name)}[${zshText(brief(flag.about))}]${takes}`)).join(' ')
}

const zshFunction = (path: readonly string[]): string => ['_sojourn', ...path].join('_')

const zshCommand = (path: readonly string[], command: Command): string => {
  const args = command.arguments.map((each) => quote(`:${zshText(each.name)}:${zshOffer(each)}`))
  return `${zshFunction(path)}() {
  _arguments -s -S \\
    ${[...flagsOf(command).map(zshFlag), ...args].join(' \\\n    ')}
}`
}

/** Completes the next word out of a list, and goes on with the function of what was chosen. */
const zshList = (path: readonly string[], entries: readonly Entry[]): string => {
  const described = entries.map(({ name, about }) => quote(`${zshText(name)}:${zshText(about)}`))
  const cases = entries.map(({ name }) => `        ${name}) ${zshFunction([...path, name])} ;;`)
  const isRoot = path.length === 0
  return `${zshFunction(path)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
    ${described.join('\n    ')}
  )
  _arguments -C ${isRoot ? "'(- *)'{-h,--help}'[Show the help]' '(- *)'{-V,--version}'[Show the version]' " : ''}'1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands command commands ;;
    rest)
      case $words[1] in
${cases.join('\n')}
      esac ;;
  esac
}`
}

const zsh = (entries: readonly Entry[]): string => `#compdef sojourn
# zsh completion for sojourn. Load it with: source <(sojourn completion zsh)
${[
  ...commandPaths(entries).map(({ path, command }) => zshCommand(path, command)),
  ...groupsOf(entries).map(({ name, commands }) => zshList([name], commands)),
  zshList([], entries),
].join('\n\n')}

# In a folder of $fpath this file is the function; sourced, it must be bound.
if [[ $funcstack[1] == _sojourn ]]; then _sojourn "$@"; else compdef _sojourn sojourn; fi
`

const fishQuote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const fishTakes = ({ choices, files }: Offer): string => {
  if (choices !== undefined) return `-x -a ${fishQuote(choices.join(' '))}`
  return files === undefined ? '-x' : files === 'directory' ? "-x -a '(__fish_complete_directories)'" : '-r -F'
}

const fishFlag = (where: string, [names, flag]: Named): string => {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const isOptional = flag.value?.startsWith('[') === true
  const takes = flag.value === undefined ? '' : ` ${isOptional ? fishTakes(flag).replace('-x', '-f') : fishTakes(flag)}`
  return `complete -c sojourn -n ${where} ${spelt.join(' ')}${takes} -d ${fishQuote(brief(flag.about))}`
}

const fishList = (path: readonly string[], entries: readonly Entry[]): string[] =>
  entries.map(
    ({ name, about }) =>
      `complete -c sojourn -n ${fishQuote(`__sojourn_at ${path.join(' ')}`.trim())} -a ${name} -d ${fishQuote(about)}`,
  )

const fishCommand = (path: readonly string[], command: Command): string[] => {
  const where = fishQuote(`__sojourn_below ${path.join(' ')}`)
  const offered = offeredOf(command)
  const args =
    offered === undefined
      ? []
      : [`complete -c sojourn -n ${where} ${offered.choices ? `-a ${fishQuote(offered.choices.join(' '))}` : '-F'}`]
  return [...flagsOf(command).map((each) => fishFlag(where, each)), ...args]
}

const fish = (
  entries: readonly Entry[],
): string => `# fish completion for sojourn. Load it with: sojourn completion fish | source
function __sojourn_below --description 'Whether the words before the cursor begin with these'
    set -l words (commandline -opc)
    set -e words[1]
    set -l depth (count $argv)
    test (count $words) -ge $depth; and test "$words[1..$depth]" = "$argv"
end

function __sojourn_at --description 'Whether the words before the cursor are these'
    set -l words (commandline -opc)
    set -e words[1]
    test (count $words) -eq (count $argv); and test "$words" = "$argv"
end

complete -c sojourn -f
complete -c sojourn -n __sojourn_at -s h -l help -d 'Show the help'
complete -c sojourn -n __sojourn_at -s V -l version -d 'Show the version'
${[
  ...fishList([], entries),
  ...groupsOf(entries).flatMap(({ name, commands }) => fishList([name], commands)),
  ...commandPaths(entries).flatMap(({ path, command }) => fishCommand(path, command)),
].join('\n')}
`

const SCRIPTS: { readonly [shell in Shell]: (entries: readonly Entry[]) => string } = { bash, zsh, fish }

/** The script of a shell. */
export const completionScript = (shell: Shell, entries: readonly Entry[]): string => SCRIPTS[shell](entries).trimEnd()
