/** Draws the apps of a world, from a stream of the seed of their own: the regions, their faults and the users of replicas stay as they are. */
import type { Level } from '@sojourn/core/internal'
import { drawLevels, drawWeights, type OperationWeights } from './habits.js'
import type { Wire } from './network.js'
import {
  type AppPlan,
  CLIENT_FAULTS,
  type ClientFaultKind,
  type ClientFaultStep,
  type ClientsPlan,
  type DoorPlan,
  MAX_CLOCK_ERROR_MS,
  type OperationKind,
  type OperationStep,
  type Plan,
  type Step,
} from './plan.js'
import { Prng } from './prng.js'
import { planOf } from './swarm.js'

/** Steps of apps are numbered from here on: those of users of replicas are below. */
const FIRST_STEP = 10_001

/** What a version without digests cannot heal. */
const NEEDS_DIGESTS: ReadonlySet<string> = new Set(['rot', 'old-row'])

/** The world of a seed, with apps in it. */
export const clientPlanOf = (seed: number): Plan => {
  const random = new Prng(`clients ${seed}`)
  const base = withOldLinks(random, planOf(seed))
  const names = ['app-1', 'app-2', 'app-3', 'app-4'].slice(0, random.int(1, 4))
  const oldClients = random.chance(0.15)
  const oldDoors = random.chance(0.15)
  const apps = Object.fromEntries(names.map((name) => [name, drawApp(random, base.regions, oldClients)]))
  const doors = Object.fromEntries(base.regions.map((name) => [name, drawDoor(random, oldDoors)]))
  const clients: ClientsPlan = {
    apps,
    doors,
    wires: drawWires(random, names, base.regions),
    speaksOld: oldClients || oldDoors,
  }
  const faults = drawFaults(random, base, apps)
  const operations = drawOperations(random, base, names, faults)
  const silences = drawSilences(new Prng(`silences ${seed}`), base, apps)
  const steps = [...base.steps, ...operations, ...faults, ...silences]
  return { ...base, clients, steps: steps.sort((a, b) => a.at - b.at) }
}

/** In some worlds regions are configured to speak the older version of links, as in the middle of an upgrade. */
const withOldLinks = (random: Prng, plan: Plan): Plan => {
  if (!random.chance(0.2)) return plan
  const old = plan.regions.filter(() => random.chance(0.6))
  if (old.length === 0) return plan
  return {
    ...plan,
    options: Object.fromEntries(
      plan.regions.map((name) => {
        const options = plan.options[name]!
        return [name, old.includes(name) ? { ...options, links: { ...options.links, maxVersion: 1 } } : options]
      }),
    ),
    faults: plan.faults.filter((fault) => !NEEDS_DIGESTS.has(fault)),
    steps: plan.steps.filter((step) => step.do !== 'fault' || !NEEDS_DIGESTS.has(step.fault)),
  }
}

const drawApp = (random: Prng, regions: readonly string[], mayBeOld: boolean): AppPlan => {
  const heartbeat = random.pick([300, 1_000])
  const order = random.shuffled(regions)
  return {
    // Some know one server only.
    regions: random.chance(0.15) ? order.slice(0, 1) : order,
    clock: random.between(-1, 1) * MAX_CLOCK_ERROR_MS,
    drift: random.chance(0.3) ? random.pick([-0.01, 0.01]) : 0,
    options: {
      timeout: random.pick([300, 1_000, 5_000]),
      connectTimeout: 5_000,
      whenUnavailable: random.pick(['fail', 'wait']),
      nearCache: random.chance(0.7) && {
        maxEntries: random.pick([1, 3, 100]),
        maxBytes: random.pick([300, 100_000]),
        maxStale: heartbeat + random.pick([50, 500, 2_000]),
      },
      connection: {
        heartbeat,
        timeout: heartbeat + random.pick([500, 2_000, 6_000]),
        maxReconnectDelay: random.pick([200, 2_000]),
        failback: random.pick([500, 3_000]),
        ...(mayBeOld && random.chance(0.6) && { maxVersion: 1 }),
      },
      limits: {
        maxInFlight: random.pick([3, 4_096, 4_096, 4_096, 4_096]),
        targetFrameBytes: random.pick([100, 1_024]),
      },
    },
  }
}

