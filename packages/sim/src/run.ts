import { CHECKERS } from './checkers/index.js'
import type { FinalState, History, Violation } from './history.js'
import type { FaultKind, Plan } from './plan.js'
import { World } from './world.js'

/** How long regions may take to agree once everything works again: rounds of a second. */
const MAX_ROUNDS = 90
const ROUND_MS = 1_000

export interface RunResult {
  readonly plan: Plan
  /** Of everything that happened: two runs of a plan have one hash. */
  readonly hash: string
  readonly violations: readonly Violation[]
  readonly transcript: readonly string[]
  readonly totals: {
    readonly simulatedMs: number
    readonly operations: number
    readonly frames: number
    readonly faults: { readonly [fault in FaultKind]?: number }
    /** Rounds until the regions agreed after they were healed. */
    readonly rounds: number
  }
}

/** Plays a plan: what it says may happen, then peace, then the passing of every session. */
export const runPlan = async (plan: Plan): Promise<RunResult> => {
  const world = new World(plan)
  const { time, trace, faults } = world
  trace.tell('world', `seed ${plan.seed}: ${plan.regions.join(' ')}; faults: ${plan.faults.join(' ') || 'none'}`)
  for (const region of world.regions.values()) region.start()
  for (const step of plan.steps) world.schedule(step)
  await time.advance(plan.endsAt)

  trace.tell('world', '=== everything is healed')
  faults.healAll()
  const rounds = await agree(world)
  const unsettled = rounds === undefined ? world.disagreement() : undefined
  const settled = await world.states()
  trace.tell('world', unsettled ? `=== no agreement: ${unsettled}` : `=== agreed after ${rounds} rounds`)

  const afterwards = unsettled === undefined ? await passing(world) : undefined
  const history = world.history({ settled, unsettled, afterwards })
  const violations = judge(history)
  for (const { rule, what } of violations) trace.tell('world', `!!! [${rule}] ${what}`)
  const hash = trace.digest()
  for (const region of world.regions.values()) region.kill(true)
  return {
    plan,
    hash,
    violations,
    transcript: trace.lines,
    totals: {
      simulatedMs: time.now,
      operations: history.operations.length,
      frames: world.network.totals.frames,
      faults: Object.fromEntries(faults.injected),
      rounds: rounds ?? MAX_ROUNDS,
    },
  }
}

const agree = async (world: World): Promise<number | undefined> => {
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    await world.time.advance(ROUND_MS)
    if (world.disagreement() !== undefined) continue
    // What the disk has altered is in no feed: digests find it.
    if (world.plan.faults.includes('rot') || world.plan.faults.includes('old-row')) {
      for (const { replica } of world.open) await world.during(replica!.compareDigests())
      await world.time.advance(2 * ROUND_MS)
      if (world.disagreement() !== undefined) continue
    }
    return round
  }
  return undefined
}

/** Lets every session and every tombstone pass. */
const passing = async (world: World): Promise<FinalState[]> => {
  const { options } = world.plan
  const longest = Math.max(
    ...Object.values(options).map(
      ({ session, purgeGrace }) => (session!.maxLifetime as number) + (purgeGrace as number),
    ),
  )
  // Clocks are a little off, and a walk over what is due comes now and then.
  await world.time.advance(longest + 30_000)
  const states = await world.states()
  // Rows are written in the background; a clean close brings them up to date.
  if (world.plan.faults.includes('old-row')) {
    // A deleted row that the engine brought back is known to nobody until the rows are scanned, which is after a kill, and goes then.
    for (const region of world.regions.values()) {
      region.kill(true)
      region.start()
    }
    // A region that hears no peer trusts no clock for a minute. Where such a row is corrupt, too, nobody knows when it was due.
    await world.time.advance(world.plan.faults.includes('rot') ? longest + 90_000 : 90_000)
  }
  for (const region of world.open) region.stop()
  await world.time.advance(10_000)
  return states.map((state) => ({ ...state, diskRows: world.regions.get(state.region)!.machine.disk.count() }))
}

const judge = (history: History): Violation[] => CHECKERS.flatMap((check) => [...check(history)])
