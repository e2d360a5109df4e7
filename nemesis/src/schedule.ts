import type { Level } from '@sojourn/client'
import { drawWeights, LIMITS, type OperationWeights, Prng, USUAL } from '@sojourn/sim'

/** What is to go wrong, and when, as data that a seed decides: drawn before anything runs. */

export const REGIONS = ['eu', 'us', 'ap'] as const
export type RegionName = (typeof REGIONS)[number]

/** The end of a way that is no region: the clients of one. */
export const USERS = 'users'

export const FAULTS = [
  'cut',
  'flap',
  'stall',
  'swallow',
  'delay',
  'slow',
  'half-open',
  'stop',
  'kill',
  'terminate',
  'empty',
  'restore',
  'fill',
  'clock',
] as const
export type FaultKind = (typeof FAULTS)[number]

/** Each in a sentence, for people. */
export const WHAT_FAULTS_DO: { readonly [kind in FaultKind]: string } = {
  cut: 'connections are reset, and new ones refused',
  flap: 'the same, again and again',
  stall: 'one direction or both are not read: what is sent fills the sockets',
  swallow: 'what is sent in one direction or both is thrown away, as if nobody were there; the connections stand',
  delay: 'bytes come late, in their order',
  slow: 'few bytes a millisecond come through',
  'half-open': 'one end of each connection is gone, and the other hears nothing of it',
  stop: 'the process stands still (SIGSTOP), and goes on (SIGCONT)',
  kill: 'the process is gone (SIGKILL), and is started again',
  terminate: 'the process is asked to end (SIGTERM), and is started again',
  empty: 'the process is killed, its directory deleted, and it is started again',
  restore: 'the process is killed, an older copy of its directory put in place, and it is started again',
  fill: 'no byte, or next to none, is left on the file system of one region',
  clock: 'the wall clock of one region is an hour or two days off, either way',
}

export interface FaultStep {
  /** Milliseconds since the round began. */
  readonly at: number
  readonly fault: FaultKind
  readonly region: RegionName
  /** How long it lasts, milliseconds. */
  readonly ms: number
  /** Directions, `from>to`, of faults that lie between regions, or between users and a region. */
  readonly ways?: readonly string[]
  /**
   * `delay`: milliseconds; `slow`: bytes a millisecond; `flap`: milliseconds of each half; `clock`: milliseconds that it is off; `restore`:
   * milliseconds between copy and restoring; `fill`: bytes that are left.
   */
  readonly amount?: number
  /** `restore`: whether the process that is copied was killed, rather than asked to end. */
  readonly isHard?: boolean
}

export interface UserPlan {
  /** Users that stay in their region, in each. */
  readonly settled: number
  /** Users that go to the next region when theirs is away. */
  readonly roaming: number
  /** Sessions that they share at any time. */
  readonly slots: number
  /** Bytes of a new session that nobody changes: the more, the sooner files are full and are compacted. */
  readonly padBytes: number
  /** Calls that one makes at a time. */
  readonly burst: number
  readonly weights: OperationWeights
  readonly levels: { readonly [level in Level & string]: number }
}

/** Settings of `sojourn serve`, by their paths. */
export type Settings = { readonly [path: string]: string }

export interface RoundPlan {
  readonly seed: number
  readonly round: number
  /** How long things go wrong, milliseconds. */
  readonly ms: number
  /** In force from the next start of each region on. */
  readonly settings: { readonly [region in RegionName]: Settings }
  readonly users: UserPlan
  readonly faults: readonly FaultKind[]
  readonly steps: readonly FaultStep[]
}

/** How long a record stays after its deadline, in all regions and rounds, milliseconds. */
export const PURGE_GRACE_MS = 5_000
export const IDLE_MS = 10 * 60_000
export const MAX_LIFETIME_MS = 60 * 60_000
/** Clocks may be off by less, milliseconds. */
export const MAX_CLOCK_SKEW_MS = 5_000

/** Faults that take what was on a disk: two of them in a row could take everything. */
const LOSING: ReadonlySet<FaultKind> = new Set(['empty', 'restore'])

/** How long faults last, milliseconds; longer where they are not noticed at once. */
const USUALLY_LASTING = [300, 2_000, 6_000, 12_000]
const LASTING: { readonly [kind in FaultKind]?: readonly number[] } = {
  'half-open': [6_000, 9_000],
  fill: [6_000, 12_000, 20_000],
  clock: [8_000, 15_000, 30_000],
}

/** Which region has the small file system. */
export const smallRegionOf = (seed: number): RegionName => new Prng(`small ${seed}`).pick(REGIONS)

/** The round of a seed. The same seed and faults give the same plan. */
export const planOf = (seed: number, round: number, allowed: readonly FaultKind[] = FAULTS): RoundPlan => {
  const random = new Prng(`nemesis ${seed} ${round}`)
  const ms = round === 1 ? 45_000 : random.pick([45_000, 45_000, 60_000, 90_000])
  const faults = drawFaults(random.fork('faults'), allowed)
  return {
    seed,
    round,
    ms,
    settings: drawSettings(random.fork('settings')),
    users: drawUsers(random.fork('users')),
    faults,
    steps: faults.flatMap((fault) => drawSteps(random.fork(fault), fault, ms, seed)).sort((a, b) => a.at - b.at),
  }
}

/** Faults that all happen all the time hide each other. */
const drawFaults = (random: Prng, allowed: readonly FaultKind[]): FaultKind[] => {
  const density = random.pick([0.25, 0.4, 0.6])
  // Whether a kind is drawn does not depend on which others are allowed.
  const drawn = FAULTS.filter(() => random.chance(density)).filter((fault) => allowed.includes(fault))
  return drawn.length > 0 ? drawn : random.shuffled(allowed).slice(0, 1)
}

