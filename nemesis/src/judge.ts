import { boundsOf, CHECKERS, type FinalState, type History, type Operation, type Violation } from '@sojourn/sim'
import { MAX_LIFETIME_MS, PURGE_GRACE_MS, REGIONS } from './schedule.js'

/** Holds what happened in a round against the rules, by the simulator's checkers. */

/** What one may have to wait for on a machine that does other things, too, milliseconds. */
const USUAL_DELAY_MS = 150
/** All clocks are one, but where it is set otherwise, milliseconds. */
const MAX_CLOCK_ERROR_MS = 500

/** Errors that users may get while things go wrong. */
const EXPECTED_CODES: ReadonlySet<string> = new Set([
  'QUORUM_UNMET',
  'SESSION_NOT_FOUND',
  'SESSION_EXISTS',
  'OVERLOADED',
  'TIMEOUT',
  'CONNECTION_LOST',
  'UNAVAILABLE',
  'REPLICA_CLOSED',
])

export type Round = Pick<
  History,
  | 'operations'
  | 'sessions'
  | 'losses'
  | 'troubles'
  | 'incarnations'
  | 'samples'
  | 'complaints'
  | 'unsettled'
  | 'clocksStepped'
> & {
  readonly settled: readonly FinalState[] | undefined
  /** Regions whose disk was full. */
  readonly filled: ReadonlySet<string>
}

export const judge = ({ filled, ...round }: Round): Violation[] => {
  const history: History = {
    ...round,
    changes: [],
    afterwards: undefined,
    bounds: boundsOf(REGIONS.length - 1),
    usualDelayMs: USUAL_DELAY_MS,
    maxClockErrorMs: MAX_CLOCK_ERROR_MS,
    purgeGraceMs: PURGE_GRACE_MS,
    maxLifetimeMs: MAX_LIFETIME_MS,
  }
  return [...CHECKERS.flatMap((check) => [...check(history)]), ...strangeErrors(round.operations, filled)]
}

/** Errors that nothing that was done explains. */
const strangeErrors = function* (operations: readonly Operation[], filled: ReadonlySet<string>): Iterable<Violation> {
  const seen = new Set<string>()
  for (const { code, region, kind, invokedAt } of operations) {
    if (code === undefined || EXPECTED_CODES.has(code)) continue
    if (code === 'STORE_FAILED' && filled.has(region)) continue
    if (seen.has(`${region} ${code}`)) continue
    seen.add(`${region} ${code}`)
    yield { rule: 'API-1', what: `${kind} in ${region} at ${invokedAt.toFixed(0)} ms failed with ${code}` }
  }
}
