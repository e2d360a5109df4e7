/** The table of commands: what each is called, takes, says of itself and does. What is heavy is loaded when it is run. */
import { END_REASONS, type EndReason, systemClock, systemPause } from '@sojourn/core'
import { loadPart, settingsTable } from '@sojourn/server/parts'
import { adminClients, DEFAULT_ADMIN_URL } from './admin-client.js'
import { backUp } from './backup.js'
import { type Call, type Command, command, type Entry } from './command.js'
import { completionScript, SHELLS, type Shell } from './completion.js'
import { checkConfig } from './config-check.js'
import { parseRegions } from './dev/plan.js'
import { EXIT } from './exit-codes.js'
import { choice, count, directory, duration, file, JSON_FLAG, level, QUIET_FLAG, text, texts, toggle } from './flags.js'
import { changeRegions } from './region.js'
import { callSession, readId } from './session.js'
import { CONFIG_FLAG, configInput, SECRETS, SETTING_FLAGS } from './settings-flags.js'
import { showStatus, showTop } from './status.js'
import { verify } from './verify.js'

/** What a command takes to ask regions that run. */
const ADMIN_FLAGS = {
  ...JSON_FLAG,
  admin: texts(
    { about: `An admin listener; repeat it for more [SOJOURN_ADMIN_URL] (default: ${DEFAULT_ADMIN_URL})` },
    '<url>',
  ),
  tokenFile: file({ about: 'A file with the token [SOJOURN_TOKEN: the token itself]' }),
  caFile: file({ about: 'PEM certificates of the authorities to trust' }),
  certFile: file({ about: 'The PEM certificate to show' }),
  keyFile: file({ about: 'The PEM private key of that certificate' }),
} as const

const clientsOf = ({ flags, env }: Pick<Call<typeof ADMIN_FLAGS>, 'flags' | 'env'>) => adminClients(flags, env)
const REAL_TIME = { clock: systemClock, pause: systemPause }

const SERVE_MORE = `
Every setting is, in this order of precedence, a flag, an environment variable (in brackets), or an entry of sojourn.yaml (--clients-port
is port below clients).

Secrets come from the environment, or from the files that settings name; never from flags, which every user of a machine can read:
${SECRETS}

Signals:
  SIGTERM, SIGINT   The server takes nobody in any more, answers what is in flight, hands the tail to the peers, and closes.
                    A second signal makes it leave at once.
  SIGHUP            The server reads the files of certificates and tokens anew.

Exit codes:
  0    The server stopped as asked.
  2    Settings or arguments are wrong.
  3    The store could not be opened: it is in use, damaged, or of another version. Or it could not be closed: its disk is full.
  4    An address could not be listened on.
  6    The stop took longer than shutdownTimeout, and what was in flight was cut.
  70   A bug; the log says what.
  130, 143   The server left at once on a second SIGINT, SIGTERM.`

const serve = command({
  name: 'serve',
  about:
    "Run a region's server: its store, its links to the other regions, and its listeners for clients and operators",
  flags: { ...CONFIG_FLAG, ...SETTING_FLAGS },
  example: {
    line: 'sojourn serve --config sojourn.yaml',
    does: 'The server runs in the foreground until a signal ends it',
  },
  more: SERVE_MORE,
  async run({ flags, env }) {
    const { serveHere } = await import('./serve-command.js')
    await serveHere(configInput(flags, env))
    return undefined
  },
})

const dev = command({
  name: 'dev',
  about: 'Run a whole cluster on this machine, a process for each region, until Ctrl-C',
  flags: {
    regions: {
      ...text({ about: 'How many regions, or their names: eu,us,ap', default: '3' }, '<regions>'),
      read: (given, name) => parseRegions(given as string, name),
    },
    data: directory({ about: 'Keep data, ports and tokens here; default: a private directory, removed at the end' }),
    port: count({ about: 'The first of three ports for each region; default: the system chooses' }, 65_535),
    verbose: toggle('Show all that the regions log, and not only warnings'),
    ...JSON_FLAG,
  },
  example: {
    line: 'sojourn dev --regions 3',
    does: 'Three regions start; the command prints how an app connects to each',
  },
  more: `
Secrets and tokens are made anew and stand in the directory, for its owner alone. The first line of --json says how to reach each region.
When a region ends by itself, the command stops the others and ends with 7, or with the region's own 2, 3 or 4.`,
  async run({ flags, env, out }) {
    const { runCluster } = await import('./dev/cluster.js')
    const { regions, data, port, verbose, json } = flags
    return runCluster({ regions, data, port, isVerbose: verbose, isJson: json, clock: systemClock, env }, out)
  },
})

