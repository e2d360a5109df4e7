/** How much memory a server may come to need: everything that its limits allow at one time, added up. */
import type { Limits } from '@sojourn/core/internal'
import { type ClientLimits, WEIGHTS } from './clients/limits.js'

const KB = 1024
const MB = 1024 * KB

/** What things weigh, bytes: measured on Node 20, and rounded up. */
const WEIGHT = {
  /** Node.js, the code, and what a server without clients and sessions has. */
  process: 96 * MB,
  /** LevelDB: two tables of 8 MB in memory, a block cache of 8 MB, and the indexes of its files. */
  engine: 64 * MB,
  /**
   * A record in memory beside a multiple of its encoded bytes. It is that of a document in maps, as one is while it is changed: a session of 300 bytes
   * takes 4.2 kB so, one of 42 kB in 1,000 fields 368 kB. One that rests as its bytes takes less (bench/README.md), so this is an upper bound.
   */
  record: 1_600,
  /** That multiple. */
  recordBytes: 9,
  /** A recent commit beside its delta. */
  recent: 400,
  /** A write that waits for regions beside what it made: its promises, and a timer. */
  quorum: 1_024,
  /** A connection that is being authenticated. */
  handshake: 16 * KB,
} as const

/** Of what is on the heap, what garbage may take before it is collected. */
const GARBAGE_SHARE = 0.25

/** What is kept as objects, and not in buffers. */
const ON_HEAP: readonly Part[] = ['cache', 'commits', 'quorums', 'requests', 'watches']

type Part =
  | 'process'
  | 'engine'
  | 'cache'
  | 'recent'
  | 'uncheckpointed'
  | 'commits'
  | 'quorums'
  | 'links'
  | 'connections'
  | 'requests'
  | 'frames'
  | 'answers'
  | 'replies'
  | 'watches'
  | 'scans'
  | 'garbage'

export interface MemoryNeed {
  /** Bytes. */
  readonly total: number
  /** Bytes, by what for; the names are those of docs/operations.md. */
  readonly parts: { readonly [part in Part]: number }
  /** Bytes of the total that V8's heap must hold. */
  readonly heap: number
}

export interface MemoryNeedOptions {
  readonly limits: Limits
  /** Undefined: no clients are served. */
  readonly clients: ClientLimits | undefined
  /** How many other regions there are. */
  readonly peers: number
}

const records = (count: number, bytes: number): number => count * WEIGHT.record + bytes * WEIGHT.recordBytes

/** Bytes for one peer: a frame that comes, what waits for the socket, what was sent and what came that is not acknowledged. */
const linkBytes = ({ maxFrameBytes, maxBufferedBytes, maxUnackedBytes }: Limits): number =>
  maxFrameBytes + maxBufferedBytes + 2 * maxUnackedBytes

/** See docs/operations.md, "Memory". It holds for sessions on the disk; a store in memory has them on top. */
export const memoryNeed = ({ limits, clients, peers }: MemoryNeedOptions): MemoryNeed => {
  const kept = {
    process: WEIGHT.process,
    engine: WEIGHT.engine,
    cache: records(limits.maxCacheEntries, limits.maxCacheBytes),
    recent: limits.maxRecentCommits * WEIGHT.recent + limits.maxRecentBytes,
    uncheckpointed: limits.maxUncheckpointedBytes,
    commits: records(limits.maxPendingCommits, limits.maxPendingBytes),
    quorums: limits.maxPendingQuorums * WEIGHT.quorum + records(0, limits.maxPendingQuorumBytes),
    links: peers * linkBytes(limits) + (peers > 0 ? limits.maxHandshakes * WEIGHT.handshake : 0),
    ...(clients ? clientParts(clients) : NO_CLIENTS),
  }
  const sum = (parts: Partial<Record<Part, number>>) => Object.values(parts).reduce((total, bytes) => total + bytes, 0)
  const heap = sum(Object.fromEntries(ON_HEAP.map((part) => [part, kept[part as keyof typeof kept]])))
  const parts = { ...kept, garbage: Math.ceil(heap * GARBAGE_SHARE) }
  return { total: sum(parts), parts, heap: heap + parts.garbage }
}

const clientParts = (limits: ClientLimits) => ({
  connections: limits.maxConnections * (WEIGHTS.connection + WEIGHTS.client) + limits.maxAwayClients * WEIGHTS.client,
  requests: limits.maxInFlightBytesInAll,
  // A frame that comes whole is one more, before it is seen.
  frames: limits.maxFrameBytesInAll + limits.maxFrameBytes,
  answers: limits.maxBufferedBytesInAll,
  replies: limits.maxRememberedBytesInAll,
  watches: limits.maxWatchedBytesInAll,
  scans: limits.maxScansInAll * WEIGHTS.scan,
})

const NO_CLIENTS = { connections: 0, requests: 0, frames: 0, answers: 0, replies: 0, watches: 0, scans: 0 }

const megabytes = (bytes: number): number => Math.ceil(bytes / MB)

/** As it is logged at the start: whole megabytes (2^20 bytes). */
export const describeMemory = ({ total, parts, heap }: MemoryNeed) => ({
  needMb: megabytes(total),
  heapMb: megabytes(heap),
  partsMb: Object.fromEntries(Object.entries(parts).map(([part, bytes]) => [part, megabytes(bytes)])),
})

/**
 * What is too small for what the limits allow; empty: nothing is.
 * @param given bytes that the machine or its container has, and that V8 allows its heap; undefined: it is not known
 */
export const memoryShortages = (
  need: MemoryNeed,
  given: { readonly memory: number | undefined; readonly heap: number },
): string[] => {
  const shortages: string[] = []
  if (given.memory !== undefined && given.memory < need.total)
    shortages.push(
      `the limits allow ${megabytes(need.total)} MB of memory, but the process has ${megabytes(given.memory)} MB. Give the container more, or lower the limits with the largest parts`,
    )
  if (given.heap < need.heap)
    shortages.push(
      `the limits allow ${megabytes(need.heap)} MB of heap, but Node.js has ${megabytes(given.heap)} MB. Set NODE_OPTIONS=--max-old-space-size=${megabytes(need.heap)}`,
    )
  return shortages
}
