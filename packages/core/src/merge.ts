/** What an item or a record from a peer, or from the journal, makes of the record at hand. */
import { decodeChange } from './document/change.js'
import { applyChange, changeFault, readiness } from './document/fold.js'
import type { ChangeDelta } from './document/mutate.js'
import type { Change, ChangeLimits, Op } from './document/op.js'
import { segmentFault } from './document/pointer.js'
import { scalarFault } from './document/value.js'
import type { FieldSet } from './document/view.js'
import { spliceChange } from './document-splice.js'
import { isSojournError, SojournError } from './errors.js'
import type { Item } from './item.js'
import { isFarAhead, joinLeases } from './lifetime.js'
import { type LiveRecord, type SessionRecord, sameRecord } from './record.js'
import { decodeRecord, type RecordLimits } from './record-codec.js'
import { joinRecords } from './record-join.js'
import { RestingRecord, withLease } from './resting-record.js'
import type { Stamp } from './stamp.js'

/** What an item from a peer does to a record: nothing new, a new record, it builds on what is not here, or no sound peer sends it. */
export type Merge =
  | { readonly kind: 'known' }
  | {
      readonly kind: 'merged'
      readonly record: SessionRecord
      /** The record's bytes, where they came with it. */
      readonly encoded?: Uint8Array
      /** What the only change has set, where it was made on the bytes. */
      readonly sets?: readonly FieldSet[] | undefined
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused' }

export interface MergeContext {
  readonly limits: RecordLimits
  /** Wall clock, milliseconds. */
  readonly now: number
}

const KNOWN: Merge = { kind: 'known' }
const MISSING: Merge = { kind: 'missing' }
/** It was stamped by a clock that was wrong, or is larger than the limits of this region allow. */
const REFUSED: Merge = { kind: 'refused' }

/** Operations, predecessors and dependencies of one change: what fits a record does not need more. */
const MAX_OPS = 16_384
const MAX_DEPS = 1_024

/**
 * Decides what an item means for the record at hand.
 * @throws CHANGE_INVALID, RECORD_INVALID for what no sound peer sends; nothing has changed then
 */
export const mergeItem = (current: SessionRecord | undefined, item: Item, context: MergeContext): Merge => {
  if (item.type === 'record') {
    if (item.record.length > context.limits.maxRecordBytes) return REFUSED
    const theirs = decodeRecord(item.record, context.limits)
    const merge = mergeRecord(current, theirs, context)
    return merge.kind === 'merged' && merge.record === theirs ? { ...merge, encoded: item.record } : merge
  }
  if (item.type === 'end') return mergeRecord(current, { kind: 'ended', end: item.end }, context)
  if (item.lease && isFarAhead(item.lease, context.now)) return REFUSED
  if (current === undefined) return MISSING
  if (current.kind === 'ended') return KNOWN
  const merged = item.type === 'changes' ? mergeChanges(current, item.changes, context.limits) : { record: current }
  if (merged === undefined) return MISSING
  const { record } = merged
  const lease = item.lease ? joinLeases(record.lease, item.lease) : record.lease
  if (record === current && lease === record.lease) return KNOWN
  return { kind: 'merged', record: withLease(record, lease), sets: merged.sets }
}

/** Decides what a whole record means for the one at hand. */
export const mergeRecord = (
  current: SessionRecord | undefined,
  theirs: SessionRecord,
  { now }: MergeContext,
): Merge => {
  if (stampsOf(theirs).some((stamped) => isFarAhead(stamped, now))) return REFUSED
  // Also one that is long due: to claim its feed and not to hold it would keep others from ever sending it. The reaper has it soon.
  if (current === undefined) return { kind: 'merged', record: theirs }
  const record = joinRecords(current, theirs)
  return sameRecord(record, current) ? KNOWN : { kind: 'merged', record }
}

/** What is stamped by a clock: far ahead, a lease would outlive every renewal, a login every cutoff, and a cutoff end every login. */
const stampsOf = (record: SessionRecord): readonly { readonly stamp: Stamp }[] => {
  if (record.kind === 'ended') return record.cutoff?.entries ?? []
  const { authentication } = record.identity ?? {}
  return authentication ? [record.lease, authentication] : [record.lease]
}

interface Changed {
  readonly record: LiveRecord
  readonly sets?: readonly FieldSet[]
}

/** The record after the changes; the same one where all are known, undefined where one builds on what is not here. */
const mergeChanges = (
  current: LiveRecord,
  changes: readonly ChangeDelta[],
  limits: RecordLimits,
): Changed | undefined => {
  const decoded = changes.map(({ bytes }) => decodeChange(bytes, changeLimits(limits)))
  const [only] = decoded
  if (current instanceof RestingRecord && only && decoded.length === 1 && !faultIn(only.change)) {
    const spliced = spliceChange(current.bytes, only.change, only.hash, changes[0]!.context)
    if (spliced) return { record: new RestingRecord(spliced.document, current), sets: spliced.sets }
  }
  const before = current.document
  let document = before
  for (const [index, { change, hash }] of decoded.entries()) {
    const state = readiness(document, change, changes[index]!.context)
    if (state === 'missing') return undefined
    if (state === 'known') continue
    const fault = changeFault(document, change) ?? faultIn(change)
    if (fault) throw new SojournError('CHANGE_INVALID', fault)
    document = applyChange(document, change, hash)
  }
  return { record: document === before ? current : { ...current, document } }
}

/** Whether a receiver with these limits takes the bytes of a change. */
export const isTaken = (change: Uint8Array, limits: RecordLimits): boolean => {
  try {
    return faultIn(decodeChange(change, changeLimits(limits)).change) === undefined
  } catch (error) {
    if (isSojournError(error, 'CHANGE_INVALID')) return false
    throw error
  }
}

const changeLimits = ({ maxRecordBytes, maxKeyBytes }: RecordLimits): ChangeLimits => ({
  maxChangeBytes: maxRecordBytes,
  maxOps: MAX_OPS,
  maxPreds: MAX_OPS,
  maxDeps: MAX_DEPS,
  maxKeyBytes,
})

/** What is wrong with the keys and values of a change. */
const faultIn = ({ ops }: Change): string | undefined => {
  for (const op of ops) {
    const fault = opFault(op)
    if (fault) return fault
  }
  return undefined
}

const opFault = (op: Op): string | undefined =>
  segmentFault(op.key) ?? (op.action === 'set' ? scalarFault(op.value) : undefined)
