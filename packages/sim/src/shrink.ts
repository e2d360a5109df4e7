/** Makes a failing plan small. */
import type { Plan, Step } from './plan.js'
import { type RunResult, runPlan } from './run.js'

export interface ShrinkOptions {
  /** Worlds to try at most. */
  readonly maxRuns: number
  readonly progress?: (runs: number, steps: number) => void
}

/**
 * Takes steps out of a failing plan while it still breaks the same rule: halves, quarters, and so on down to single steps (delta
 * debugging: Zeller and Hildebrandt, TSE 2002). What is left is what matters, or close to it.
 */
export const shrink = async (failed: RunResult, { maxRuns, progress }: ShrinkOptions): Promise<RunResult> => {
  const rule = failed.violations[0]!.rule
  let best = failed
  let runs = 0
  const attempt = async (plan: Plan): Promise<boolean> => {
    runs++
    progress?.(runs, plan.steps.length)
    const result = await runPlan(plan)
    if (!result.violations.some((violation) => violation.rule === rule)) return false
    best = result
    return true
  }
  for (let size = Math.ceil(best.plan.steps.length / 2); size >= 1 && runs < maxRuns; size = nextSize(size)) {
    for (let at = 0; at < best.plan.steps.length && runs < maxRuns; ) {
      const { steps } = best.plan
      const left: readonly Step[] = [...steps.slice(0, at), ...steps.slice(at + size)]
      if (left.length === 0 || !(await attempt({ ...best.plan, steps: left, faults: faultsIn(left, best.plan) })))
        at += size
    }
  }
  return best
}

const nextSize = (size: number): number => (size === 1 ? 0 : Math.ceil(size / 2))

const faultsIn = (steps: readonly Step[], plan: Plan): Plan['faults'] => {
  const left = new Set(steps.flatMap((step) => (step.do === 'fault' ? [step.fault] : [])))
  return plan.faults.filter((fault) => left.has(fault))
}