const drawDoor = (random: Prng, mayBeOld: boolean): DoorPlan => ({
  limits: {
    // A budget that is full refuses, forgets or does not watch: in some worlds all the time.
    ...(random.chance(0.1) && { maxInFlight: random.int(1, 4) }),
    ...(random.chance(0.1) && { maxQuorums: random.int(1, 2) }),
    ...(random.chance(0.3) && { maxRemembered: random.pick([1, 2, 8]) }),
    ...(random.chance(0.2) && { maxRememberedBytes: random.pick([700, 4_000]) }),
    ...(random.chance(0.1) && { maxRememberedBytesInAll: random.pick([700, 8_000]) }),
    ...(random.chance(0.3) && { maxWatched: random.pick([1, 3]) }),
    ...(random.chance(0.1) && { maxWatchedBytesInAll: random.pick([256, 1_024]) }),
    ...(random.chance(0.1) && { maxConnections: random.int(1, 2) }),
    ...(random.chance(0.2) && { maxAwayClients: random.int(1, 2) }),
    ...(random.chance(0.3) && { maxAwayMs: random.pick([500, 5_000]) }),
    ...(random.chance(0.2) && { targetFrameBytes: 100 }),
    ...(random.chance(0.2) && { maxBufferedBytes: random.pick([200, 2_000]) }),
    maxSilenceMs: random.pick([5_000, 15_000]),
  },
  ...(mayBeOld && random.chance(0.6) && { maxVersion: 1 }),
  drainMs: random.pick([0, 300, 3_000]),
})

const drawWires = (random: Prng, apps: readonly string[], regions: readonly string[]): Record<string, Wire> => {
  const wires: Record<string, Wire> = {}
  for (const app of apps) {
    const mean = random.pick([0.3, 2, 30])
    for (const region of regions)
      for (const way of [`${app}>${region}`, `${region}>${app}`])
        wires[way] = {
          latencyMs: random.between(0.5, 2) * mean,
          jitterMs: random.pick([0, 1, 10]),
          bytesPerMs: random.pick([50, 12_000]),
          loss: 0,
          duplication: 0,
        }
  }
  return wires
}

const drawFaults = (random: Prng, { regions, endsAt }: Plan, apps: ClientsPlan['apps']): ClientFaultStep[] => {
  if (random.chance(0.08)) return []
  const density = random.pick([0.3, 0.6])
  const out: ClientFaultStep[] = []
  for (const fault of CLIENT_FAULTS) {
    if (!random.chance(density)) continue
    const count = random.int(1, 5)
    for (let i = 0; i < count; i++) {
      const app = random.pick(Object.keys(apps))
      out.push({
        do: 'client-fault',
        at: random.between(500, endsAt),
        fault,
        app,
        // The one at which the app probably is, mostly.
        region: random.chance(0.7) ? apps[app]!.regions[0]! : random.pick(regions),
        ms: random.pick([100, 1_000, 8_000]),
        ways: random.pick(['to', 'from', 'both']),
        reset: random.chance(0.5),
        before: random.chance(0.5),
        amount: amountOf(random, fault),
      })
    }
  }
  return out
}

const amountOf = (random: Prng, fault: ClientFaultKind): number => {
  switch (fault) {
    case 'app-slow':
      return random.pick([0.2, 2])
    case 'app-spike':
      return random.pick([100, 600, 3_000])
    case 'app-duplication':
      return random.pick([0.1, 0.5])
    case 'answer-crash':
      return random.int(1, 8)
    default:
      return 0
  }
}

const USUAL_OF_APPS: OperationWeights = {
  create: 14,
  get: 50,
  set: 20,
  save: 5,
  add: 15,
  drop: 6,
  increment: 25,
  touch: 6,
  rotate: 2,
  end: 3,
}

/** How long before the others of a burst its session is made. */
const LEAD_MS = 250

/** Some calls of one app, or of all, at about one time. */
interface Burst {
  readonly at: number
  readonly spreadMs: number
  /** Undefined: whichever. */
  readonly app: string | undefined
  readonly slot: number | undefined
  /** Most of them read, so that near caches have something to give. */
  readonly reads: boolean
}

/** Calls come in bursts, many of them when something is just about to go wrong: what retries and caches get wrong shows there. */
const drawOperations = (
  random: Prng,
  plan: Plan,
  apps: readonly string[],
  faults: readonly ClientFaultStep[],
): OperationStep[] => {
  const weights = drawWeights(random, USUAL_OF_APPS)
  const levels = drawLevels(random)
  const slots = random.pick([1, 2, 6])
  const count = random.int(80, 260)
  const size = random.pick([6, 15, 30])
  const out: OperationStep[] = []
  let burst: Burst = { at: 400, spreadMs: 0, app: undefined, slot: undefined, reads: false }
  for (let i = 0; i < count; i++) {
    const isFirst = i >= slots && i % size === 0
    if (isFirst) burst = drawBurst(random, plan, apps, slots, faults)
    // Sessions of the burst before have mostly expired.
    const isCreation = i < slots || (isFirst && random.chance(0.95))
    const kind = isCreation ? 'create' : burst.reads && random.chance(0.7) ? 'get' : random.weighted(weights)
    const app = burst.app ?? random.pick(apps)
    const slot = i < slots ? i : (burst.slot ?? random.int(0, slots - 1))
    const at = Math.min(plan.endsAt, isFirst ? burst.at - LEAD_MS : burst.at + random.between(0, burst.spreadMs))
    out.push(drawOperation(random, { kind, at, n: FIRST_STEP + i, app, slot, levels }))
  }
  return out
}

