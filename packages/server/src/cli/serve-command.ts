import { isSojournError } from '@sojourn/core/internal'
import { Command, Option } from 'commander'
import { SETTINGS, type Setting } from '../config/catalogue.js'
import { loadConfig } from '../config/load.js'
import { strangeVariables } from '../config/sources.js'
import { EXIT, exitOfSignal } from '../exit-codes.js'
import type { Running } from '../serve.js'

/** Variables with our prefix that are no settings. */
const OTHER_VARIABLES = ['SOJOURN_CONFIG', 'SOJOURN_TOKEN', 'SOJOURN_ADMIN_URL']

const notesOf = ({ about, allowed, env, default: fallback }: Setting): string =>
  `${about}. Give ${allowed}.${fallback === undefined ? '' : ` Default: ${fallback}.`} [${env}]`

const VALUE: { readonly [kind in Setting['kind']]: string } = {
  text: '<text>',
  integer: '<number>',
  boolean: '[true|false]',
  duration: '<duration>',
  level: '<level>',
  map: '<regions>',
  list: '<list>',
}

/** The flag of each setting, grouped as in sojourn.yaml. */
const options = (): { readonly option: Option; readonly setting: Setting }[] =>
  SETTINGS.flatMap((setting) => {
    if (setting.flag === undefined) return []
    const group = setting.path.includes('.') ? setting.path.split('.').slice(0, -1).join('.') : undefined
    const option = new Option(`${setting.flag} ${VALUE[setting.kind]}`, notesOf(setting))
    return [{ option: option.helpGroup(group === undefined ? 'Settings:' : `Settings of ${group}:`), setting }]
  })

const SECRETS = SETTINGS.filter(({ secret }) => secret)
  .map((setting) => `  ${setting.env}\n      ${setting.about}. Give ${setting.allowed}.`)
  .join('\n')

const AFTER = `
Every setting is, in this order of precedence, a flag, an environment variable (in brackets), or an entry of sojourn.yaml (--clients-port
is port below clients).

Secrets come from the environment, or from the files that settings name; never from flags, which every user of a machine can read:
${SECRETS}

Signals:
  SIGTERM, SIGINT   stop: take nobody in any more, answer what is in flight, hand the tail to the peers, close; a second one leaves at once
  SIGHUP            read the files of certificates and tokens anew

Exit codes:
  0    stopped as asked
  2    settings or arguments are wrong
  3    the store could not be opened: it is in use, damaged, or of another version; or not be closed: its disk is full
  4    an address could not be listened on
  6    the stop took longer than shutdownTimeout, and what was in flight was cut
  70   a bug
  130, 143   left at once on a second SIGINT, SIGTERM
`

/** The system calls by which listening fails. */
const LISTENING = ['listen', 'getaddrinfo']

/** What a failure to start, or of a command, ends the process with. */
export const exitOf = (error: unknown): number => {
  if (!isSojournError(error)) return EXIT.bug
  if (error.code === 'INVALID_OPTION' || error.code === 'INVALID_DATA') {
    // An address that is taken is named by its setting, but nothing is wrong with that.
    const { syscall } = (error.cause ?? {}) as NodeJS.ErrnoException
    return LISTENING.includes(syscall ?? '') ? EXIT.listen : EXIT.usage
  }
  return error.code.startsWith('STORE_') ? EXIT.store : EXIT.unreachable
}

export const serveCommand = (env: NodeJS.ProcessEnv): Command => {
  const command = new Command('serve')
    .description(
      'run a replica: the store of one region, its links to the others, and the listeners for clients and operators',
    )
    .option('-c, --config <file>', 'a file of settings in YAML [SOJOURN_CONFIG]')
    .addHelpText('after', AFTER)
  const known = options()
  for (const { option } of known) command.addOption(option)
  return command.action(async (given: Record<string, string | true | undefined>) => {
    const flags = new Map(
      known.flatMap(({ option, setting }): [string, string][] => {
        const value = given[option.attributeName()]
        return value === undefined ? [] : [[setting.path, String(value)]]
      }),
    )
    await run({ file: (given.config as string | undefined) ?? (env.SOJOURN_CONFIG || undefined), env, flags })
  })
}

const run = async (input: Parameters<typeof loadConfig>[0]): Promise<void> => {
  const config = loadConfig(input)
  const { settings } = config
  // Only here: the other commands start in half the time without it.
  const [{ openLog }, { serve }] = await Promise.all([import('../log.js'), import('../serve.js')])
  const log = openLog(settings.log.level, settings.region)
  const leave = (code: number): never => process.exit(code)
  const bug = (error: unknown): never => {
    log.fatal({ err: error }, 'unexpected')
    return leave(EXIT.bug)
  }
  // In the place of what a command does with it: this is to be in the log.
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', bug)
  process.on('unhandledRejection', bug)
  for (const name of strangeVariables(input.env, OTHER_VARIABLES)) log.warn({ name }, 'no setting has this variable')

  let asked = false
  let running: Running | undefined
  const notStopped = (error: unknown): never => {
    // A disk that is full, say: what was acknowledged is on it, what the store notes at its end is not.
    if (!isSojournError(error)) return bug(error)
    log.fatal({ why: error.message }, 'cannot close the store')
    return leave(exitOf(error))
  }
  const stop = (): void => {
    void running?.stop().then((outcome) => leave(outcome === 'cut' ? EXIT.cut : EXIT.ok), notStopped)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (asked) leave(exitOfSignal(signal))
      asked = true
      stop()
    })
  process.on('SIGHUP', () => running?.reload())

  const opened = await serve({
    config,
    log,
    failed: (error) => {
      log.fatal({ why: isSojournError(error) ? error.message : String(error) }, 'cannot serve clients')
      leave(exitOf(error))
    },
  })
  running = opened
  // A signal that came while the store was being opened.
  if (asked) stop()
}
