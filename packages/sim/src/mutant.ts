/** A process that plays worlds with a bug until a checker notices. */
import { clientPlanOf } from './client-swarm.js'
import type { Violation } from './history.js'
import { runLogins } from './logins.js'
import { runPlan } from './run.js'
import { planOf } from './swarm.js'

/** Runs worlds until one breaks a rule; says after how many, and which rule. A child process of whoever tries mutations. */
const [within = '100', kind] = process.argv.slice(2)
const play = (seed: number): Promise<{ readonly violations: readonly Violation[] }> =>
  kind === 'logins' ? runLogins(seed) : runPlan((kind === 'clients' ? clientPlanOf : planOf)(seed))
const report = (found: { seeds: number; rule: string; what: string } | undefined) =>
  process.stdout.write(`${JSON.stringify(found ?? null)}\n`)

// A bug may also show as an error that nobody handles, or as a world that ends by itself.
let seed = 1
process.on('uncaughtException', (error) => {
  report({ seeds: seed, rule: 'crash', what: error.message })
  process.exit(0)
})
for (; seed <= Number(within); seed++) {
  const { violations } = await play(seed).catch((error: unknown) => ({
    violations: [{ rule: 'crash', what: error instanceof Error ? error.message : String(error) }],
  }))
  const [first] = violations
  if (first === undefined) continue
  report({ seeds: seed, ...first })
  process.exit(0)
}
report(undefined)
