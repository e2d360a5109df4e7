import type { LinkFailure, LinkReason } from './link-failures.js'
import type { RepairCause } from './record-repair.js'
import type { Runtime } from './runtime.js'

export interface LinkStatus {
  /** `live`: commits are sent as they come. `behind`: the feed is being read from the disk. `down`: no link. */
  readonly state: 'live' | 'behind' | 'down'
  /** Commits that the peer has not acknowledged. */
  readonly behind: number
  /** Age of the oldest of them, milliseconds, as far as it is known. */
  readonly lag: number
  /** Round trip, milliseconds; undefined before the first. */
  readonly rtt: number | undefined
  /** How far the peer's clock is ahead of ours, milliseconds. */
  readonly skew: number
  /** Bytes that wait for the socket. */
  readonly bufferedBytes: number
  /** Commits that the peer says it has and that are not held here; undefined before it has said so. */
  readonly toReceive: number | undefined
  /** How far the peer's feed is held here; undefined where it is not linked. */
  readonly held: number | undefined
  /** Of the link protocol, as both sides agreed; undefined where it is not linked. */
  readonly version: number | undefined
  /** What both sides can do beyond the oldest version. */
  readonly capabilities: readonly string[]
  /** Bytes of frames, since the replica was opened. */
  readonly bytes: { readonly sent: number; readonly received: number }
  /** The last connection with the peer that failed or was lost; undefined where none was since the replica was opened. */
  readonly lastError: LinkFailure | undefined
  /** When the peer is dialled next, milliseconds since the epoch; undefined where it is linked, being dialled, or not dialled from here. */
  readonly nextTryAt: number | undefined
  /** How many did, by reason, since the replica was opened. */
  readonly failures: { readonly [reason in LinkReason]?: number }
}

export interface ReplicaStatus {
  readonly region: string
  /** This opening of the store: its feed and the actor of its changes. */
  readonly replica: string
  readonly isolated: boolean
  /** Peers that refuse this replica because they are linked with another process that runs as the same region. */
  readonly takenAt: readonly string[]
  /** Live sessions. */
  readonly sessions: number
  /** Sessions past their deadline that are not purged yet. */
  readonly expired: number
  readonly tombstones: number
  /** The last sequence of the feed that is on the disk. */
  readonly head: number
  /** How far the feeds of other replicas are held here: feed → sequence. */
  readonly vector: { readonly [feed: string]: number }
  readonly links: { readonly [region: string]: LinkStatus }
  /** `isTrusted`: the wall clock did not jump, and agrees with most peers. `offBy`: how far it is ahead of them else, milliseconds. */
  readonly clock: { readonly isTrusted: boolean; readonly offBy: number }
  /** `hits`: calls that found their record in memory; `misses`: calls that did not. Since the replica was opened. */
  readonly cache: { readonly entries: number; readonly bytes: number; readonly hits: number; readonly misses: number }
  readonly recentBytes: number
  /** Beside the cache: bytes of the index in memory and of the journal, and what waits to be written to the rows. */
  readonly store: {
    readonly indexBytes: number
    readonly journalBytes: number
    readonly uncheckpointed: { readonly records: number; readonly bytes: number }
    readonly checkpoints: { readonly checkpoints: number; readonly rows: number; readonly failed: number }
  }
  /** Connections to the listener whose other side is not known yet: now, and how many were closed to make room for newer ones. */
  readonly unauthenticated: { readonly connections: number; readonly evicted: number }
  /** What waits: commits for the disk, writes and reads for other regions. */
  readonly pending: { readonly commits: number; readonly writes: number; readonly reads: number }
  /** Since the replica was opened. */
  readonly totals: {
    readonly commits: number
    /** Connections refused or given up, by code. */
    readonly refused: { readonly [code: string]: number }
    /** Records mended, by what showed that they were wrong. */
    readonly repaired: { readonly [cause in RepairCause]: number }
    /** Items of peers that were left out, because no sound peer sends them. */
    readonly refusedItems: number
    /** Times that a link fell back to reading the feed from the disk. */
    readonly catchUps: number
    /** Those of them that read all of it. */
    readonly fullCatchUps: number
    /** Records that failed their checksum. */
    readonly rotten: number
  }
}

const DOWN = {
  state: 'down',
  rtt: undefined,
  skew: 0,
  bufferedBytes: 0,
  toReceive: undefined,
  held: undefined,
  version: undefined,
  capabilities: [],
} as const

export const statusOf = (runtime: Runtime): ReplicaStatus => {
  const { settings, store, knowledge, links, writes, reads, totals } = runtime
  const linkStatus = (region: string): LinkStatus => {
    const link = links.get(region)
    const more = { bytes: { ...links.trafficWith(region) }, ...links.failuresOf(region) }
    if (link === undefined) return { ...DOWN, behind: runtime.unackedBy(region), lag: runtime.lagOf(region), ...more }
    const { lagMs: lag, rttMs: rtt, skewMs: skew, ...rest } = link.status
    return { ...rest, lag, rtt, skew, ...more }
  }
  return {
    region: settings.region,
    replica: store.actor,
    isolated: links.isIsolated,
    takenAt: links.takenAt,
    ...store.counts,
    head: store.committed,
    vector: Object.fromEntries(knowledge.vector),
    links: Object.fromEntries([...settings.peers.keys()].map((region) => [region, linkStatus(region)])),
    clock: { isTrusted: settings.ports.clock.isTrusted, offBy: settings.ports.clock.offByMs },
    cache: store.cached,
    recentBytes: store.tail.bytes,
    store: store.figures,
    unauthenticated: { ...links.unauthenticated },
    pending: { commits: store.pendingCommits, writes: writes.pending, reads: reads.pending },
    totals: structuredClone(totals),
  }
}
