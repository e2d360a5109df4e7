/** What a test of simulated worlds expects of each, and says where one breaks a rule. */
import type { RunResult } from '@sojourn/sim'

/** Fails where a rule was broken: with the first violations, the command that runs the world again, and the end of its transcript. */
export const expectClean = ({ plan, violations, transcript }: RunResult): void => {
  if (violations.length === 0) return
  const broken = violations.slice(0, 3).map(({ rule, what }) => `[${rule}] ${what}`)
  const again = `npm run sim -- ${plan.clients ? '--clients ' : ''}--seed ${plan.seed}`
  throw new Error(`seed ${plan.seed} breaks:\n${broken.join('\n')}\n\n${again}\n\n${transcript.slice(-60).join('\n')}`)
}
