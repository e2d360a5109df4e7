import { hash } from 'node:crypto'
import type { Fold } from './document/fold.js'
import { joinFolds } from './document/fold.js'
import type { SessionKey } from './key.js'
import type { End, Lease, Limit } from './lifetime.js'
import { END_REASONS, joinEnds, joinLeases, joinLimits } from './lifetime.js'
import { compareStamps } from './stamp.js'

/** The parts of a record that a newer version wrote and this one does not know, by their tags, in order: kept, and joined by the larger bytes. */
export type OtherParts = ReadonlyMap<number, Uint8Array>

/** A session that nobody has ended; it may have expired. */
export interface LiveRecord {
  readonly kind: 'live'
  readonly others?: OtherParts
  readonly document: Fold
  readonly lease: Lease
  readonly limit: Limit
}

/** A tombstone: the data is gone, and whatever arrives later is dropped. */
export interface EndedRecord {
  readonly kind: 'ended'
  readonly others?: OtherParts
  readonly end: End
}

export type SessionRecord = LiveRecord | EndedRecord

/** The join: associative, commutative, idempotent. An end wins over everything, and remembers the longest horizon. */
export const joinRecords = (a: SessionRecord, b: SessionRecord): SessionRecord => {
  if (a.kind === 'ended' && b.kind === 'ended')
    return { kind: 'ended', end: joinEnds(a.end, b.end), ...withOthers(joinOthers(a.others, b.others)) }
  if (a.kind === 'ended') return { ...a, end: outlive(a.end, b as LiveRecord) }
  if (b.kind === 'ended') return { ...b, end: outlive(b.end, a) }
  const document = joinFolds(a.document, b.document)
  const lease = joinLeases(a.lease, b.lease)
  const limit = joinLimits(a.limit, b.limit)
  const others = joinOthers(a.others, b.others)
  // The very record where one adds nothing to the other, so that nothing need be encoded again.
  for (const part of [b, a])
    if (
      part.document === document &&
      part.lease === lease &&
      sameLimit(part.limit, limit) &&
      sameOthers(part.others, others)
    )
      return part
  return { kind: 'live', document, lease, limit, ...withOthers(others) }
}

const withOthers = (others: OtherParts | undefined): { others?: OtherParts } => (others ? { others } : {})

const joinOthers = (a: OtherParts | undefined, b: OtherParts | undefined): OtherParts | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  const joined = new Map(a)
  for (const [tag, bytes] of b) {
    const ours = joined.get(tag)
    if (ours === undefined || Buffer.compare(ours, bytes) < 0) joined.set(tag, bytes)
  }
  return new Map([...joined].sort(([x], [y]) => x - y))
}

const sameOthers = (a: OtherParts | undefined, b: OtherParts | undefined): boolean =>
  a === b || (a?.size === b?.size && [...(a ?? [])].every(([tag, bytes]) => equals(bytes, b?.get(tag))))

const equals = (a: Uint8Array, b: Uint8Array | undefined): boolean => b !== undefined && Buffer.compare(a, b) === 0

/** For naming a state: empty where there are none. */
const othersText = (others: OtherParts | undefined): string =>
  [...(others ?? [])].map(([tag, bytes]) => ` ${tag}:${Buffer.from(bytes).toString('hex')}`).join('')

const sameLimit = (a: Limit, b: Limit): boolean =>
  a.createdAt === b.createdAt && a.deadline === b.deadline && a.horizon === b.horizon

const outlive = (end: End, live: LiveRecord): End =>
  end.horizon >= live.limit.horizon ? end : { ...end, horizon: live.limit.horizon }

/** The first millisecond at which a session no longer shows. */
export const expiresAt = (record: LiveRecord): number => Math.min(record.lease.deadline, record.limit.deadline)

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
      ? `ended ${record.end.reason} ${stampText(record.end)} ${record.end.horizon}`
      : [
          'live',
          ...record.document.heads.map((head) => head.hash),
          stampText(record.lease),
          record.lease.idleTimeoutMs,
          record.lease.deadline,
          record.lease.horizon,
          record.limit.createdAt,
          record.limit.deadline,
          record.limit.horizon,
        ].join(' ')
  return hash('sha256', text + othersText(record.others), 'hex').slice(0, 32)
}

