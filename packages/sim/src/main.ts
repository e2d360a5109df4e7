/** The command that plays worlds. */
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { clientPlanOf } from './client-swarm.js'
import { runLogins } from './logins.js'
import { tryMutations } from './mutants.js'
import type { Plan, Step } from './plan.js'
import { type RunResult, runPlan } from './run.js'
import { shrink } from './shrink.js'
import { planOf } from './swarm.js'
import { addTotals, noTotals, showProgress, showTotals, type Totals } from './totals.js'
import { seconds } from './trace.js'

const USAGE = `Runs the real replicas in simulated worlds, and judges what they did.

  npm run sim                          1,000 worlds from seed 1
  npm run sim -- --seeds 200 --from 7  200 worlds from seed 7
  npm run sim -- --seed 42             one world again, with its transcript
  npm run sim -- --soak                until stopped, from a seed that the time gives

  --seeds N      how many worlds (1000)
  --from N       the first seed (1)
  --seed N       replay one seed: its transcript, its hash, its verdict
  --soak         go on until stopped
  --clients      worlds with apps in them, whose clients call servers over the network
  --logins       worlds of users who log in, get new ids, and end their sessions on other devices
  --jobs N       worlds at one time, each on a thread of its own (the number of cores)
  --keep-going   do not stop at the first failure
  --no-shrink    show a failure as it was found
  --table        print the totals as a Markdown table at the end
  --mutations    break the product in every way of packages/sim/src/mutations.ts, and see who notices: a table
  --help         this

Ends with 0 if no world broke a rule, with 1 if one did, with 2 if the arguments are wrong.
`

const OPTIONS = {
  seeds: { type: 'string' },
  from: { type: 'string' },
  seed: { type: 'string' },
  soak: { type: 'boolean' },
  clients: { type: 'boolean' },
  logins: { type: 'boolean' },
  jobs: { type: 'string' },
  'keep-going': { type: 'boolean' },
  'no-shrink': { type: 'boolean' },
  table: { type: 'boolean' },
  mutations: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

class UsageError extends Error {}

const count = (value: string | undefined, name: string, otherwise: number): number => {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1) throw new UsageError(`--${name} is ${value}; give an integer from 1`)
  return number
}

/** What a thread reports of a world. */
interface Report {
  readonly seed: number
  readonly failed: boolean
  readonly totals: RunResult['totals']
}

