import type { Level } from '@sojourn/core/internal'
import type { OperationKind } from './plan.js'

/** A session as its users know it. A rotated one goes on as another. */
export interface SessionName {
  readonly name: string
  /** Known once its creation returned, or from the start where the client made it. */
  id: string | undefined
  /** Whether clients made the id, so that a second creation may meet the first. */
  readonly ownId: boolean
  /** The data that it began with. */
  base: SessionData | undefined
}

/**
 * What worlds put into sessions: registers, a cart of items, a counter, and a user, who is assigned whole: each of its fields says the name of the
 * user for whom it was set.
 */
export interface SessionData {
  readonly user?: { readonly [field: string]: string }
  readonly cart?: { readonly [item: string]: number }
  readonly n?: number
  readonly [register: string]: unknown
}

/** What a call came to. `unmet`: applied where it was made, its quorum not reached. `crashed`: nobody knows. */
export type Outcome = 'pending' | 'ok' | 'absent' | 'unmet' | 'refused' | 'crashed'

export interface Seen {
  readonly data: SessionData
  readonly createdAt: number
  readonly expiresAt: number
}

export interface Operation {
  readonly n: number
  readonly kind: OperationKind
  readonly client: string
  readonly region: string
  /** Which process of the region served it. */
  readonly incarnation: number
  readonly session: SessionName
  readonly level: Level
  /** Regions that the level asks for, by the members that the region knew. */
  readonly need: number
  readonly members: number
  readonly field?: string | undefined
  readonly by?: number | undefined
  /** What was written: a register's value, or an item. */
  readonly value?: string | undefined
  readonly idleMs?: number | undefined
  readonly timeoutMs: number
  readonly invokedAt: number
  returnedAt: number | undefined
  /** The least and the most that the region's wall clock showed while the call was under way. */
  wallLow: number
  wallHigh: number
  /** The region's clock was off by more than regions allow each other: what it had live until when binds nobody. */
  hadWrongClock: boolean
  outcome: Outcome
  code: string | undefined
  /** What the write found in its place: the register's value, or whether the item was there. */
  found: unknown
  /** The session as the call returned it. */
  seen: Seen | undefined
  /** `end`: whether the session was alive. */
  wasAlive: boolean | undefined
  /** `rotate`: what it became. */
  successor: SessionName | undefined
}

/** A region lost something that was on its disk. */
export interface Loss {
  readonly region: string
  readonly at: number
  /** What was written from here on may be gone; milliseconds of the world. */
  readonly from: number
  /** The one session that it is about, by key; undefined: all. */
  readonly key?: string | undefined
  /** What was acknowledged before was in every region by then: it is gone from this one until that has caught up, and no longer. */
  readonly sparedBefore?: number | undefined
  /** When every region held everything again; undefined: that was not seen. */
  readonly wholeAt?: number | undefined
  readonly what: string
}

/** Something was wrong for a time, as was known when it began; milliseconds of the world. */
export interface Trouble {
  /** Whose machine, disk or process it was; undefined: only what lies between. */
  readonly region?: string | undefined
  /** Directions, `from>to`. */
  readonly ways: readonly string[]
  readonly from: number
  readonly until: number
}

/** A region opened its store. */
export interface Opening {
  readonly region: string
  readonly at: number
  readonly incarnation: number
  readonly feed: string
  readonly head: number
}

export interface Sample {
  readonly at: number
  readonly region: string
  readonly incarnation: number
  readonly feed: string
  readonly head: number
  readonly vector: { readonly [feed: string]: number }
  readonly pendingCommits: number
  readonly pendingQuorums: number
  readonly recentBytes: number
  readonly cacheEntries: number
  readonly cacheBytes: number
  readonly bufferedBytes: number
  readonly uncheckpointedBytes: number
  /** Undefined where nobody can look. */
  readonly diskRows: { readonly [kind: string]: number } | undefined
}

/** What a region holds when a phase is over. */
export interface FinalState {
  readonly region: string
  /** By session name; data, creation and deadline. */
  readonly sessions: ReadonlyMap<string, Seen>
  /** Keys of sessions that nobody made. */
  readonly strangers: readonly string[]
  readonly status: {
    readonly sessions: number
    readonly expired: number
    readonly tombstones: number
    readonly pending: number
    readonly cacheEntries: number
  }
  readonly diskRows: { readonly [kind: string]: number } | undefined
  readonly wall: number
}

/** Everything that checkers may look at. */
export interface History {
  readonly operations: readonly Operation[]
  readonly sessions: readonly SessionName[]
  readonly losses: readonly Loss[]
  readonly troubles: readonly Trouble[]
  readonly openings: readonly Opening[]
  readonly samples: readonly Sample[]
  /** Changes seen on the wires: Automerge's bytes, each once. */
  readonly changes: readonly Uint8Array[]
  /** Faults that the replicas reported of themselves and should not have. */
  readonly complaints: readonly string[]
  /** After everything was healed and had time to settle; undefined where it did not come to that. */
  readonly settled: readonly FinalState[] | undefined
  /** What was still wrong when the time to settle was over. */
  readonly unsettled: string | undefined
  /** After every session was past its limit. */
  readonly afterwards: readonly FinalState[] | undefined
  /** The least limits of a world. */
  readonly bounds: {
    readonly maxPendingCommits: number
    readonly maxRecentBytes: number
    readonly maxCacheEntries: number
    readonly maxCacheBytes: number
    readonly maxBufferedBytes: number
    readonly maxUncheckpointedBytes: number
  }
  /** Milliseconds that no frame is longer under way, nor a write to a disk, where nothing is wrong. */
  readonly usualDelayMs: number
  readonly maxClockErrorMs: number
  /** The least of all regions: how long a record stays on the disk after it expired. */
  readonly purgeGraceMs: number
  readonly maxLifetimeMs: number
  /** Whether a wall clock stepped: what was due then is noticed a little later. */
  readonly clocksStepped: boolean
}

/** A rule that a history breaks. */
export interface Violation {
  /** Of SPEC.md. */
  readonly rule: string
  readonly what: string
}

export type Checker = (history: History) => Iterable<Violation>
