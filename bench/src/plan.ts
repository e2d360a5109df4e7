/** How much is measured. */
export interface Plan {
  readonly name: 'full' | 'quick'
  readonly sessions: number
  /** Rounds of each row, of which the median counts, taken in turn by all that are compared. */
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  readonly probes: number
  readonly probeEveryMs: number
  readonly catchUps: number
  readonly updatesForBytes: number
  /** In all, to wait for a quiet machine. */
  readonly patienceSeconds: number
}

export const FULL: Plan = {
  name: 'full',
  sessions: 20_000,
  rounds: 3,
  roundMs: 400,
  warmUpMs: 400,
  probes: 250,
  probeEveryMs: 20,
  catchUps: 3,
  updatesForBytes: 40_000,
  patienceSeconds: 30,
}

/** To see that the bench works; its figures say little. */
export const QUICK: Plan = {
  name: 'quick',
  sessions: 500,
  rounds: 1,
  roundMs: 60,
  warmUpMs: 20,
  probes: 40,
  probeEveryMs: 10,
  catchUps: 1,
  updatesForBytes: 1_000,
  patienceSeconds: 0,
}

export const CONCURRENCIES = [1, 64] as const
