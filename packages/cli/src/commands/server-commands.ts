/** Commands that run servers, and those that look at their settings. */
import { systemClock } from '@sojourn/core/internal'
import { settingsTable } from '@sojourn/server/parts'
import { command } from '../command.js'
import { checkConfig } from '../config-check.js'
import { parseRegions } from '../dev/plan.js'
import { EXIT } from '../exit-codes.js'
import { count, directory, JSON_FLAG, text, toggle } from '../flags.js'
import { CONFIG_FLAG, configInput, SECRETS, SETTING_FLAGS } from '../settings-flags.js'

const SERVE_MORE = `
Every setting is, in this order of precedence, a flag, an environment variable (in brackets), or an entry of sojourn.yaml (--clients-port
is port below clients).

Secrets come from the environment, or from the files that settings name; never from flags, which every user of a machine can read:
${SECRETS}

Signals:
  SIGTERM, SIGINT   The server accepts no connections, answers requests in flight, sends its last commits to the peers, and stops.
                    A second signal stops it at once.
  SIGHUP            The server reads the files of certificates, tokens and identity keys anew.

Exit codes:
  0    The server stopped as asked.
  2    Settings or arguments are wrong.
  3    The store could not be opened: it is in use, damaged, or of another version. Or it could not be closed: its disk is full.
  4    The server cannot listen on an address.
  6    The stop took longer than shutdownTimeout, and what was in flight was cut.
  70   Sojourn has a bug. The log has the error.
  130, 143   The server stopped at once on a second SIGINT, SIGTERM.`

export const serve = command({
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
    const { serveHere } = await import('../serve-command.js')
    await serveHere(configInput(flags, env))
    return undefined
  },
})

export const dev = command({
  name: 'dev',
  about: 'Run a whole cluster on this machine, a process for each region, until Ctrl-C',
  flags: {
    regions: {
      ...text({ about: 'The number of regions, or their names, such as eu,us,ap', default: '3' }, '<regions>'),
      read: (given, name) => parseRegions(given as string, name),
    },
    data: directory({
      about: 'The directory of data, ports and tokens (default: a temporary one, removed at the end)',
    }),
    port: count({ about: 'The first of three ports for each region (default: the system chooses)' }, 65_535),
    verbose: toggle('Show the whole log of the regions instead of warnings only'),
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
    const { runCluster } = await import('../dev/cluster.js')
    const { regions, data, port, verbose, json } = flags
    return runCluster({ regions, data, port, isVerbose: verbose, isJson: json, clock: systemClock, env }, out)
  },
})

export const settings = command({
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

export const configCheck = command({
  name: 'check',
  about: 'Read settings as serve does, and report faults or the values in force',
  flags: {
    ...JSON_FLAG,
    given: toggle('Hide settings that nobody set'),
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