const main = async (): Promise<number> => {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const from = count(values.from, 'from', values.soak ? 1 + (Math.floor(performance.timeOrigin) % 1e9) : 1)
  if (values.mutations) return mutate(count(values.jobs, 'jobs', availableParallelism()))
  if (values.logins)
    return values.seed === undefined
      ? playLogins(from, count(values.seeds, 'seeds', 1_000))
      : replayLogins(count(values.seed, 'seed', 1))
  const plan = values.clients ? clientPlanOf : planOf
  if (values.seed !== undefined) return replay(plan(count(values.seed, 'seed', 1)))
  const seeds = values.soak ? Number.POSITIVE_INFINITY : count(values.seeds, 'seeds', 1_000)
  const jobs = Math.min(count(values.jobs, 'jobs', availableParallelism()), seeds)
  const totals = noTotals()
  const started = performance.now()
  const failed = await runAll(
    { from, seeds, jobs, clients: values.clients ?? false, keepGoing: values['keep-going'] ?? false },
    totals,
    () => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${showProgress(totals, performance.now() - started)}`)
      else if (totals.seeds % 100 === 0) process.stderr.write(`${showProgress(totals, performance.now() - started)}\n`)
    },
  )
  const wallMs = performance.now() - started
  if (process.stderr.isTTY) process.stderr.write('\n')
  process.stdout.write(`${values.table ? showTotals(totals, wallMs) : showProgress(totals, wallMs)}\n`)
  if (failed.length === 0) {
    process.stdout.write('no rule was broken\n')
    return 0
  }
  process.stdout.write(`seeds that broke a rule: ${failed.sort((a, b) => a - b).join(' ')}\n\n`)
  await explain(plan(failed[0]!), values['no-shrink'] ?? false)
  return 1
}

interface Batch {
  readonly from: number
  readonly seeds: number
  readonly jobs: number
  readonly clients: boolean
  readonly keepGoing: boolean
}

/** Runs worlds on threads; resolves with the seeds that failed. */
const runAll = async (
  { from, seeds, jobs, clients, keepGoing }: Batch,
  totals: Totals,
  progress: () => void,
): Promise<number[]> => {
  const failed: number[] = []
  await new Promise<void>((resolve, reject) => {
    const workers = Array.from({ length: jobs }, (_, job) => {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { first: from + job, step: jobs, end: from + seeds, clients },
      })
      worker.on('message', (report: Report) => {
        addTotals(totals, report)
        if (report.failed) failed.push(report.seed)
        progress()
        if (report.failed && !keepGoing) for (const each of workers) void each.terminate()
      })
      worker.on('error', reject)
      return worker
    })
    let left = jobs
    for (const worker of workers)
      worker.on('exit', () => {
        if (--left === 0) resolve()
      })
  })
  return failed
}

const mutate = async (jobs: number): Promise<number> => {
  const { table, allCaught } = await tryMutations(jobs, ({ name, within }, caught) =>
    process.stderr.write(
      `${name}: ${caught ? `${caught.rule} after ${caught.seeds}: ${caught.what}` : `not noticed within ${within} seeds`}\n`,
    ),
  )
  process.stdout.write(`${table}\n`)
  return allCaught ? 0 : 1
}

/** These worlds are small: one thread plays them. */
const playLogins = async (from: number, seeds: number): Promise<number> => {
  for (let seed = from; seed < from + seeds; seed++) {
    const { violations } = await runLogins(seed)
    if (violations.length > 0) return replayLogins(seed)
    if ((seed - from + 1) % 100 === 0) process.stderr.write(`${seed - from + 1} worlds of logins\n`)
  }
  process.stdout.write(`${seeds} worlds of logins: no rule was broken\n`)
  return 0
}

const replayLogins = async (seed: number): Promise<number> => {
  const { violations, transcript } = await runLogins(seed)
  process.stdout.write(`${transcript.join('\n')}\n\n`)
  process.stdout.write(violations.length === 0 ? 'no rule was broken\n' : `${verdict({ violations })}\n`)
  if (violations.length > 0) process.stdout.write(`replay: npm run sim -- --logins --seed ${seed}\n`)
  return violations.length === 0 ? 0 : 1
}

const replay = async (plan: Plan): Promise<number> => {
  const result = await runPlan(plan)
  process.stdout.write(`${result.transcript.join('\n')}\n\ntrace ${result.hash}\n`)
  process.stdout.write(result.violations.length === 0 ? 'no rule was broken\n' : `${verdict(result)}\n`)
  return result.violations.length === 0 ? 0 : 1
}

/** What somebody needs to find the bug. */
const explain = async (plan: Plan, asFound: boolean): Promise<void> => {
  const { seed } = plan
  const found = await runPlan(plan)
  process.stdout.write(`seed ${seed}: ${found.plan.faults.join(' ') || 'no faults'}\n${verdict(found)}\n\n`)
  const progress = (runs: number, steps: number) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kshrinking: ${runs} worlds tried, ${steps} steps`)
  }
  const result = asFound ? found : await shrink(found, { maxRuns: 400, progress })
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  process.stdout.write(`schedule, ${result.plan.steps.length} of ${found.plan.steps.length} steps:\n`)
  for (const step of result.plan.steps) process.stdout.write(`  ${showStep(step)}\n`)
  process.stdout.write(`\ntranscript:\n${result.transcript.join('\n')}\n\n${verdict(result)}\n`)
  process.stdout.write(`\nreplay the whole of it: npm run sim -- ${plan.clients ? '--clients ' : ''}--seed ${seed}\n`)
}

const verdict = ({ violations }: Pick<RunResult, 'violations'>): string =>
  violations
    .slice(0, 5)
    .map(({ rule, what }) => `[${rule}] ${what}`)
    .join('\n') + (violations.length > 5 ? `\nand ${violations.length - 5} more` : '')

const showStep = ({ at, do: what, ...rest }: Step): string => `${seconds(at)} ${what} ${JSON.stringify(rest)}`

if (isMainThread) {
  process.exitCode = await main().catch((error: unknown) => {
    const code =
      error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS') ? 2 : 1
    process.stderr.write(
      `${code === 2 ? (error as Error).message : (error as Error).stack}\n${code === 2 ? `\n${USAGE}` : ''}`,
    )
    return code
  })
} else {
  const { first, step, end, clients } = workerData as { first: number; step: number; end: number; clients: boolean }
  for (let seed = first; seed < end; seed += step) {
    const { violations, totals } = await runPlan(clients ? clientPlanOf(seed) : planOf(seed))
    parentPort!.postMessage({ seed, failed: violations.length > 0, totals } satisfies Report)
  }
}
