/** The bench: measures what is asked for, prints tables, and writes the figures to a file. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bytes } from './bytes.js'
import { catchUp } from './catch-up.js'
import { cpu } from './cpu.js'
import { encryption } from './encryption.js'
import { express } from './express.js'
import { type Figures, headline } from './figures.js'
import { combined, type Findings, type Run } from './findings.js'
import { lag } from './lag.js'
import { memory } from './memory.js'
import { million } from './million.js'
import { FULL, QUICK } from './plan.js'
import { Quiet } from './quiet.js'
import { keydbVersion, redisVersion } from './redis-server.js'
import { remote } from './remote.js'
import { replicated } from './replicated.js'
import { SESSION_BYTES } from './session-data.js'
import { render } from './table.js'
import { judge } from './targets.js'
import { throughput } from './throughput.js'
import { tokens } from './tokens.js'
import { tombstones } from './tombstones.js'

const SUITES = {
  throughput,
  replicated,
  remote,
  express,
  cpu,
  lag,
  'catch-up': catchUp,
  bytes,
  memory,
  tombstones,
  tokens,
  encryption,
  million,
} as const
type SuiteName = keyof typeof SUITES

const HELP = `Measures Sojourn, and Redis beside it where redis-server is on the PATH.

  npm run bench -- [options]

  --quick        fewer and shorter rounds: to see that the bench works
  --only NAMES   some suites, with commas: ${Object.keys(SUITES).join(', ')}
  --patience S   seconds in all to wait for moments when nothing else is at work on the machine (30)
  --json FILE    where the figures go (bench/results/latest.json)
  --dir DIR      where the stores are made and removed (the system's directory for such)
`

const suitesOf = (only: string | undefined): SuiteName[] => {
  const names = only?.split(',') ?? Object.keys(SUITES)
  const unknown = names.find((name) => !(name in SUITES))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: the suites are ${Object.keys(SUITES).join(', ')}`)
  return names as SuiteName[]
}

/** What was measured; undefined outside a repository. */
const commit = (): string | undefined => {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    const hash = git('rev-parse', '--short', 'HEAD')
    return git('status', '--porcelain', 'packages') === '' ? hash : `${hash} and changes`
  } catch {
    return undefined
  }
}

const machine = () => ({
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  system: `${process.platform} ${release()}`,
  node: process.version,
  redis: redisVersion(),
  keydb: keydbVersion(),
})

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      json: { type: 'string', default: fileURLToPath(new URL('../results/latest.json', import.meta.url)) },
      patience: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const suites = suitesOf(values.only)
  const plan = values.quick ? QUICK : FULL
  const directory = mkdtempSync(join(values.dir, 'sojourn-bench-'))
  const start = performance.now()
  const say = (text: string) => process.stderr.write(`${((performance.now() - start) / 1_000).toFixed(0)} s: ${text}\n`)
  const quiet = new Quiet(Number(values.patience ?? plan.patienceSeconds) * 1_000)
  const run: Run = { plan, directory, hasRedis: redisVersion() !== undefined, quiet, say }
  const loadBefore = loadavg()
  let findings: Findings = { rows: [], measures: [] }
  try {
    for (const name of suites) findings = combined(findings, await SUITES[name](run))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  const verdicts = judge(findings, plan)
  const load = { before: loadBefore, after: loadavg() }
  const seconds = Math.round((performance.now() - start) / 1_000)
  const figures: Figures = {
    date: new Date().toISOString(),
    commit: commit(),
    arguments: process.argv.slice(2),
    machine: machine(),
    load,
    noise: quiet.report,
    seconds,
    plan,
    sessionBytes: SESSION_BYTES,
    targets: verdicts,
    ...findings,
  }
  mkdirSync(dirname(values.json), { recursive: true })
  writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`)
  process.stdout.write(`${headline(figures)}\n\n${render(findings, verdicts)}\n\nFigures: ${values.json}\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
