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
  /** Tells whoever watches. */
  readonly say: (text: string) => void
}

export type RowName = Exclude<OperationName, 'get' | 'patch'> | 'getHot' | 'getCold'

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
  readonly scale?: Scale | undefined
  readonly measures: readonly Measure[]
}
