import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { SelfTime } from './cpu-profile.js'
import { FULL } from './plan.js'
import { endAll, linkedRegions, lonelyRegion, openAll, THREE } from './regions.js'
import { OPERATIONS, type OperationName } from './subject.js'

const HELP = `Where the time of an operation goes: the functions with the most self time, in the region that writes
and in one that receives.

  node bench/dist/profile.js [--operation update] [--concurrency 64] [--regions 3] [--seconds 4] [--top 25] [--out DIR]
`

/** Whose code it is: a package, Node's own, or the engine. */
const ownerOf = (where: string): string => {
  // Native work counts for who called it.
  const code = where.split(' < ').at(-1)!
  return /^\(.*\)$/.test(code)
    ? code
    : code.includes(' node:')
      ? 'node'
      : (/ ([^ ]+)\/[^/]+$/.exec(code)?.[1] ?? 'engine')
}

const byOwner = (times: readonly SelfTime[]): string => {
  const sums = new Map<string, number>()
  for (const { where, share } of times) sums.set(ownerOf(where), (sums.get(ownerOf(where)) ?? 0) + share)
  const sorted = [...sums].filter(([, share]) => share >= 0.005).sort(([, a], [, b]) => b - a)
  return sorted.map(([owner, share]) => `${owner} ${(share * 100).toFixed(0)} %`).join(', ')
}

/** At 64 at a time, so that the engine has compiled what there is to compile. */
const WARM_UP_MS = 3_000

const show = (title: string, times: readonly SelfTime[], top: number): void => {
  const busy = times.filter(({ where }) => where !== '(idle)').reduce((sum, { ms }) => sum + ms, 0)
  process.stdout.write(`\n${title}: busy for ${busy.toFixed(0)} ms\n${byOwner(times)}\n`)
  for (const { where, ms, share } of times.slice(0, top))
    process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${ms.toFixed(0).padStart(6)} ms  ${where}\n`)
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      operation: { type: 'string', default: 'update' },
      concurrency: { type: 'string', default: '64' },
      regions: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      top: { type: 'string', default: '25' },
      out: { type: 'string', default: '.' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(HELP)
  const operation = values.operation as OperationName
  if (!OPERATIONS.includes(operation)) throw new Error(`--operation: one of ${OPERATIONS.join(', ')}`)
  const directory = mkdtempSync(join(tmpdir(), 'sojourn-profile-'))
  const names = THREE.slice(0, Number(values.regions))
  const regions = names.length === 1 ? [lonelyRegion(directory)] : await linkedRegions(directory, names)
  const writer = regions[0]!.process
  const watched = regions.slice(0, 2)
  try {
    await openAll(regions)
    await writer.call('seed', FULL.sessions)
    await writer.call('renewAll')
    await writer.call('run', operation, 64, WARM_UP_MS)
    await writer.call('settled')
    await Promise.all(watched.map(({ process }) => process.call('startProfile')))
    const { count, ms, cpuMs } = await writer.call(
      'run',
      operation,
      Number(values.concurrency),
      Number(values.seconds) * 1_000,
    )
    const settleMs = await writer.call('settled')
    process.stdout.write(
      `${operation}, c=${values.concurrency}, ${names.length} regions, profiled: ${Math.round((count / ms) * 1_000)}/s; ` +
        `${((cpuMs / count) * 1_000).toFixed(1)} µs of CPU each in the writer, all its threads; ` +
        `all hold it ${settleMs.toFixed(0)} ms later\n`,
    )
    for (const [index, { process: watchedProcess }] of watched.entries()) {
      const role = index === 0 ? 'writer' : 'receiver'
      const path = resolve(values.out, `${operation}-c${values.concurrency}-${role}.cpuprofile`)
      show(`${role} (${path})`, await watchedProcess.call('stopProfile', path), Number(values.top))
    }
  } finally {
    await endAll(regions)
    rmSync(directory, { recursive: true, force: true })
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
