/** The plan of a seed. */
import type { DiskSpeed } from './disk.js'
import { drawLevels, drawWeights, USUAL } from './habits.js'
import type { Wire } from './network.js'
import {
  FAULTS,
  type FaultKind,
  type FaultStep,
  MAX_CLOCK_ERROR_MS,
  type OperationStep,
  type Plan,
  type RegionOptions,
  type Step,
} from './plan.js'
import { Prng } from './prng.js'
import { LIMITS } from './world.js'

/** Regions of a world: three, mostly. */
const NAMES = ['ap', 'eu', 'us', 'sa', 'af'] as const

/** Faults that take what was on a disk. They come rarely enough for most worlds to be without. */
const LOSING: ReadonlySet<FaultKind> = new Set(['power', 'wipe', 'restore', 'rot', 'old-row', 'membership'])

/** The world of a seed. The same seed gives the same plan. */
export const planOf = (seed: number): Plan => {
  const random = new Prng(`plan ${seed}`)
  const count = random.weighted({ 2: 1, 3: 8, 5: 1 })
  const regions = NAMES.slice(0, Number(count))
  const faults = drawFaults(random)
  const endsAt = random.pick([20_000, 60_000, 60_000, 180_000, 600_000])
  const shared = drawShared(random)
  const plan: Plan = {
    seed,
    regions,
    options: Object.fromEntries(regions.map((name) => [name, drawOptions(random, shared, regions.length)])),
    wires: drawWires(random, regions),
    disks: Object.fromEntries(regions.map((name) => [name, drawDisk(random)])),
    clocks: Object.fromEntries(
      regions.map((name) => [name, random.chance(0.5) ? random.between(-1, 1) * MAX_CLOCK_ERROR_MS * 0.5 : 0]),
    ),
    faults,
    steps: [],
    endsAt,
  }
  const steps: Step[] = [...drawOperations(random, regions, shared, endsAt), ...drawFaultSteps(random, plan)]
  return { ...plan, steps: steps.sort((a, b) => a.at - b.at) }
}

const drawFaults = (random: Prng): FaultKind[] => {
  if (random.chance(0.08)) return []
  const density = random.pick([0.1, 0.25, 0.4])
  const loses = random.chance(0.35)
  return FAULTS.filter((kind) => random.chance(density) && (loses || !LOSING.has(kind)))
}

interface Shared {
  readonly idleMs: number
  readonly lifeMs: number
  readonly purgeGraceMs: number
}

const drawShared = (random: Prng): Shared => ({
  idleMs: random.pick([8_000, 30_000, 120_000]),
  lifeMs: random.pick([60_000, 300_000, 600_000]),
  // Shorter than what clocks may be off would break promises by configuration.
  purgeGraceMs: random.pick([5_000, 15_000, 60_000]),
})

const drawOptions = (random: Prng, { idleMs, lifeMs, purgeGraceMs }: Shared, regions: number): RegionOptions => ({
  fsync: random.weighted({ always: 1, everysec: 2, never: 1 }),
  purgeGrace: purgeGraceMs,
  session: { idleTimeout: Math.min(idleMs, lifeMs), maxLifetime: lifeMs },
  consistency: { timeout: 1_000 },
  links: {
    heartbeat: random.pick([500, 1_000, 2_000]),
    timeout: random.pick([3_000, 5_000]),
    maxReconnectDelay: random.pick([500, 2_000]),
    digestInterval: random.pick([1_000, 5_000, 3_600_000]),
  },
  limits: {
    ...LIMITS,
    maxRecentCommits: random.pick([1, 5, 20, 1_000]),
    maxCacheEntries: random.pick([1, 3, 1_000]),
    checkpointBytes: random.pick([500, 4_000, 64 * 1024]),
    checkpointRows: random.pick([1, 4, 512]),
    targetFrameBytes: random.pick([200, 1_000, 16 * 1024]),
    maxPendingFrames: random.pick([8, 64, 1_024]),
    // Fewer than these, and what a vector forgets costs a longer catch-up each time.
    maxVectorFeeds: random.pick([regions * 2, 16, 64]),
  },
})

const drawWires = (random: Prng, regions: readonly string[]): Record<string, Wire> => {
  const mean = random.pick([0.5, 5, 40])
  const jitter = random.pick([0, 1, 20])
  const wires: Record<string, Wire> = {}
  for (const way of waysOf(regions))
    wires[way] = {
      latencyMs: random.between(0.2, 2) * mean,
      jitterMs: random.between(0, 2) * jitter,
      bytesPerMs: random.pick([200, 12_000, 12_000]),
      loss: 0,
      duplication: 0,
    }
  return wires
}

const drawDisk = (random: Prng): DiskSpeed =>
  random.pick([
    { writeMs: 0.1, syncMs: 0.5, appendMs: 0 },
    { writeMs: 1, syncMs: 5, appendMs: 0 },
    { writeMs: 1, syncMs: 5, appendMs: 1 },
    { writeMs: 5, syncMs: 30, appendMs: 5 },
  ])

const waysOf = (regions: readonly string[]): string[] =>
  regions.flatMap((from) => regions.filter((to) => to !== from).map((to) => `${from}>${to}`))