const status = command({
  name: 'status',
  about: 'Show the regions, their links and lags',
  flags: {
    ...ADMIN_FLAGS,
    watch: toggle('Show it again and again, drawn over on a terminal, until it is interrupted'),
    interval: duration({ about: 'With --watch: how often', default: '2s' }),
    times: count({ about: 'With --watch: how many times; default: until it is interrupted' }),
  },
  example: { line: 'sojourn status --watch', does: 'A live table shows each region, and each link with its lag' },
  run: ({ flags, env, out }) => {
    const times = flags.watch ? flags.times : 1
    const options = { isJson: flags.json, intervalMs: flags.interval, times, ...REAL_TIME }
    return showStatus(clientsOf({ flags, env }), options, out)
  },
})

const top = command({
  name: 'top',
  about: 'Show what the regions do a second, again and again',
  flags: {
    ...ADMIN_FLAGS,
    interval: duration({ about: 'How often', default: '1s' }),
    times: count({ about: 'How many times; default: until it is interrupted' }),
  },
  example: { line: 'sojourn top --times 1', does: 'One table shows calls, errors and bytes of the next second' },
  run: ({ flags, env, out }) =>
    showTop(
      clientsOf({ flags, env }),
      { isJson: flags.json, intervalMs: flags.interval, times: flags.times, ...REAL_TIME },
      out,
    ),
})

const idMore = `
The id is a bearer secret, and every user of this machine can read the arguments of a process: give - and the id on standard input.
No log repeats it, here or at the server.`

const SESSION_FLAGS = {
  ...ADMIN_FLAGS,
  level: level({ about: 'How many regions must answer: local, majority, all, or a number' }),
} as const

/** What the commands about one session share; the id comes as an argument, or on standard input. */
const sessionWords = (name: string) => ({
  arguments: [{ name: 'id', about: 'The id of the session, or - to read it from standard input' }],
  example: (does: string) => ({ line: `printf %s "$ID" | sojourn ${name} -`, does }),
  more: idMore,
})

const askSession = async (name: 'get' | 'touch' | 'end', call: Call<typeof SESSION_FLAGS>, reason?: EndReason) => {
  const { args, flags, env, input, out } = call
  const id = await readId(args[0]!, input)
  const [client] = clientsOf({ flags, env })
  const { level: given, json } = flags
  return callSession(client, { call: name, id, ...(given && { level: given }), ...(reason && { reason }) }, json, out)
}

const session = (name: 'get' | 'touch', about: string, does: string): Command => {
  const words = sessionWords(name)
  return command({
    ...words,
    name,
    about,
    example: words.example(does),
    flags: SESSION_FLAGS,
    run: (call) => askSession(name, call),
  })
}

const end = command({
  ...sessionWords('end'),
  name: 'end',
  about: 'End a session, everywhere and for good',
  flags: {
    ...SESSION_FLAGS,
    reason: choice(END_REASONS, { about: `One of ${END_REASONS.join(', ')}`, default: 'revoked' }, '<reason>'),
  },
  example: sessionWords('end').example('No region shows the session again'),
  run: (call) => askSession('end', call, call.flags.reason),
})

const verifying = command({
  name: 'verify',
  about: 'Compare what the regions hold',
  flags: {
    ...ADMIN_FLAGS,
    ...QUIET_FLAG,
    wait: duration({ about: 'How long what differs may be on its way', default: '10s' }),
    repair: toggle('First have every region compare all keys with its peers, and repair what differs'),
  },
  example: {
    line: 'sojourn verify --repair',
    does: 'The regions repair what differs; the command ends with 0 where all hold the same',
  },
  run: ({ flags, env, out }) => {
    const { wait, repair, json, quiet } = flags
    const options = { waitMs: wait, repair, isJson: json, isQuiet: quiet, ...REAL_TIME }
    return verify(clientsOf({ flags, env }), options, out)
  },
})

const backup = command({
  name: 'backup',
  about: 'Copy what a region holds to a file, while the region goes on',
  arguments: [{ name: 'file', about: 'Where to; it must not be there yet', files: 'file' }],
  flags: { ...ADMIN_FLAGS, ...QUIET_FLAG },
  example: {
    line: 'sojourn backup eu.backup',
    does: 'The command copies the region, reads the file back, and only then names it',
  },
  run: ({ args, flags, env, out }) =>
    backUp(clientsOf({ flags, env })[0], { file: args[0]!, isJson: flags.json, isQuiet: flags.quiet }, out),
})

