/** The face of @sojourn/sim. */
export type { Door } from './calls.js'
export { CHECKERS } from './checkers/index.js'
export { clientPlanOf } from './client-swarm.js'
export { drawWeights, type OperationWeights, USUAL } from './habits.js'
export type {
  FinalState,
  History,
  IncarnationSeen,
  Loss,
  Operation,
  Sample,
  Seen,
  SessionData,
  SessionName,
  Trouble,
  Violation,
} from './history.js'
export { type LoginsResult, runLogins } from './logins.js'
export { ALL_MUTATIONS, tryMutation } from './mutants.js'
export { type Edit, MUTATIONS } from './mutations.js'
export { type FaultKind, OPERATIONS, type OperationKind, type OperationStep, type Plan, type Step } from './plan.js'
export { Prng } from './prng.js'
export { type RunResult, runPlan } from './run.js'
export { runScenario, ScenarioError } from './scenario.js'
export { planOf } from './swarm.js'
export { Users } from './users.js'
export { boundsOf, LIMITS, World } from './world.js'
