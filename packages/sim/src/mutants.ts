/** Tries a product with a bug in it. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CLIENT_MUTATIONS } from './client-mutations.js'
import { LOGIN_MUTATIONS } from './login-mutations.js'
import { MUTATIONS, type Mutation } from './mutations.js'

/** All bugs that are put in on purpose: into replicas, into clients and doors, and into logins. */
export const ALL_MUTATIONS: readonly Mutation[] = [...MUTATIONS, ...CLIENT_MUTATIONS, ...LOGIN_MUTATIONS]

export interface Caught {
  readonly seeds: number
  readonly rule: string
  readonly what: string
}

/** What is mutated is the compiled product, so what runs it is compiled, too. */
const compiled = (name: string) => new URL(`../dist/${name}`, import.meta.url)

/** Runs a product with one bug in it, in a process of its own; undefined where no checker noticed within its seeds. */
export const tryMutation = async ({ name, within, worlds = 'regions' }: Mutation): Promise<Caught | undefined> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', compiled('mutation-loader.js').href, fileURLToPath(compiled('mutant.js')), String(within), worlds],
    { env: { ...process.env, SOJOURN_SIM_MUTATION: name }, maxBuffer: 64 * 1024 * 1024 },
  )
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as Caught | null) ?? undefined
}

/** Tries all of them, so many at a time; the table is Markdown. */
export const tryMutations = async (
  jobs: number,
  progress: (mutation: Mutation, caught: Caught | undefined) => void,
): Promise<{ readonly table: string; readonly allCaught: boolean }> => {
  const queue = [...ALL_MUTATIONS]
  const results = new Map<string, Caught | undefined>()
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const caught = await tryMutation(next)
      results.set(next.name, caught)
      progress(next, caught)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  const rows = ALL_MUTATIONS.map(({ name, what, within }) => {
    const caught = results.get(name)
    const rule = caught && (caught.rule === 'crash' ? 'an unhandled error' : `\`[${caught.rule}]\``)
    return `| ${name} | ${what} | ${rule ?? '**nobody**'} | ${caught?.seeds ?? '–'} | ${within} |`
  })
  return {
    table: [
      '| bug | what it does | noticed by | after seeds | must be within |',
      '|---|---|---|---:|---:|',
      ...rows,
    ].join('\n'),
    allCaught: ![...results.values()].includes(undefined),
  }
}