/**
 * A hash of a key and the version of its record, in two halves of 32 bits, cheap enough to be made at every commit: sums of them over
 * many records are what regions compare. It must notice accidents, not adversaries: who sends records has the secret.
 */
export const versionHash = (
  key: SessionKey,
  record: SessionRecord,
): { readonly high: number; readonly low: number } => {
  high = 0x9e3779b1
  low = 0x85ebca6b
  for (let at = 0; at < key.length; at += WORD_DIGITS) mix(wordOf(key, at))
  const stamped = record.kind === 'ended' ? record.end : record.lease
  const { time, count, actor } = stamped.stamp
  for (let at = 0; at < actor.length; at += WORD_DIGITS) mix(wordOf(actor, at))
  mix(count)
  mixNumber(time)
  mixNumber(stamped.horizon)
  if (record.kind === 'ended') mix(END_REASONS.indexOf(record.end.reason))
  else {
    const { document, lease, limit } = record
    for (const { hash: head } of document.heads) {
      mix(wordOf(head, 0))
      mix(wordOf(head, WORD_DIGITS))
    }
    mixNumber(lease.idleTimeoutMs)
    mixNumber(lease.deadline)
    mixNumber(limit.createdAt)
    mixNumber(limit.deadline)
    mixNumber(limit.horizon)
  }
  if (record.others) mix(wordOf(hash('sha256', othersText(record.others), 'hex'), 0))
  return { high: finished(high), low: finished(low) }
}

/** Hex digits of a word of 32 bits. */
const WORD_DIGITS = 8

/** The word that eight lower-case hex digits make. */
const wordOf = (hex: string, at: number): number => {
  let word = 0
  for (let digit = at; digit < at + WORD_DIGITS; digit++) {
    const code = hex.charCodeAt(digit)
    word = (word << 4) | (code < 0x3a ? code - 0x30 : code - 0x57)
  }
  return word
}

// MurmurHash3 for 32 bits (Appleby, 2011), twice with different seeds. The state stands here, so that a hash makes no garbage.
let high = 0
let low = 0

const mix = (word: number): void => {
  const scrambled = Math.imul(word, 0xcc9e2d51)
  const mixed = Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  high ^= mixed
  high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
  low ^= mixed
  low = (Math.imul((low << 13) | (low >>> 19), 5) + 0x38b34ae5) | 0
}

const mixNumber = (value: number): void => {
  mix((value % 2 ** 32) | 0)
  mix(Math.floor(value / 2 ** 32))
}

const finished = (state: number): number => {
  let hash = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Whether two records are the same state: as {@link recordVersion} tells, without the hashing. */
export const sameRecord = (a: SessionRecord, b: SessionRecord): boolean => {
  if (!sameOthers(a.others, b.others)) return false
  if (a.kind === 'ended')
    return (
      b.kind === 'ended' && a.end.horizon === b.end.horizon && a.end.reason === b.end.reason && sameStamp(a.end, b.end)
    )
  return (
    b.kind === 'live' &&
    sameHeads(a.document, b.document) &&
    sameStamp(a.lease, b.lease) &&
    a.lease.idleTimeoutMs === b.lease.idleTimeoutMs &&
    a.lease.deadline === b.lease.deadline &&
    a.lease.horizon === b.lease.horizon &&
    sameLimit(a.limit, b.limit)
  )
}

/** Whether two folds have seen the same changes: their heads, which are in order, name all of them. */
export const sameHeads = (a: Fold, b: Fold): boolean =>
  a.heads.length === b.heads.length && a.heads.every((head, index) => head.hash === b.heads[index]!.hash)

const sameStamp = (a: Lease | End, b: Lease | End): boolean => compareStamps(a.stamp, b.stamp) === 0

const stampText = ({ stamp }: Lease | End): string => `${stamp.time}.${stamp.count}.${stamp.actor}`
