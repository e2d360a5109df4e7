/** What real shells offer for a line that begins with `sojourn`, with the script of `sojourn completion` and nothing of the user's own. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Shell = 'bash' | 'zsh' | 'fish'

export const hasShell = (shell: Shell): boolean => spawnSync(shell, ['--version']).error === undefined

/** Fills bash's variables as readline does for TAB at the end of the words; lines come on standard input, words apart by tabs. */
const BASH = `source "$1"
# Outside of readline there is none.
compopt() { :; }
while IFS= read -r line; do
  rest=$line COMP_WORDS=()
  while [[ $rest == *$'\\t'* ]]; do COMP_WORDS+=("\${rest%%$'\\t'*}"); rest=\${rest#*$'\\t'}; done
  COMP_WORDS+=("$rest")
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  COMPREPLY=()
  $(complete -p sojourn | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p')
  echo "\${COMPREPLY[*]}"
done
`

/** A zsh at work in a pseudo-terminal: what its completion adds is written between < and >, and then it ends. */
const ZSH_INNER = `PS1=
autoload -Uz compinit; compinit -u -d "$HOME/.compdump"
source "$SCRIPT"
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a hits
  builtin compadd -A hits "$@"
  (( $#hits )) && print -r -- "<\${(j: :)hits}>"
  builtin compadd "$@"
}
finish() { print -r -- "<END>"; exit }
comppostfuncs=(finish)
bindkey '^I' complete-word
print READY
`
const ZSH = `zmodload zsh/zpty
while IFS= read -r line; do
  zpty z "zsh -f -i"
  zpty -w z "source $INNER"
  zpty -r -m z out '*READY*'
  zpty -w -n z "\${line//$'\\t'/ }"$'\\t'
  zpty -r -m z out '*<END>*'
  zpty -d z
  print -r -- "$out" | tr -d '\\r' | grep -o '<[^<>]*>' | grep -v '<END>' | tr -d '<>' | tr '\\n' ' '
  print
done
`

const FISH = `source $argv[1]
while read -l line
    set -l offers (complete -C (string replace -a \\t ' ' -- $line) | string split -f1 \\t)
    echo "$offers"
end
`

const PROGRAMS: { readonly [shell in Shell]: string } = { bash: BASH, zsh: ZSH, fish: FISH }
const FLAGS: { readonly [shell in Shell]: readonly string[] } = {
  bash: ['--norc', '--noprofile'],
  zsh: ['-f'],
  fish: ['--no-config'],
}

/** The offers for each line, in the order in which the shell gives them. The last word of a line is what TAB is pressed after. */
export const offersOf = (
  shell: Shell,
  script: string,
  lines: readonly (readonly string[])[],
  cwd = tmpdir(),
): string[][] => {
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-completion-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  try {
    const completion = file('completion', script)
    const env = {
      PATH: process.env.PATH,
      HOME: directory,
      TERM: 'xterm',
      SCRIPT: completion,
      INNER: file('inner', ZSH_INNER),
    }
    const { stdout, stderr, status } = spawnSync(
      shell,
      [...FLAGS[shell], file('program', PROGRAMS[shell]), completion],
      {
        input: lines.map((words) => `sojourn\t${words.join('\t')}\n`).join(''),
        env,
        cwd,
        encoding: 'utf8',
      },
    )
    if (status !== 0 || stderr !== '') throw new Error(`${shell} ended with ${status}: ${stderr}`)
    return stdout
      .split('\n')
      .slice(0, lines.length)
      .map((line) => line.split(' ').filter((word) => word !== ''))
  } finally {
    rmSync(directory, { recursive: true })
  }
}
