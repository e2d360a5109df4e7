/** Plays a plan, and lets its world settle. */
import { CHECKERS } from './checkers/index.js'
import type { Clients } from './clients.js'
import type { FinalState, History, Violation } from './history.js'
import type { ClientFaultKind, FaultKind, OperationStep, Plan } from './plan.js'
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
    readonly faults: { readonly [fault in FaultKind | ClientFaultKind]?: number }
    /** Of worlds with apps: what happened how often. */
    readonly clients: { readonly [what: string]: number }
    /** Rounds until the regions agreed after they were healed. */
    readonly rounds: number
  }
}

/** Plays a plan: what it says may happen, then peace, then the passing of every session. */
export const runPlan = async (plan: Plan): Promise<RunResult> => {
  const world = new World(plan)
  const { time, trace, faults } = world
  trace.report('world', `seed ${plan.seed}: ${plan.regions.join(' ')}; faults: ${plan.faults.join(' ') || 'none'}`)
  for (const region of world.regions.values()) region.start()
  world.clients?.start()
  for (const step of plan.steps) world.schedule(step)
  await time.advance(plan.endsAt)

  trace.report('world', '=== everything is healed')
  faults.healAll()
  world.clients?.faults.healAll()
  const rounds = await agree(world)
  const unsettled = rounds === undefined ? world.disagreement() : undefined
  if (world.clients) await settleClients(world, world.clients)
  const settled = await world.states()
  trace.report('world', unsettled ? `=== no agreement: ${unsettled}` : `=== agreed after ${rounds} rounds`)

  const afterwards = unsettled === undefined ? await passing(world) : undefined
  const history = world.history({ settled, unsettled, afterwards })
  const violations = judge(history)
  for (const { rule, what } of violations) trace.report('world', `!!! [${rule}] ${what}`)
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
      faults: { ...Object.fromEntries(faults.injected), ...Object.fromEntries(world.clients?.faults.injected ?? []) },
      clients: clientTotals(world, history),
      rounds: rounds ?? MAX_ROUNDS,
    },
  }
}

const clientTotals = ({ clients }: World, { operations }: History): RunResult['totals']['clients'] => {
  if (clients === undefined) return {}
  const ofApps = operations.filter(({ app }) => app !== undefined)
  return {
    'calls through clients': ofApps.length,
    'answers of near caches': ofApps.filter(({ isCached }) => isCached).length,
    'calls that came to TIMEOUT': ofApps.filter(({ code }) => code === 'TIMEOUT').length,
    'calls that came to CONNECTION_LOST': ofApps.filter(({ code }) => code === 'CONNECTION_LOST').length,
    'calls that came to OVERLOADED': ofApps.filter(({ code }) => code === 'OVERLOADED').length,
    ...clients.totals,
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

/** How long clients may take to be where they belong, once everything works: what doors wait, and two looks for a nearer server. */
const SETTLE_CLIENTS_MS = 20_000

/** Lets clients find the nearest servers, looks at every session through each of them, twice, and has them leave. */
const settleClients = async (world: World, clients: Clients): Promise<void> => {
  await world.time.advance(SETTLE_CLIENTS_MS)
  clients.settle()
  for (let look = 0; look < 2; look++) {
    for (const app of clients.apps.keys())
      for (const session of world.users.sessions)
        clients.call(app, (door) => void world.users.look(session, lookBy(app, world.time.now), door))
    await world.time.advance(ROUND_MS)
  }
  clients.closeAll()
  await world.time.advance(ROUND_MS)
}

/** The number of a step that writes nothing. */
const NO_NUMBER = 0

const lookBy = (app: string, at: number): OperationStep => ({
  do: 'get',
  at,
  n: NO_NUMBER,
  app,
  client: `${app}.last`,
  region: '',
  slot: 0,
})

/** Lets every session and every tombstone pass. */
const passing = async (world: World): Promise<FinalState[]> => {
  const { options } = world.plan
  const longest = Math.max(
    ...Object.values(options).map(
      // A login can prolong a session by as much again, so a tombstone is remembered for both.
      ({ session, purgeGrace }) => 2 * (session!.maxLifetime as number) + (purgeGrace as number),
    ),
  )
  // Clocks are a little off, and a scan over what is due comes now and then.
  await world.time.advance(longest + 30_000)
  const states = await world.states()
  world.clients?.noteWhatIsLeft()
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
