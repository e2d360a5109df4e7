/** What a session is, when it shows, and when two states of it are one. */
import { hash } from 'node:crypto'
import { type Cutoff, cutoffText, sameCutoff } from './cutoff.js'
import type { Fold } from './document/fold.js'
import { type Identity, identityText, sameIdentity } from './identity.js'
import type { End, Lease, Limit } from './lifetime.js'
import { compareStamps, stampText } from './stamp.js'

/** The parts of a record that a newer version wrote and this one does not know, by their tags, in order: kept, and joined by the larger bytes. */
export type OtherParts = ReadonlyMap<number, Uint8Array>

/** Which changes a document has seen. */
export type Frontier = Pick<Fold, 'seen' | 'heads'>

/** A session that nobody has ended; it may have expired. */
export interface LiveRecord {
  readonly kind: 'live'
  readonly others?: OtherParts
  /** Of a {@link RestingRecord} made when it is read, and left out by a spread: see `withParts`. */
  readonly document: Fold
  /** Where that is cheaper than the document. */
  readonly frontier?: Frontier
  readonly lease: Lease
  readonly limit: Limit
  /** Undefined: middleware chose the id, and nobody logged in. */
  readonly identity?: Identity
}

/** A tombstone: the data is gone, and whatever arrives later is dropped. */
export interface EndedRecord {
  readonly kind: 'ended'
  readonly others?: OtherParts
  readonly end: End
  /** Of a tombstone that is no session's: see {@link Cutoff}. */
  readonly cutoff?: Cutoff
}

export type SessionRecord = LiveRecord | EndedRecord

export const sameOthers = (a: OtherParts | undefined, b: OtherParts | undefined): boolean =>
  a === b || (a?.size === b?.size && [...(a ?? [])].every(([tag, bytes]) => equals(bytes, b?.get(tag))))

const equals = (a: Uint8Array, b: Uint8Array | undefined): boolean => b !== undefined && Buffer.compare(a, b) === 0

/** For naming a state: empty where there are none. */
export const othersText = (others: OtherParts | undefined): string =>
  [...(others ?? [])].map(([tag, bytes]) => ` ${tag}:${Buffer.from(bytes).toString('hex')}`).join('')

export const sameLimit = (a: Limit, b: Limit): boolean =>
  a.createdAt === b.createdAt && a.deadline === b.deadline && a.horizon === b.horizon

/** The first millisecond at which a session no longer shows. */
export const expiresAt = ({ lease, limit }: Pick<LiveRecord, 'lease' | 'limit'>): number =>
  Math.min(lease.deadline, limit.deadline)

/** Whether a session shows: not ended, and before both deadlines. */
export const isVisible = (record: SessionRecord, now: number): record is LiveRecord =>
  record.kind === 'live' && now < expiresAt(record)

/**
 * When a record has no use any more, but for the grace that its store adds: no copy of the session, whatever it has not heard of, can
 * show it. For most sessions that is when they expire.
 */
export const dueAt = (record: SessionRecord): number =>
  record.kind === 'live'
    ? Math.max(expiresAt(record), Math.min(record.lease.horizon, record.limit.horizon))
    : record.end.horizon

/**
 * A name for the state of a record: equal in two regions if and only if the records are (32 hex digits). The heads name
 * every change that the document has seen, so the data need not be hashed.
 */
export const recordVersion = (record: SessionRecord): string => {
  const text =
    record.kind === 'ended'
      ? `ended ${record.end.reason} ${stampText(record.end.stamp)} ${record.end.horizon}${cutoffText(record.cutoff)}`
      : [
          'live',
          ...frontierOf(record).heads.map((head) => head.hash),
          stampText(record.lease.stamp),
          record.lease.idleTimeoutMs,
          record.lease.deadline,
          record.lease.horizon,
          record.limit.createdAt,
          record.limit.deadline,
          record.limit.horizon,
        ].join(' ') + identityText(record.identity)
  return hash('sha256', text + othersText(record.others), 'hex').slice(0, 32)
}

/** Whether two records are the same state: as {@link recordVersion} decides, without the hashing. */
export const sameRecord = (a: SessionRecord, b: SessionRecord): boolean => {
  if (!sameOthers(a.others, b.others)) return false
  if (a.kind === 'ended')
    return (
      b.kind === 'ended' &&
      a.end.horizon === b.end.horizon &&
      a.end.reason === b.end.reason &&
      sameStamp(a.end, b.end) &&
      sameCutoff(a.cutoff, b.cutoff)
    )
  return (
    b.kind === 'live' &&
    sameHeads(frontierOf(a), frontierOf(b)) &&
    sameStamp(a.lease, b.lease) &&
    a.lease.idleTimeoutMs === b.lease.idleTimeoutMs &&
    a.lease.deadline === b.lease.deadline &&
    a.lease.horizon === b.lease.horizon &&
    sameLimit(a.limit, b.limit) &&
    sameIdentity(a.identity, b.identity)
  )
}

export const frontierOf = (record: LiveRecord): Frontier => record.frontier ?? record.document

/** Whether two documents have seen the same changes: their heads, which are in order, name all of them. */
export const sameHeads = (a: Frontier, b: Frontier): boolean =>
  a.heads.length === b.heads.length && a.heads.every((head, index) => head.hash === b.heads[index]!.hash)

const sameStamp = (a: Lease | End, b: Lease | End): boolean => compareStamps(a.stamp, b.stamp) === 0
