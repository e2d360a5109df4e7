/** What the suites find, and what they need to know of the run. */
import type { Plan } from './plan.js'
import type { Quiet } from './quiet.js'
import type { OperationName } from './subject.js'

/** What a suite needs to know of the run. */
export interface Run {
  readonly plan: Plan
  /** For the stores' files. */
  readonly directory: string
  /** Whether there is a Redis to compare with. */
  readonly hasRedis: boolean
  /** To be waited for before anything is timed. */
  readonly quiet: Quiet
  /** Reports to whoever watches. */
  readonly say: (text: string) => void
}

export type RowName = Exclude<OperationName, 'get' | 'patch' | 'updateMajority'> | 'getHot' | 'getCold'

/** Operations a second of one store: the median, and what it is the median of. */
export interface Speed {
  readonly perSecond: number
  readonly rounds: readonly number[]
  /** How busy the machine was with something else when each round began, of all cores. */
  readonly busyBefore: readonly number[]
  /** CPU time of the process that uses the store; for a replica that is the store, too. */
  readonly cpuUsPerOperation: number
  /** The longest time for which the event loop of that process did not turn, in any of the rounds. Milliseconds. */
  readonly peakMs: number
}

/** One operation at one concurrency. */
export interface Row {
  readonly name: RowName
  readonly concurrency: number
  readonly redis: Speed | undefined
  readonly alone: Speed
  readonly linked: Speed
  /** Linked, and the time counted until both other regions have acknowledged everything. */
  readonly linkedUntilHeld: number
}

/** One operation at one concurrency, over the network: `@sojourn/client` and a server of one region. */
export interface RemoteRow {
  readonly name: OperationName | 'getNear'
  readonly concurrency: number
  readonly redis: Speed | undefined
  readonly remote: Speed
}

/** Operations a second of a store that others hold copies of, and the same where the time counts until they all do. */
export interface HeldSpeed extends Speed {
  readonly perSecondUntilHeld: number
}

/** One operation at one concurrency, in three regions and in what else keeps copies. */
export interface ReplicatedRow {
  readonly name: OperationName
  readonly concurrency: number
  readonly linked: HeldSpeed
  readonly redis: HeldSpeed | undefined
  readonly keydb: HeldSpeed | undefined
}

/** Requests a second to an Express app behind express-session, by the store that keeps its sessions. */
export interface AppRow {
  readonly name: 'read' | 'write'
  /** Connections, each of which sends its next request when its last was answered. */
  readonly concurrency: number
  /** express-session's MemoryStore. */
  readonly memory: Speed
  readonly alone: Speed
  readonly linked: Speed
  /** connect-redis. */
  readonly redis: Speed | undefined
}

/** One operation at one concurrency, in a region in the clear and in one that is encrypted. */
export interface SealedRow {
  readonly name: 'update' | 'touchWritten' | 'create'
  readonly concurrency: number
  readonly clear: Speed
  readonly sealed: Speed
}

export type ScaleRowName = 'getHot' | 'getCold' | 'updateHot' | 'update' | 'create'

/** One operation at one concurrency, in a store of few sessions and in one of many. */
export interface ScaleRow {
  readonly name: ScaleRowName
  readonly concurrency: number
  readonly few: Speed
  readonly many: Speed
}

/** What an operation costs where there are many sessions. */
export interface Scale {
  /** Sessions of the two stores. */
  readonly few: number
  readonly many: number
  readonly rows: readonly ScaleRow[]
}

/** A figure that is not operations a second. */
export interface Measure {
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'µs' | 'B' | 'kB' | 'MB' | '/s'
  /** What belongs beside it. */
  readonly detail?: string
}

export interface Findings {
  readonly rows: readonly Row[]
  readonly remoteRows?: readonly RemoteRow[]
  readonly replicatedRows?: readonly ReplicatedRow[]
  readonly appRows?: readonly AppRow[]
  readonly sealedRows?: readonly SealedRow[]
  readonly scale?: Scale | undefined
  readonly measures: readonly Measure[]
  /** What could not be measured on this machine, and why. */
  readonly skipped?: readonly string[]
}

/** What two suites found. */
export const combined = (a: Findings, b: Findings): Findings => ({
  rows: [...a.rows, ...b.rows],
  replicatedRows: [...(a.replicatedRows ?? []), ...(b.replicatedRows ?? [])],
  remoteRows: [...(a.remoteRows ?? []), ...(b.remoteRows ?? [])],
  appRows: [...(a.appRows ?? []), ...(b.appRows ?? [])],
  sealedRows: [...(a.sealedRows ?? []), ...(b.sealedRows ?? [])],
  scale: b.scale ?? a.scale,
  measures: [...a.measures, ...b.measures],
  skipped: [...(a.skipped ?? []), ...(b.skipped ?? [])],
})
