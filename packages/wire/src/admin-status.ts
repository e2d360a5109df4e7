/** What a server says of itself over its admin listener, field by field. */
import type { ConnectionFault, ErrorCode } from '@sojourn/core/internal'
import { either, figure, flag, type JsonOf, list, maybe, nothing, record, struct, text, whole, word } from './json.js'

const count = whole()

const address = struct({ host: text(), port: count })

const unauthenticated = struct({
  /** How many there are now. */
  connections: count,
  /** How many were closed to make room for newer ones, since the listener began. */
  evicted: count,
})

/** Why a connection failed: by the network, or for a code. */
export type LinkReason = ConnectionFault | ErrorCode

const linkFailure = struct({
  code: text<ErrorCode>(),
  reason: text<LinkReason>(),
  /** For people: what the system says, or a side gave as its reason. */
  why: text(),
  /** Milliseconds since the epoch. */
  at: figure,
})

const link = struct({
  /** `live`: commits are sent as they come. `lagging`: the feed is being read from the disk. `down`: no link. */
  state: word('live', 'lagging', 'down'),
  /** Commits that the peer has not acknowledged. */
  unacked: count,
  /** Age of the oldest of them, milliseconds, as far as it is known. */
  lag: figure,
  /** Round trip, milliseconds; undefined before the first. */
  rtt: maybe(figure),
  /** How far the peer's clock is ahead of ours, milliseconds. */
  skew: figure,
  /** Bytes that wait for the socket. */
  bufferedBytes: count,
  /** Commits that the peer says it has and that are not held here; undefined before it has said so. */
  toReceive: maybe(count),
  /** How far the peer's feed is held here; undefined where it is not linked. */
  held: maybe(count),
  /** Of the link protocol, as both sides agreed; undefined where it is not linked. */
  version: maybe(count),
  /** What both sides can do beyond the oldest version. */
  capabilities: list(text()),
  /** Bytes of frames, since the replica was opened. */
  bytes: struct({ sent: count, received: count }),
  /** The last connection with the peer that failed or was lost; undefined where none was since the replica was opened. */
  lastError: maybe(linkFailure),
  /** When the peer is dialed next, milliseconds since the epoch; undefined where it is linked, being dialed, or not dialed from here. */
  nextTryAt: maybe(figure),
  /** How many did, by reason, since the replica was opened. */
  failures: record(count),
})

const replica = struct({
  region: text(),
  /** This incarnation of the store: its feed and the actor of its changes. */
  replica: text(),
  isolated: flag,
  /** Peers that refuse this replica because they are linked with another process that runs as the same region. */
  takenAt: list(text()),
  /** Live sessions. */
  sessions: count,
  /** Sessions past their deadline that are not purged yet. */
  expired: count,
  tombstones: count,
  /** Subjects of whom an end of all sessions is remembered, for sessions that have not arrived yet. */
  cutoffs: maybe(count),
  /** The last sequence of the feed that is on the disk. */
  head: count,
  /** How far the feeds of other replicas are held here: feed → sequence. */
  vector: record(count),
  links: record(link),
  /** `isTrusted`: the wall clock did not jump, and agrees with most peers. `offBy`: how far it is ahead of them else, milliseconds. */
  clock: struct({ isTrusted: flag, offBy: figure }),
  /** `hits`: calls that found their record in memory; `misses`: calls that did not. Since the replica was opened. */
  cache: struct({ entries: count, bytes: count, hits: count, misses: count }),
  recentBytes: count,
  /** Beside the cache: bytes of the index in memory and of the journal, and what waits to be written to the rows. */
  store: struct({
    indexBytes: count,
    journalBytes: count,
    uncheckpointed: struct({ records: count, bytes: count }),
    checkpoints: struct({ checkpoints: count, rows: count, failed: count }),
  }),
  /** Of a store that is encrypted; undefined where it is in the clear. */
  encryption: maybe(
    struct({
      /** The key of the ring that wraps the data key in use. */
      active: text(),
      /** The keys of the ring that are needed to open the store. */
      ringKeys: list(text()),
      dataKeys: count,
      /** Records that may be sealed with older data keys: a rekey seals them anew. */
      waiting: count,
      /** Whether a rekey is under way. */
      isRekeying: flag,
      /** Why the last rekey failed; undefined where none did since the store was opened. */
      failure: maybe(text()),
    }),
  ),
  /** Connections to the listener whose other side is not known yet. */
  unauthenticated,
  /** When the certificate of `openReplica({ tls })` expires, milliseconds since the epoch. A server reports those of its listeners apart. */
  certificateExpiresAt: maybe(figure),
  /** What waits: commits for the disk, writes and reads for other regions. */
  pending: struct({ commits: count, writes: count, reads: count }),
  /** Since the replica was opened. */
  totals: struct({
    commits: count,
    /** Connections refused or given up, by code. */
    refused: record(count),
    /** Records repaired, by what showed that they were wrong. */
    repaired: struct({ read: count, digest: count, corrupt: count }),
    /** Items of peers that were left out, because no sound peer sends them. */
    refusedItems: count,
    /** Times that a link fell back to reading the feed from the disk. */
    catchUps: count,
    /** Those of them that read all of it. */
    fullCatchUps: count,
    /** Records that failed their checksum. */
    corrupt: count,
    /** Times that a superseded id was shown after its grace. */
    reused: maybe(count),
  }),
})