const drawOperations = (random: Prng, regions: readonly string[], shared: Shared, endsAt: number): OperationStep[] => {
  const weights = drawWeights(random, USUAL)
  const levels = drawLevels(random)
  const clients = random.int(2, 8)
  const slots = random.pick([1, 3, 12])
  const roaming = random.pick([0, 0.1, 1])
  const count = random.int(40, 250)
  // Bursts: many clients at one moment is where races are.
  const burst = random.pick([1, 1, 4, 12])
  const homes = Array.from({ length: clients }, () => random.pick(regions))
  const out: OperationStep[] = []
  let at = 300
  for (let n = 1; n <= count; n++) {
    if (n % burst === 0) at += random.exponential((endsAt * burst) / (count + 1))
    if (at >= endsAt) break
    const client = random.int(0, clients - 1)
    if (random.chance(roaming)) homes[client] = random.pick(regions)
    const kind = n <= slots ? 'create' : random.weighted(weights)
    out.push({
      do: kind,
      at: at + random.between(0, 5),
      n,
      client: `c${client}`,
      region: homes[client]!,
      slot: n <= slots ? n - 1 : random.int(0, slots - 1),
      read: random.weighted(levels),
      write: random.weighted(levels),
      ...(random.chance(0.2) && { timeoutMs: random.pick([50, 5_000]) }),
      ...((kind === 'set' || kind === 'save') && { field: `f${random.int(0, 2)}` }),
      ...(kind === 'increment' && { by: random.int(1, 9) }),
      ...(kind === 'create' && random.chance(0.15) && { ownId: true }),
      ...(kind === 'create' && random.chance(0.2) && { idleMs: random.int(2_000, shared.idleMs) }),
      ...(kind === 'create' && random.chance(0.1) && { lifeMs: random.int(5_000, shared.lifeMs) }),
    })
    const last = out.at(-1)!
    // Somewhere else the same id is taken at the same time.
    if (last.ownId)
      out.push({ ...last, n: count + n, region: random.pick(regions), at: last.at + random.between(0, 50) })
  }
  return out
}

const drawFaultSteps = (random: Prng, { regions, faults, endsAt }: Plan): FaultStep[] => {
  const out: FaultStep[] = []
  for (const fault of faults) {
    const count = LOSING.has(fault) ? random.int(1, 2) : random.int(1, 4)
    for (let i = 0; i < count; i++) {
      const at = random.between(500, endsAt)
      const region = random.pick(regions)
      const ms = random.pick([300, 3_000, 15_000, endsAt / 3])
      out.push({ do: 'fault', at, fault, region, ms, ...drawDetails(random, fault, region, regions) })
    }
  }
  return out
}

const drawDetails = (
  random: Prng,
  fault: FaultKind,
  region: string,
  regions: readonly string[],
): Partial<FaultStep> => {
  const ways = waysOf(regions)
  const touching = ways.filter((way) => way.split('>').includes(region))
  const reset = random.chance(0.5)
  switch (fault) {
    case 'partition':
      return { ways: drawPartition(random, region, regions), reset }
    case 'one-way':
      return { ways: [random.pick(ways)] }
    case 'flapping':
      return { ways: touching, reset, amount: random.pick([200, 1_000, 4_000]) }
    case 'swizzle':
      return { ways }
    case 'disconnect':
      return { ways: [random.pick(touching)], ms: 0 }
    case 'slow-reader':
      return { ways: [random.pick(ways)], amount: random.pick([0.2, 2, 20]) }
    case 'spike':
      return { ways: random.chance(0.5) ? touching : ways, amount: random.pick([50, 500, 3_000]) }
    case 'loss':
    case 'duplication':
      return { ways, amount: random.pick([0.01, 0.1, 0.5]) }
    case 'crash-in-call':
      return { amount: random.int(1, 60) }
    case 'reconfigure':
      return { amount: random.int(0, 1_000) }
    case 'clock-step':
      return { amount: random.between(-1, 1) * MAX_CLOCK_ERROR_MS, ms: 0 }
    case 'clock-drift':
      return { amount: random.pick([-0.01, -0.001, 0.001, 0.01]) }
    case 'clock-strobe':
      return { amount: random.between(10, MAX_CLOCK_ERROR_MS * 0.9), ms: 2_000 }
    case 'disk-full':
      return { amount: random.int(0, 2) }
    case 'disk-stall':
      return { ms: random.pick([200, 2_000, 8_000]) }
    case 'rot':
      return { amount: random.int(0, 3), ms: 0 }
    case 'old-row':
    case 'fence':
      return { ms: 0 }
    case 'restore':
      return { amount: random.pick([300, 3_000]) }
    default:
      return {}
  }
}

/**
 * One region alone; two halves, of which one may be a majority; a pair; a bridge: everybody speaks to one region only; a ring: everybody
 * speaks to two neighbours, where there are enough regions for that to be less than all.
 */
const drawPartition = (random: Prng, region: string, regions: readonly string[]): string[] => {
  const shapes = ['alone', 'halves', 'pair', 'bridge'] as const
  const shape = random.pick(regions.length > 3 ? ([...shapes, 'ring'] as const) : shapes)
  const ways = waysOf(regions)
  const between = (test: (a: string, b: string) => boolean) =>
    ways.filter((way) => {
      const [a, b] = way.split('>') as [string, string]
      return test(a, b)
    })
  if (shape === 'alone') return between((a, b) => a === region || b === region)
  if (shape === 'ring') {
    const ring = random.shuffled(regions)
    const apart = (a: string, b: string) => Math.abs(ring.indexOf(a) - ring.indexOf(b))
    return between((a, b) => apart(a, b) !== 1 && apart(a, b) !== ring.length - 1)
  }
  if (shape === 'bridge') return between((a, b) => a !== region && b !== region)
  if (shape === 'pair') {
    const other = random.pick(regions.filter((name) => name !== region))
    return between((a, b) => (a === region && b === other) || (a === other && b === region))
  }
  const half = new Set(random.shuffled(regions).slice(0, Math.ceil(regions.length / 2)))
  return between((a, b) => half.has(a) !== half.has(b))
}
