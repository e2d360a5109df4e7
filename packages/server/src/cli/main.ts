import {
  END_REASONS,
  isSojournError,
  parseDuration,
  SojournError,
  systemClock,
  systemPause,
} from '@sojourn/core/internal'
import { Command, CommanderError } from 'commander'
import { loadPart } from '../config/load.js'
import { settingsTable } from '../config/reference.js'
import { EXIT } from '../exit-codes.js'
import { VERSION } from '../version.js'
import { type AdminFlags, adminClients, DEFAULT_ADMIN_URL } from './admin-client.js'
import { backUp, restore } from './backup.js'
import { endWithReader, processOutput as out } from './output.js'
import { changeRegions } from './region.js'
import { exitOf, serveCommand } from './serve-command.js'
import { callSession, parseLevel, parseReason, readId } from './session.js'
import { showStatus, showTop } from './status.js'
import { verify } from './verify.js'

type Flags = AdminFlags & { readonly json?: true } & Record<string, string | true | undefined>

const AFTER = `
Exit codes:
  0    done
  1    done, and the answer is no: no such session or region, regions that differ
  2    settings or arguments are wrong
  3    the store could not be opened, a file could not be written, a backup is damaged
  5    a region could not be reached, refused the token, or answered with an error
  70   a bug

Tokens are taken from SOJOURN_TOKEN or --token-file, never from a flag. \`sojourn <command> --help\` tells the rest.
`

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

const idHelp = (call: string): string => `
The id is a bearer secret, and every user of this machine can read the arguments of a process. Give - and the id on standard input:
  printf %s "$ID" | sojourn ${call} -
It is in no log, here or at the server.
`

/** A command that asks a running replica. */
const asking = (parent: Command, usage: string, description: string): Command =>
  parent
    .command(usage)
    .description(description)
    .option('--json', 'write one line of JSON')
    .option(
      '--admin <url>',
      `an admin listener; may be given more than once [SOJOURN_ADMIN_URL] (default: ${DEFAULT_ADMIN_URL})`,
      collect,
    )
    .option('--token-file <file>', 'a file with the token [SOJOURN_TOKEN: the token]')
    .option('--ca-file <file>', 'PEM certificates of authorities to trust')
    .option('--cert-file <file>', 'PEM certificate to show')
    .option('--key-file <file>', 'PEM private key of that certificate')

