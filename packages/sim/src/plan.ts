/** The plan of a world: users, faults, and when they act. */
import type { ClientOptions } from '@sojourn/client'
import type { Level } from '@sojourn/core/internal'
import type { ReplicaOptions } from '@sojourn/replica'
import type { ClientLimits } from '@sojourn/server'
import type { DiskSpeed } from './disk.js'
import type { Wire } from './network.js'

/** What a user does. `save` writes back what was read before, as a slow request does that knows nothing of others. */
export const OPERATIONS = [
  'create',
  'get',
  'set',
  'save',
  'add',
  'drop',
  'increment',
  'touch',
  'rotate',
  'end',
] as const
export type OperationKind = (typeof OPERATIONS)[number]

export interface OperationStep {
  readonly do: OperationKind
  /** Milliseconds since the world began. */
  readonly at: number
  /** Numbers the step; values that it writes carry the number, so that each is written once in a world. */
  readonly n: number
  readonly client: string
  /** Whose replica is called; where an app is, its client finds a server itself. */
  readonly region: string
  /** The app through whose client the call goes; undefined: the replica is called itself. */
  readonly app?: string
  /** Which of the sessions that clients share. */
  readonly slot: number
  readonly read?: Level
  readonly write?: Level
  readonly timeoutMs?: number
  /** `set`, `save`: which register. */
  readonly field?: string
  /** `increment`: by how much, at least 1. */
  readonly by?: number
  /** `create`: the client makes the id, so that another region may take it at the same time. */
  readonly ownId?: boolean
  readonly idleMs?: number
  readonly lifeMs?: number
  /** `create`: bytes of a register that nobody changes. */
  readonly padBytes?: number
}

/** Faults of the clock and the disk of a region's machine. */
export const FAULTS_OF_MACHINES = [
  'clock-step',
  'clock-drift',
  'clock-strobe',
  'disk-full',
  'disk-stall',
  'rot',
  'old-row',
  'fence',
] as const

/** What goes wrong between regions. */
export const FAULTS_BETWEEN = [
  'partition',
  'one-way',
  'flapping',
  'swizzle',
  'disconnect',
  'slow-reader',
  'spike',
] as const

/** What goes wrong. Each kind is drawn, or not, for a whole world (swarm testing: Groce and others, ISSTA 2012). */
export const FAULTS = [
  ...FAULTS_BETWEEN,
  'loss',
  'duplication',
  'kill',
  'crash-in-call',
  'power',
  'restart',
  'reconfigure',
  'pause',
  ...FAULTS_OF_MACHINES,
  'wipe',
  'restore',
  'membership',
] as const
export type FaultKind = (typeof FAULTS)[number]

export interface FaultStep {
  readonly do: 'fault'
  readonly at: number
  readonly fault: FaultKind
  readonly region: string
  /** How long it lasts, milliseconds. */
  readonly ms: number
  /** Directions that are blocked, `from>to`, for the kinds that block any. */
  readonly ways?: readonly string[]
  /** Whether connections are reset at once, rather than left to wait. */
  readonly reset?: boolean
  /** A number whose meaning depends on the kind: milliseconds of a clock step, calls until a crash, a probability, a rate. */
  readonly amount?: number
}

/** What goes wrong with apps, and between them and servers. */
export const CLIENT_FAULTS = [
  'app-cut',
  'app-reset',
  'app-slow',
  'app-spike',
  'app-duplication',
  'app-pause',
  'app-kill',
  'app-close',
  'answer-crash',
] as const
export type ClientFaultKind = (typeof CLIENT_FAULTS)[number]

export interface ClientFaultStep {
  readonly do: 'client-fault'
  readonly at: number
  readonly fault: ClientFaultKind
  readonly app: string
  /** The region at the other end. */
  readonly region: string
  readonly ms: number
  /** Directions that it is about: of the app, of the region, both. */
  readonly ways?: 'to' | 'from' | 'both'
  readonly reset?: boolean
  /** A number whose meaning depends on the kind: a rate, milliseconds, a probability, answers until a crash. */
  readonly amount?: number
  /** `answer-crash`: whether the process dies before the answer is sent. */
  readonly before?: boolean
}

/** A process with a client, on a machine of its own. */
export interface AppPlan {
  /** Regions, the nearest first. */
  readonly regions: readonly string[]
  /** How far its wall clock is off at the start, milliseconds, and how much too fast its clock goes. */
  readonly clock: number
  readonly drift: number
  readonly options: Pick<
    ClientOptions,
    'timeout' | 'connectTimeout' | 'whenUnavailable' | 'nearCache' | 'connection' | 'limits'
  >
}

/** How a region lets clients in. */
export interface DoorPlan {
  readonly limits: Partial<ClientLimits>
  /** The latest version that it speaks. */
  readonly maxVersion?: number
  /** How long it waits, at a stop, for what clients are owed, milliseconds. */
  readonly drainMs: number
}

export interface ClientsPlan {
  readonly apps: { readonly [app: string]: AppPlan }
  readonly doors: { readonly [region: string]: DoorPlan }
  /** `from>to`, between apps and regions. */
  readonly wires: { readonly [way: string]: Wire }
  /** Whether a client or a server speaks an older version, which cannot say which objects are new. */
  readonly speaksOld: boolean
}

export type Step = OperationStep | FaultStep | ClientFaultStep

/** What may differ from region to region, and from one start of a region to the next. */
export type RegionOptions = Partial<
  Pick<
    ReplicaOptions,
    'fsync' | 'limits' | 'purgeGrace' | 'session' | 'consistency' | 'links' | 'maxClockSkew' | 'reuse'
  >
>

/** A world and everything that happens in it, as data. The same plan makes the same history. */
export interface Plan {
  readonly seed: number
  readonly regions: readonly string[]
  readonly options: { readonly [region: string]: RegionOptions }
  /** `from>to` */
  readonly wires: { readonly [way: string]: Wire }
  readonly disks: { readonly [region: string]: DiskSpeed }
  /** How far each wall clock is off at the start, milliseconds. */
  readonly clocks: { readonly [region: string]: number }
  /** Whether clocks keep what steps make of them, for worlds about clocks that are wrong; else they are kept near true time. */
  readonly wildClocks?: boolean
  readonly faults: readonly FaultKind[]
  /** Apps that call over the network, beside users who call replicas; undefined: there are none. */
  readonly clients?: ClientsPlan
  readonly steps: readonly Step[]
  /** When the safety phase ends, milliseconds. */
  readonly endsAt: number
}

/** Clocks stay this close to true time, milliseconds, so that any two are within the skew that replicas allow each other. */
export const MAX_CLOCK_ERROR_MS = 2_000
export const MAX_CLOCK_SKEW_MS = 5_000
