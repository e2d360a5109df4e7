/** A run as its file keeps it: what was found, what was asked for, and on which machine. */
import { readFileSync } from 'node:fs'
import type { Findings } from './findings.js'
import type { Plan } from './plan.js'
import type { Quiet } from './quiet.js'
import type { Verdict } from './targets.js'

export interface Figures extends Findings {
  /** ISO 8601. */
  readonly date: string
  /** What was measured; undefined outside a repository. */
  readonly commit: string | undefined
  readonly arguments: readonly string[]
  readonly machine: {
    readonly cpu: string | undefined
    readonly cores: number
    readonly system: string
    readonly node: string
    readonly redis: string | undefined
    readonly keydb: string | undefined
  }
  readonly load: { readonly before: readonly number[]; readonly after: readonly number[] }
  readonly noise: Quiet['report']
  readonly seconds: number
  readonly plan: Plan
  readonly sessionBytes: number
  readonly targets: readonly Verdict[]
}

/** The machine, and how quiet it was. */
export const headline = ({ machine, plan, sessionBytes, load, noise, seconds }: Figures): string =>
  `${machine.cores} cores, ${machine.cpu}; Node ${machine.node}, Redis ${machine.redis ?? 'not found'}; ${plan.sessions} sessions of ${sessionBytes} bytes; ` +
  `load ${load.before[0]!.toFixed(1)} before, ${noise.noisyStarts} of ${noise.starts} starts with something else at work; ${seconds} s`

export const readFigures = (path: string | URL): Figures => JSON.parse(readFileSync(path, 'utf8')) as Figures
