import { tmpdir } from 'node:os'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { BUGS } from './bugs.js'
import { newSignal } from './pause.js'
import { showFailure, showPlan, showStanding, showTotals } from './report.js'
import { Run, type RunOptions } from './run.js'
import { FAULTS, type FaultKind, planOf, WHAT_FAULTS_DO } from './schedule.js'

/** The command: `npm run nemesis`. */

const USAGE = `Runs three real servers and real clients on this machine (127.0.0.1 only), breaks what lies between and beneath them, and
judges what they did by the simulator's checkers.

  npm run nemesis                          one minute, from a seed that the time gives
  npm run nemesis -- --minutes 30 --seed 7 half an hour of seed 7
  npm run nemesis -- --seed 7 --round 3    the third round of it, alone, again and again until the time is over
  npm run nemesis -- --schedule --seed 7   what would go wrong, and when

  --minutes N    how long, at most, beside what the last round needs to settle (1)
  --seed N       decides what goes wrong and what users do (from the time)
  --round N      only this round of the seed
  --rate N       calls a second, of all users together, at most (60)
  --only KINDS   faults to bring about, with commas (all)
  --without KINDS  faults to leave out
  --bug NAME     start servers with a bug in them, to see whether it is noticed
  --bugs         list them
  --schedule     print the schedule of the first rounds, and run nothing
  --dir DIR      where the run's directory is made (the system's directory for such)
  --keep         keep that directory although no rule was broken
  --help         this

Faults:
${FAULTS.map((fault) => `  ${fault.padEnd(10)} ${WHAT_FAULTS_DO[fault]}`).join('\n')}

What cannot be brought about here is said, and left out: \`fill\` needs the right to mount, \`clock\` needs libfaketime.

Ends with 0 if no rule was broken, with 1 if one was (the directory is kept), with 2 if the arguments are wrong, with 130 if it was
interrupted; then, too, no process, mount or directory is left behind.
`

const OPTIONS = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  round: { type: 'string' },
  rate: { type: 'string' },
  only: { type: 'string' },
  without: { type: 'string' },
  bug: { type: 'string' },
  bugs: { type: 'boolean' },
  schedule: { type: 'boolean' },
  dir: { type: 'string' },
  keep: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

const EXIT = { ok: 0, broken: 1, usage: 2, interrupted: 130 } as const
const LINE_EVERY_MS = 10_000
const REWRITE_EVERY_MS = 500
const SHOWN_ROUNDS = 5
/** More than this is no fault of a machine any more, but a load test. */
const MAX_RATE = 1_000

class UsageError extends Error {}

const count = (value: string | undefined, name: string, otherwise: number, max = Number.MAX_SAFE_INTEGER): number => {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1 || number > max)
    throw new UsageError(
      `--${name} is ${value}; give a whole number from 1${max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ''}`,
    )
  return number
}

const kinds = (value: string, name: string): FaultKind[] => {
  const given = value.split(',')
  const unknown = given.find((kind) => !(FAULTS as readonly string[]).includes(kind))
  if (unknown !== undefined) throw new UsageError(`--${name}: there is no fault ${unknown}; give ${FAULTS.join(', ')}`)
  return given as FaultKind[]
}

const readArguments = () => {
  const { values } = parseArgs({ options: OPTIONS })
  const only = values.only === undefined ? FAULTS : kinds(values.only, 'only')
  const without = values.without === undefined ? [] : kinds(values.without, 'without')
  const faults = FAULTS.filter((fault) => only.includes(fault) && !without.includes(fault))
  if (faults.length === 0) throw new UsageError('--only and --without leave no fault')
  if (values.bug !== undefined && !BUGS.some(({ name }) => name === values.bug))
    throw new UsageError(`--bug: there is no bug ${values.bug}; give ${BUGS.map(({ name }) => name).join(', ')}`)
  const options: RunOptions = {
    seed: count(values.seed, 'seed', 1 + (Math.floor(performance.timeOrigin) % 1e6)),
    ms: count(values.minutes, 'minutes', 1, 7 * 24 * 60) * 60_000,
    round: values.round === undefined ? undefined : count(values.round, 'round', 1),
    rate: count(values.rate, 'rate', 60, MAX_RATE),
    faults,
    bug: values.bug,
    dir: values.dir ?? tmpdir(),
  }
  return { values, options }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Says now and then how it stands. Returns how to end it. */
const showProgress = (run: Run, totalMs: number): (() => void) => {
  const { isTTY } = process.stderr
  const timer = setInterval(
    () => process.stderr.write(`${isTTY ? '\r\x1b[K' : ''}${showStanding(run.standing, totalMs)}${isTTY ? '' : '\n'}`),
    isTTY ? REWRITE_EVERY_MS : LINE_EVERY_MS,
  )
  return () => {
    clearInterval(timer)
    if (isTTY) process.stderr.write('\r\x1b[K')
  }
}

const play = async (options: RunOptions, keep: boolean): Promise<number> => {
  const stopping = newSignal()
  const run = new Run(options)
  process.on('exit', () => run.abandon())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      // The second one does not wait.
      if (stopping.signal.aborted) process.exit(EXIT.interrupted)
      stopping.abort()
    })
  say(`seed ${options.seed}${options.bug ? `, with the bug ${options.bug}` : ''}`)
  for (const [fault, why] of run.missing) if (options.faults.includes(fault)) say(`SKIPPED: ${fault}. ${why}`)
  const endProgress = showProgress(run, options.ms)
  let failure: Awaited<ReturnType<Run['play']>>
  try {
    failure = await run.play(stopping.signal)
  } catch (error) {
    say(`The nemesis itself failed. Logs and stores: ${run.home}`)
    await run.close(true)
    throw error
  } finally {
    endProgress()
  }
  const totals = showTotals(run)
  if (failure) run.keep(failure)
  await run.close(failure !== undefined || keep)
  say(`\n${totals}\n`)
  if (failure) {
    say(showFailure(failure, options, run.home))
    return EXIT.broken
  }
  if (keep) say(`Logs and stores: ${run.home}`)
  say(stopping.signal.aborted ? 'interrupted; no rule was broken until then' : 'no rule was broken')
  return stopping.signal.aborted ? EXIT.interrupted : EXIT.ok
}

const main = async (): Promise<number> => {
  const { values, options } = readArguments()
  if (values.help) process.stdout.write(USAGE)
  else if (values.bugs) for (const { name, what } of BUGS) say(`${name}: ${what}`)
  else if (values.schedule) {
    const first = options.round ?? 1
    const last = options.round ?? SHOWN_ROUNDS
    for (let round = first; round <= last; round++) say(showPlan(planOf(options.seed, round, options.faults)))
  } else return play(options, values.keep ?? false)
  return EXIT.ok
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isUsage =
      error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')
    process.stderr.write(isUsage ? `${(error as Error).message}\n\n${USAGE}` : `${(error as Error).stack}\n`)
    process.exit(isUsage ? EXIT.usage : EXIT.broken)
  },
)
