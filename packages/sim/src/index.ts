export type { FaultKind, Plan, Step } from './plan.js'
export { type RunResult, runPlan } from './run.js'
export { planOf } from './swarm.js'