const drawSteps = (random: Prng, fault: FaultKind, roundMs: number, seed: number): FaultStep[] =>
  Array.from({ length: LOSING.has(fault) || fault === 'clock' ? 1 : random.int(1, 3) }, () => {
    const region = fault === 'fill' ? smallRegionOf(seed) : random.pick(REGIONS)
    return {
      at: Math.round(random.between(2_000, roundMs * 0.75)),
      fault,
      region,
      ms: Math.round(random.pick(LASTING[fault] ?? USUALLY_LASTING) * random.between(0.8, 1.2)),
      ...drawDetails(random, fault, region),
    }
  })

const drawDetails = (random: Prng, fault: FaultKind, region: RegionName): Partial<FaultStep> => {
  switch (fault) {
    case 'cut':
      return { ways: bothWays(drawWays(random, region)) }
    case 'flap':
      return { ways: bothWays(drawWays(random, region)), amount: random.pick([200, 1_000, 3_000]) }
    case 'stall':
    case 'swallow':
    case 'half-open':
      return { ways: drawWays(random, region) }
    case 'delay':
      return { ways: drawWays(random, region), amount: random.pick([20, 200, 1_500]) }
    case 'slow':
      return { ways: drawWays(random, region), amount: random.pick([0.2, 2, 20]) }
    case 'restore':
      return { amount: Math.round(random.between(2_000, 12_000)), isHard: random.chance(0.5) }
    case 'clock':
      return { amount: random.pick([1, -1, 48, -48]) * 3_600_000 }
    case 'fill':
      return { amount: random.pick([0, 64 * 1024, 1024 * 1024]) }
    default:
      return {}
  }
}

/** One region alone, a pair, one direction only, everybody, or the users of a region: mostly what they are answered. */
const drawWays = (random: Prng, region: RegionName): string[] => {
  const others = REGIONS.filter((name) => name !== region)
  const other = random.pick(others)
  switch (random.weighted({ alone: 3, pair: 2, direction: 3, all: 1, users: 2, fromUsers: 1, toUsers: 3 })) {
    case 'alone':
      return bothWays(others.map((name) => `${region}>${name}`))
    case 'pair':
      return bothWays([`${region}>${other}`])
    case 'direction':
      return [`${region}>${other}`]
    case 'all':
      return REGIONS.flatMap((from) => REGIONS.filter((to) => to !== from).map((to) => `${from}>${to}`))
    case 'users':
      return bothWays([`${USERS}>${region}`])
    case 'fromUsers':
      return [`${USERS}>${region}`]
    default:
      return [`${region}>${USERS}`]
  }
}

const bothWays = (ways: readonly string[]): string[] => [
  ...new Set(ways.flatMap((way) => [way, way.split('>').reverse().join('>')])),
]

/** Sessions come and go more than in simulated worlds. */
const WEIGHTS: OperationWeights = { ...USUAL, create: 12, end: 5 }

const drawUsers = (random: Prng): UserPlan => ({
  settled: random.int(2, 5),
  roaming: random.int(0, 2),
  slots: random.pick([3, 8, 16]),
  padBytes: random.pick([0, 0, 2_000, 8_000]),
  burst: random.pick([1, 1, 3]),
  weights: drawWeights(random, WEIGHTS),
  levels: random.pick([
    { local: 1, majority: 0, all: 0 },
    { local: 0, majority: 1, all: 0 },
    { local: 3, majority: 3, all: 1 },
    { local: 3, majority: 3, all: 1 },
  ]),
})

const drawSettings = (random: Prng): { readonly [region in RegionName]: Settings } =>
  Object.fromEntries(REGIONS.map((region) => [region, drawRegion(random)])) as Record<RegionName, Settings>

const drawRegion = (random: Prng): Settings => {
  const limits = {
    ...LIMITS,
    maxRecentCommits: random.pick([1, 20, 1_000]),
    maxCacheEntries: random.pick([3, 100, 1_000]),
    targetFrameBytes: random.pick([1_000, 16 * 1024]),
  }
  return {
    fsync: random.pick(['always', 'everysec', 'never']),
    purgeGrace: `${PURGE_GRACE_MS}ms`,
    maxClockSkew: `${MAX_CLOCK_SKEW_MS}ms`,
    'session.idleTimeout': `${IDLE_MS}ms`,
    'session.maxLifetime': `${MAX_LIFETIME_MS}ms`,
    'links.heartbeat': random.pick(['200ms', '1s']),
    'links.timeout': random.pick(['2s', '5s']),
    'links.maxReconnectDelay': random.pick(['500ms', '2s']),
    // Rarely, so that digests do not repair what should not have been amiss.
    'links.digestInterval': random.pick(['1s', '1h', '1h']),
    readyPeerWait: random.pick(['500ms', '5s']),
    shutdownTimeout: '5s',
    ...Object.fromEntries(Object.entries(limits).map(([name, value]) => [`limits.${name}`, String(value)])),
  }
}

/** One line of a schedule. */
export const showStep = ({ at, fault, region, ms, ways, amount, isHard }: FaultStep): string =>
  [
    `${(at / 1_000).toFixed(1).padStart(6)} s  ${fault}`,
    ways === undefined ? region : ways.join(' '),
    amount === undefined ? '' : fault === 'clock' ? `${amount / 3_600_000} h` : `(${amount})`,
    isHard ? 'after a kill' : '',
    `for ${(ms / 1_000).toFixed(1)} s`,
  ]
    .filter(Boolean)
    .join(' ')
