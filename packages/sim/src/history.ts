/** What happened in a world, for checkers to judge. */
import type { Level } from '@sojourn/core/internal'
import type { OperationKind } from './plan.js'

/** A session as its users know it. Rotated, one whose id clients made goes on as another; one of the store's goes on under another id. */
export interface SessionName {
  readonly name: string
  /** The latest. Known once its creation returned, or from the start where the client made it. */
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
  /** Which region served it. Of a call through an app: whose server answered; empty: none did. */
  region: string
  /** Which process of the region served it. */
  incarnation: number
  /** The app through whose client it went. */
  readonly app?: string | undefined
  /** The connection that brought the answer, or whose near cache did: by a number that no other connection of the world has. */
  connection?: number | undefined
  /** The near cache gave the session, and nobody was asked. */
  isCached?: boolean | undefined
  /** What a near cache gave was so at this time, or later. */
  asOf?: number | undefined
  /** Of a draft function: what it found was read elsewhere than it was written. */
  foundElsewhere?: boolean | undefined
  /** By when a client must have come to something, at the latest, as far as its process ran. */
  dueAt?: number | undefined
  readonly session: SessionName
  /** The id by which it was called: undefined of a creation. */
  readonly usedId: string | undefined
  readonly level: Level
  /** Regions that the level asks for, by the members that the region knew. */
  need: number
  members: number
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
  /** `rotate`: what it became, where it goes on as another. */
  successor: SessionName | undefined
  /** `rotate`: the id under which it goes on. */
  madeId: string | undefined
}

/** What a server did for clients: one call of the session API that reached its replica. */
export interface Service {
  readonly region: string
  readonly incarnation: number
  readonly kind: string
  /** The session, by id; of a creation or a rotation the one that was made. */
  id: string | undefined
  /** Which step's, where what was written says so. */
  readonly n: number | undefined
  readonly from: number
  until: number | undefined
  outcome: 'pending' | 'ok' | 'absent' | 'failed'
  /** What it gave, as text. */
  shown: string | undefined
}

/** Keys of sessions that a region committed at one time. */
export interface CommitsSeen {
  readonly at: number
  readonly region: string
  readonly incarnation: number
  readonly keys: readonly string[]
}

/** An app's client was connected with a server, and asked it. */
export interface LineSeen {
  readonly app: string
  readonly region: string
  readonly incarnation: number
  readonly from: number
  until: number | undefined
}

/** Something was wrong with an app, or between it and a region. */
export interface AppTrouble {
  readonly app: string
  readonly region: string
  readonly from: number
  readonly until: number
}

/** A client when all has settled. */
export interface AppState {
  readonly app: string
  readonly region: string | undefined
  /** Where it should be; undefined: that server has no room for all clients. */
  readonly nearest: string | undefined
  readonly inFlight: number
}

/** What a region's listener still keeps when no client is left. */
export interface DoorState {
  readonly region: string
  readonly left: { readonly [what: string]: number }
}

/** What is seen of clients, where a world has any. */
export interface ClientHistory {
  readonly services: readonly Service[]
  readonly commits: readonly CommitsSeen[]
  readonly lines: readonly LineSeen[]
  readonly troubles: readonly AppTrouble[]
  /** The longest that a near cache may lag, of each app, milliseconds of the world. */
  readonly maxStaleMs: { readonly [app: string]: number }
  readonly settled: readonly AppState[]
  readonly left: readonly DoorState[]
  /** Connections that one side ended because of what the other one had said. */
  readonly misunderstandings: readonly string[]
  readonly speaksOld: boolean
  /** Regions whose doors have room to remember what they answered, for as long as any call lasts. */
  readonly remembering: readonly string[]
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
export interface IncarnationSeen {
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
  /** What is kept for clients, and how much of it may be. */
  readonly kept?: { readonly [what: string]: readonly [value: number, bound: number] }
  /** Undefined where nobody can look. */
  readonly diskRows: { readonly [kind: string]: number } | undefined
}

/** What a region holds when a phase is over. */
export interface FinalState {
  readonly region: string
  /** By session name; data, creation and deadline. */
  readonly sessions: ReadonlyMap<string, Seen>
  /** Keys of sessions that nobody made. */
  readonly unknownKeys: readonly string[]
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
  readonly incarnations: readonly IncarnationSeen[]
  readonly samples: readonly Sample[]
  /** Changes seen on the wires: Automerge's bytes, each once. */
  readonly changes: readonly Uint8Array[]
  /** Of worlds with apps. */
  readonly clients?: ClientHistory | undefined
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
