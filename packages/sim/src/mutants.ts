import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { MUTATIONS, type Mutation } from './mutations.js'

export interface Caught {
  readonly seeds: number
  readonly rule: string
  readonly what: string
}

const script = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url))

/** Runs a product with one bug in it, in a process of its own; undefined where no checker noticed within its seeds. */
export const tryMutation = async ({ name, within }: Mutation): Promise<Caught | undefined> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', new URL('./mutation-loader.js', import.meta.url).href, script('mutant.js'), String(within)],
    { env: { ...process.env, SOJOURN_SIM_MUTATION: name }, maxBuffer: 64 * 1024 * 1024 },
  )
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as Caught | null) ?? undefined
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { name: { type: 'string' } } })
  const chosen = MUTATIONS.filter(({ name }) => values.name === undefined || name === values.name)
  const queue = [...chosen]
  const results = new Map<string, Caught | undefined>()
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const caught = await tryMutation(next)
      results.set(next.name, caught)
      process.stderr.write(`${next.name}: ${caught ? `${caught.rule} after ${caught.seeds}: ${caught.what}` : `NOT CAUGHT within ${next.within}`}\n`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  process.stdout.write('| bug | what it does | caught by | after seeds | must be within |\n|---|---|---|---:|---:|\n')
  for (const { name, what, within } of chosen) {
    const caught = results.get(name)
    const rule = caught && (caught.rule === 'crash' ? 'an unhandled error' : `\`[${caught.rule}]\``)
    process.stdout.write(`| ${name} | ${what} | ${rule ?? '**nobody**'} | ${caught?.seeds ?? '–'} | ${within} |\n`)
  }
  if ([...results.values()].includes(undefined)) process.exitCode = 1
}

if (process.argv[1] === script('mutants.js')) await main()
