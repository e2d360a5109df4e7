/** The table of commands: what each is called, takes, says of itself and does. What is heavy is loaded when it is run. */
import { command, type Entry } from './command.js'
import { keygen, rekeying } from './commands/key-commands.js'
import { backup, regionAdd, regionRemove, restoring, status, top, verifying } from './commands/region-commands.js'
import { configCheck, dev, serve, settings } from './commands/server-commands.js'
import { end, get, sessions, touch } from './commands/session-commands.js'
import { completionScript, SHELLS, type Shell } from './completion.js'
import { EXIT } from './exit-codes.js'

const completion = command({
  name: 'completion',
  about: 'Write a script that makes a shell complete commands, flags and values',
  arguments: [{ name: 'shell', about: `One of ${SHELLS.join(', ')}`, choices: SHELLS }],
  flags: {},
  example: {
    line: 'source <(sojourn completion bash)',
    does: 'This bash completes sojourn; put the line into ~/.bashrc to keep it',
  },
  more: `
  zsh:   put \`source <(sojourn completion zsh)\` after compinit in ~/.zshrc
  fish:  sojourn completion fish > ~/.config/fish/completions/sojourn.fish`,
  async run({ args, out }) {
    out.text(completionScript(args[0] as Shell, COMMANDS))
    return EXIT.ok
  },
})

/** Every command, in the order of the help. */
export const COMMANDS: readonly Entry[] = [
  serve,
  dev,
  status,
  top,
  get,
  touch,
  sessions,
  end,
  verifying,
  backup,
  restoring,
  keygen,
  rekeying,
  {
    name: 'region',
    about: 'Add and remove regions while the others run, one at a time',
    commands: [regionAdd, regionRemove],
  },
  { name: 'config', about: 'Look at the settings of a server without starting it', commands: [configCheck] },
  settings,
  completion,
]
