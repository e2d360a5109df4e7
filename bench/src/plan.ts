/** How much is measured: in full, and to see that the bench works. */
export interface Plan {
  readonly name: 'full' | 'quick'
  readonly sessions: number
  /** Rounds of each row, of which the median counts, taken in turn by all that are compared. */
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  /** The same of an app behind HTTP, where a round must be longer: at one at a time there are few requests. */
  readonly appRounds: number
  readonly appRoundMs: number
  readonly appWarmUpMs: number
  /** Sessions that are logged in to an app. */
  readonly appSessions: number
  /** Of each round in which the CPU time of updates is counted. */
  readonly cpuMs: number
  readonly probes: number
  readonly probeEveryMs: number
  readonly catchUps: number
  /** For bytes on the wire. */
  readonly updatesForBytes: number
  /** Bytes of the journal after which a store whose writes to the disk are counted makes a checkpoint; undefined: the default. */
  readonly checkpointBytes: number | undefined
  /** Checkpoints for which those writes are counted. */
  readonly checkpoints: number
  /** Sessions of the store that has many. */
  readonly many: number
  /** Those of them that differ in two regions, and are reconciled. */
  readonly differing: number
  /** Sessions that are made to expire, and how long they live, in milliseconds: longer than it takes to make them. */
  readonly expiring: number
  readonly expiringMs: number
  /** In all, to wait for a quiet machine. */
  readonly patienceSeconds: number
}

export const FULL: Plan = {
  name: 'full',
  sessions: 20_000,
  rounds: 3,
  roundMs: 400,
  warmUpMs: 400,
  appRounds: 5,
  appRoundMs: 1_000,
  appWarmUpMs: 1_500,
  appSessions: 4_096,
  cpuMs: 1_500,
  probes: 250,
  probeEveryMs: 20,
  catchUps: 3,
  updatesForBytes: 40_000,
  checkpointBytes: undefined,
  checkpoints: 2,
  many: 1_000_000,
  differing: 1_000,
  expiring: 20_000,
  expiringMs: 8_000,
  patienceSeconds: 30,
}

/** To see that the bench works; its figures say little. */
export const QUICK: Plan = {
  name: 'quick',
  sessions: 500,
  rounds: 1,
  roundMs: 60,
  warmUpMs: 20,
  appRounds: 1,
  appRoundMs: 150,
  appWarmUpMs: 100,
  appSessions: 128,
  cpuMs: 200,
  probes: 40,
  probeEveryMs: 10,
  catchUps: 1,
  updatesForBytes: 1_000,
  checkpointBytes: 128 * 1024,
  checkpoints: 1,
  many: 5_000,
  differing: 50,
  expiring: 500,
  expiringMs: 1_000,
  patienceSeconds: 0,
}

export const CONCURRENCIES = [1, 64] as const