const kept = struct({
  frames: count,
  requests: count,
  quorums: count,
  answers: count,
  replies: count,
  watches: count,
  scans: count,
})

const clients = struct({
  connections: count,
  /** Connections of which it is not known yet who it is. */
  unauthenticated,
  /** Requests that wait for their answers. */
  inFlight: count,
  /** Answers to writes that are kept for when the write comes again. */
  remembered: count,
  /** Sessions that clients keep, counted once for each client. */
  watched: count,
  /** What is kept for clients: bytes; of `quorums`, requests that may wait for other regions. */
  kept,
  /** How often something was refused, forgotten or not watched, since there was no room for it. */
  exceeded: kept,
  /** Since the listener began. */
  totals: struct({
    accepted: count,
    /** Connections refused or given up, by code. */
    refused: record(count),
    requests: count,
    /** Writes that came again and were answered from memory. */
    answeredFromMemory: count,
    /** Changes reported to clients that keep what they read. */
    invalidations: count,
    bytesIn: count,
    bytesOut: count,
  }),
})

/** A region, as another one knows it. */
export const member = struct({
  region: text(),
  /** Where its peer listener is; null: it dials the others. */
  url: either(text(), nothing, 'an address, or null'),
  /** Where its admin listener is, if anybody has said so. */
  admin: maybe(text()),
  /** Whether it comes from the settings, or from `sojourn region add`. */
  from: word('settings', 'added'),
})

export const adminStatus = struct({
  region: text(),
  /** Of the build. */
  version: text(),
  ready: flag,
  /** Why it is not. */
  reasons: list(text()),
  uptimeSeconds: count,
  /** Calls of the session API since the start. */
  calls: struct({ requests: count, errors: count, seconds: figure }),
  members: list(member),
  replica,
  /** Undefined where clients are not let in, or not yet. */
  clients: maybe(clients),
  /** Connections whose other side is not known yet, by listener. */
  unauthenticated: record(unauthenticated),
  listeners: record(maybe(address)),
  /** When certificates are good no more, by listener, milliseconds since the epoch. */
  certificates: record(figure),
})

export type AdminStatus = JsonOf<typeof adminStatus>
export type ReplicaStatus = JsonOf<typeof replica>
export type LinkStatus = JsonOf<typeof link>
export type LinkFailure = JsonOf<typeof linkFailure>
export type ClientsStatus = JsonOf<typeof clients>
export type Member = JsonOf<typeof member>