const restoring = command({
  name: 'restore',
  about: 'Make a data directory of a backup; the region must not be running',
  arguments: [{ name: 'file', about: 'What `sojourn backup` made', files: 'file' }],
  flags: {
    ...CONFIG_FLAG,
    region: SETTING_FLAGS.region!,
    data: SETTING_FLAGS.data!,
    fromRegion: text({ about: 'The region that the backup was taken of, where it is another one' }, '<name>'),
    ...JSON_FLAG,
    ...QUIET_FLAG,
  },
  example: {
    line: 'sojourn restore eu.backup --config sojourn.yaml',
    does: 'The region has the sessions of the backup when it is started next',
  },
  async run({ args, flags, env, out }) {
    const { restore } = await import('./restore.js')
    const target = loadPart(configInput(flags, env))
    const { fromRegion, json, quiet } = flags
    return restore(args[0]!, { ...target, fromRegion }, { isJson: json, isQuiet: quiet }, out)
  },
})

const settings = command({
  name: 'settings',
  about: 'List every setting of serve, as a table in Markdown',
  flags: {},
  example: {
    line: 'sojourn settings',
    does: 'The table has each setting, its variable, its default and what it allows',
  },
  async run({ out }) {
    out.text(settingsTable())
    return EXIT.ok
  },
})

const configCheck = command({
  name: 'check',
  about: 'Read settings as serve would, and say what is wrong or what is in force',
  flags: {
    ...JSON_FLAG,
    given: toggle('Leave out what nobody set'),
    ...CONFIG_FLAG,
    ...SETTING_FLAGS,
  },
  example: {
    line: 'sojourn config check --config sojourn.yaml',
    does: 'A table shows each setting, its value, and where that comes from',
  },
  more: `
The command reads the file, the environment and the flags, and the files of secrets, tokens and certificates, and opens nothing else.
It ends with 2 where something is wrong, and never shows a secret.`,
  run: async ({ flags, env, out }) =>
    checkConfig(configInput(flags, env), { isJson: flags.json as boolean, isGivenOnly: flags.given as boolean }, out),
})

const regionAdd = command({
  name: 'add',
  about: 'Make a region a member, everywhere',
  arguments: [
    { name: 'region', about: 'Its name' },
    { name: 'url', about: 'The address of its peer listener (ws:// or wss://), or null: it dials the others' },
  ],
  flags: {
    ...ADMIN_FLAGS,
    adminUrl: text({ about: 'The address of its admin listener, for status and verify' }, '<url>'),
  },
  example: {
    line: 'sojourn region add sa wss://sessions.sa.example.net:7400',
    does: 'The region asked dials sa, counts it in majorities, and informs the others',
  },
  run: ({ args: [region, url], flags, env, out }) => {
    const { adminUrl: admin, json } = flags
    const call = { call: 'add' as const, region: region!, url: url === 'null' ? null : url!, ...(admin && { admin }) }
    return changeRegions(clientsOf({ flags, env })[0], call, json, out)
  },
})

const regionRemove = command({
  name: 'remove',
  about: 'End the membership of a region, everywhere',
  arguments: [{ name: 'region', about: 'Its name' }],
  flags: ADMIN_FLAGS,
  example: {
    line: 'sojourn region remove sa',
    does: 'The other regions stop counting sa in majorities and close their links to it',
  },
  run: ({ args, flags, env, out }) =>
    changeRegions(clientsOf({ flags, env })[0], { call: 'remove', region: args[0]! }, flags.json, out),
})

const completion = command({
  name: 'completion',
  about: 'Write a script with which a shell completes commands, flags and values',
  arguments: [{ name: 'shell', about: `One of ${SHELLS.join(', ')}`, choices: SHELLS }],
  flags: {},
  example: {
    line: 'source <(sojourn completion bash)',
    does: 'This bash completes sojourn; put the line into ~/.bashrc to keep it',
  },
  more: `
  zsh:   put \`source <(sojourn completion zsh)\` behind compinit in ~/.zshrc
  fish:  sojourn completion fish > ~/.config/fish/completions/sojourn.fish`,
  async run({ args, out }) {
    const shell = SHELL.read(args[0]!, 'shell')
    out.text(completionScript(shell, COMMANDS))
    return EXIT.ok
  },
})

const SHELL = choice<Shell, { about: string; default: string }>(SHELLS, { about: '', default: '' }, '<shell>')

/** Every command, in the order of the help. */
export const COMMANDS: readonly Entry[] = [
  serve,
  dev,
  status,
  top,
  session('get', 'Show a session', 'The command shows the data of the session, and when it expires'),
  session('touch', 'Renew the idle deadline of a session', 'The session lives for another idle timeout'),
  end,
  verifying,
  backup,
  restoring,
  {
    name: 'region',
    about: 'Add and remove regions while the others run, one at a time',
    commands: [regionAdd, regionRemove],
  },
  { name: 'config', about: 'Look at the settings of a server without starting it', commands: [configCheck] },
  settings,
  completion,
]