const drawBurst = (
  random: Prng,
  { endsAt, steps }: Plan,
  apps: readonly string[],
  slots: number,
  faults: readonly ClientFaultStep[],
): Burst => {
  const spreadMs = random.pick([3, 30, 300, 3_000])
  const slot = random.chance(0.9) ? random.int(0, slots - 1) : undefined
  const one = random.chance(0.5) ? random.pick(apps) : undefined
  const reads = random.chance(0.4)
  const others = steps.filter(({ do: what }) => what === 'fault')
  // In the middle of it something goes wrong.
  const before = (at: number) => Math.max(400 + LEAD_MS, at - random.between(0, spreadMs))
  if (faults.length > 0 && random.chance(0.6)) {
    const { at, app } = random.pick(faults)
    return { at: before(at), spreadMs, slot, reads, app: random.chance(0.8) ? app : one }
  }
  if (others.length > 0 && random.chance(0.5)) {
    return { at: before(random.pick(others).at), spreadMs, slot, reads, app: one }
  }
  return { at: random.between(400 + LEAD_MS, endsAt), spreadMs, slot, reads, app: one }
}

interface Drawn {
  readonly kind: OperationKind
  readonly at: number
  readonly n: number
  readonly app: string
  readonly slot: number
  readonly levels: { readonly [level in Level & string]?: number }
}

const drawOperation = (random: Prng, { kind, at, n, app, slot, levels }: Drawn): OperationStep => ({
  do: kind,
  at,
  n,
  app,
  client: `${app}.u${random.int(1, 2)}`,
  region: '',
  slot,
  read: random.weighted(levels),
  write: random.weighted(levels),
  ...(random.chance(0.2) && { timeoutMs: random.pick([50, 2_000]) }),
  ...((kind === 'set' || kind === 'save') && { field: `f${random.int(0, 2)}` }),
  // Each increment is of another size, so that one that is done twice is known.
  ...(kind === 'increment' && { by: n }),
  ...(kind === 'create' && random.chance(0.3) && { ownId: true }),
  ...(kind === 'create' && random.chance(0.2) && { idleMs: random.pick([2_000, 5_000]) }),
  ...(kind === 'create' && random.chance(0.15) && { padBytes: random.pick([200, 2_000]) }),
})

/** Steps of silences are numbered from here on. */
const FIRST_OF_SILENCES = 20_001

/**
 * In some worlds: an app that has read a session hears nothing from its server any more, over a connection that stands; others write; and it
 * goes on reading. What a near cache may not give any more shows then, and hardly ever otherwise.
 */
const drawSilences = (random: Prng, { endsAt }: Plan, apps: ClientsPlan['apps']): Step[] => {
  if (!random.chance(0.25)) return []
  const names = Object.keys(apps)
  const readers = names.filter((name) => apps[name]!.options.nearCache !== false)
  const out: Step[] = []
  for (let episode = 0; episode < 4 && readers.length > 0 && names.length > 1; episode++) {
    const app = random.pick(readers)
    const other = random.pick(names.filter((name) => name !== app))
    const at = random.between(2_000, endsAt)
    const call = (by: string, kind: OperationKind, when: number): void => {
      const n = FIRST_OF_SILENCES + out.length + 100 * episode
      const drawn = { kind, at: Math.min(endsAt, when), n, app: by, slot: 0, levels: { local: 1 } }
      out.push(drawOperation(random, drawn))
    }
    call(app, 'create', at - 700)
    for (const before of [200, 100]) call(app, 'get', at - before)
    const [region] = apps[app]!.regions
    out.push({ do: 'client-fault', at, fault: 'app-cut', app, region: region!, ms: 8_000, ways: 'from', amount: 0 })
    for (let write = 0; write < 3; write++) call(other, 'set', at + random.between(50, 400))
    for (let read = 0; read < 12; read++) call(app, 'get', at + random.between(400, 6_000))
  }
  return out
}