const program = (env: NodeJS.ProcessEnv, done: (code: number) => void): Command => {
  const root = new Command('sojourn')
    .description('An active-active, multi-region session store')
    .version(VERSION)
    .addHelpText('after', AFTER)
  root.addCommand(serveCommand(env))

  const duration = (flags: Flags, name: string): number =>
    parseDuration(wholeNumber(flags[name] as string), `--${name}`)

  asking(root, 'status', 'show the regions, their links and lags').action(async (flags: Flags) =>
    done(await showStatus(adminClients(flags, env), flags.json === true, out)),
  )

  asking(root, 'top', 'show what the regions do, again and again')
    .option('--interval <duration>', 'how often', '1s')
    .option('--times <number>', 'how many times; default: until it is interrupted')
    .action(async (flags: Flags) => {
      const times = flags.times === undefined ? undefined : positive(flags.times as string, '--times')
      const options = { intervalMs: duration(flags, 'interval'), times, isJson: flags.json === true }
      done(await showTop(adminClients(flags, env), { ...options, clock: systemClock, pause: systemPause }, out))
    })

  const session = (call: 'get' | 'touch' | 'end', description: string, more: (command: Command) => Command) =>
    more(asking(root, call, description).argument('<id>', 'the id of the session, or - to read it from standard input'))
      .option('--level <level>', 'how many regions must answer: local, majority, all, or a number')
      .addHelpText('after', idHelp(call))
      .action(async (argument: string, flags: Flags) => {
        const level = parseLevel(flags.level as string | undefined)
        const reason = parseReason(flags.reason as string | undefined)
        const id = await readId(argument, process.stdin)
        const [client] = adminClients(flags, env)
        done(
          await callSession(
            client,
            { call, id, ...(level && { level }), ...(reason && { reason }) },
            flags.json === true,
            out,
          ),
        )
      })
  session('get', 'show a session', (command) => command)
  session('end', 'end a session, everywhere and for good', (command) =>
    command.option('--reason <reason>', `one of ${END_REASONS.join(', ')}`, 'revoked'),
  )
  session('touch', 'renew the idle deadline of a session', (command) => command)

  asking(root, 'verify', 'compare what the regions hold')
    .option('--wait <duration>', 'how long what differs may be on its way', '10s')
    .option('--repair', 'have every region compare all keys with its peers, and mend what differs, first')
    .action(async (flags: Flags) => {
      const options = { waitMs: duration(flags, 'wait'), repair: flags.repair === true, isJson: flags.json === true }
      done(await verify(adminClients(flags, env), { ...options, clock: systemClock, pause: systemPause }, out))
    })

  asking(root, 'backup', 'copy what a region holds to a file, while it goes on')
    .argument('<file>', 'where to; it must not be there yet')
    .action(async (file: string, flags: Flags) =>
      done(await backUp(adminClients(flags, env)[0], file, flags.json === true, out)),
    )

  root
    .command('restore')
    .description('make a data directory of a backup; the region must not be running')
    .argument('<file>', 'what `sojourn backup` made')
    .option('-c, --config <file>', 'a file of settings, for region and data [SOJOURN_CONFIG]')
    .option('--region <name>', 'the region [SOJOURN_REGION]')
    .option('--data <directory>', 'its data directory [SOJOURN_DATA]')
    .option('--from-region <name>', 'the region that the backup was taken of, where it is another one')
    .option('--json', 'write one line of JSON')
    .action(async (file: string, given: Record<string, string | undefined> & { json?: true }) => {
      const flags = new Map(['region', 'data'].flatMap((name) => (given[name] ? [[name, given[name]]] : [])))
      const target = loadPart({ file: given.config ?? (env.SOJOURN_CONFIG || undefined), env, flags })
      done(await restore(file, { ...target, fromRegion: given.fromRegion }, given.json === true, out))
    })

  root
    .command('settings')
    .description('list every setting of serve, as a table in Markdown')
    .action(() => out.text(settingsTable()))

  const region = root.command('region').description('add and remove regions while the others run, one at a time')
  asking(region, 'add', 'make a region a member, everywhere')
    .argument('<region>', 'its name')
    .argument('<url>', 'the address of its peer listener (ws:// or wss://), or null: it dials the others')
    .option('--admin-url <url>', 'the address of its admin listener, for status and verify')
    .action(async (name: string, url: string, flags: Flags) => {
      const admin = flags.adminUrl as string | undefined
      const call = { call: 'add' as const, region: name, url: url === 'null' ? null : url, ...(admin && { admin }) }
      done(await changeRegions(adminClients(flags, env)[0], call, flags.json === true, out))
    })
  asking(region, 'remove', 'make a region no member any more, everywhere')
    .argument('<region>', 'its name')
    .action(async (name: string, flags: Flags) =>
      done(
        await changeRegions(adminClients(flags, env)[0], { call: 'remove', region: name }, flags.json === true, out),
      ),
    )
  return root
}

/** Digits alone are milliseconds. */
const wholeNumber = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text)

const positive = (text: string, flag: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new SojournError('INVALID_OPTION', `${flag} is ${JSON.stringify(text)}; give a whole number, 1 or more`, {
    option: flag,
  })
}

const throwInstead = (command: Command): void => {
  command.exitOverride()
  command.commands.forEach(throwInstead)
}

/** As the store makes ids; one in 64 of these begins with what an option begins with. */
const DASHED_ID = /^-[\w-]{42}$/

/** An id that would be taken for an option stands behind `--`, where none are. */
const withIdLast = (argv: readonly string[]): readonly string[] => {
  const at = argv.findIndex((arg, index) => index > 2 && DASHED_ID.test(arg))
  return at < 0 || argv.includes('--') ? argv : [...argv.toSpliced(at, 1), '--', argv[at]!]
}

/** The command line. Ends with a code of `exit-codes.ts`. @param argv as `process.argv` */
export const main = async (argv: readonly string[]): Promise<void> => {
  const root = program(process.env, (code) => {
    process.exitCode = code
  })
  throwInstead(root)
  endWithReader()
  const fail = (error: unknown): void => {
    out.aside(
      `sojourn: ${isSojournError(error) ? error.message : error instanceof Error ? error.stack : String(error)}`,
    )
    process.exitCode = exitOf(error)
  }
  process.on('uncaughtException', (error) => {
    fail(error)
    process.exit()
  })
  try {
    await root.parseAsync(withIdLast(argv))
  } catch (error) {
    // Commander has said what is wrong, or has shown the help that was asked for.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
    else fail(error)
  }
}
