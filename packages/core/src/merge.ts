/** What an item or a record from a peer, or from the journal, makes of the record at hand. */
import { decodeChange } from './document/change.js'
import { applyChange, changeFault, readiness } from './document/fold.js'
import type { Op } from './document/op.js'
import { segmentFault } from './document/pointer.js'
import { scalarFault } from './document/value.js'
import { SojournError } from './errors.js'
import type { Item } from './item.js'
import { isFarAhead, joinLeases } from './lifetime.js'
import type { Limits } from './limits.js'
import { joinRecords, type LiveRecord, type SessionRecord, sameRecord } from './record.js'
import { decodeRecord } from './record-codec.js'
import { withLease } from './resting-record.js'

/** What an item from a peer does to a record: nothing new, a new record, it builds on what is not here, or no sound peer sends it. */
export type Merge =
  | { readonly kind: 'known' }
  | {
      readonly kind: 'merged'
      readonly record: SessionRecord
      /** The record's bytes, where they came with it. */
      readonly encoded?: Uint8Array
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused' }

export interface MergeContext {
  readonly limits: Limits
  /** Wall clock, milliseconds. */
  readonly now: number
}

const KNOWN: Merge = { kind: 'known' }
const MISSING: Merge = { kind: 'missing' }
/** Its lease was stamped by a clock that was wrong. Taken in, it would outlive every renewal. */
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
    const theirs = decodeRecord(item.record, context.limits)
    const merge = mergeRecord(current, theirs, context)
    return merge.kind === 'merged' && merge.record === theirs ? { ...merge, encoded: item.record } : merge
  }
  if (item.type === 'end') return mergeRecord(current, { kind: 'ended', end: item.end }, context)
  if (item.lease && isFarAhead(item.lease, context.now)) return REFUSED
  if (current === undefined) return MISSING
  if (current.kind === 'ended') return KNOWN
  const record = item.type === 'changes' ? mergeChanges(current, item.changes, context.limits) : current
  if (record === undefined) return MISSING
  const lease = item.lease ? joinLeases(record.lease, item.lease) : record.lease
  return record === current && lease === record.lease ? KNOWN : { kind: 'merged', record: withLease(record, lease) }
}

/** Decides what a whole record means for the one at hand. */
export const mergeRecord = (
  current: SessionRecord | undefined,
  theirs: SessionRecord,
  { now }: MergeContext,
): Merge => {
  if (theirs.kind === 'live' && isFarAhead(theirs.lease, now)) return REFUSED
  // Also one that is long due: to claim its feed and not to hold it would keep others from ever sending it. The reaper has it soon.
  if (current === undefined) return { kind: 'merged', record: theirs }
  const record = joinRecords(current, theirs)
  return sameRecord(record, current) ? KNOWN : { kind: 'merged', record }
}

/** The record after the changes; the same one where all are known, undefined where one builds on what is not here. */
const mergeChanges = (
  current: LiveRecord,
  changes: (Item & { type: 'changes' })['changes'],
  limits: Limits,
): LiveRecord | undefined => {
  let document = current.document
  for (const { bytes, context } of changes) {
    const { change, hash } = decodeChange(bytes, {
      maxChangeBytes: limits.maxRecordBytes,
      maxOps: MAX_OPS,
      maxPreds: MAX_OPS,
      maxDeps: MAX_DEPS,
      maxKeyBytes: limits.maxKeyBytes,
    })
    const state = readiness(document, change, context)
    if (state === 'missing') return undefined
    if (state === 'known') continue
    const fault = changeFault(document, change) ?? change.ops.map(opFault).find((found) => found !== undefined)
    if (fault) throw new SojournError('CHANGE_INVALID', fault)
    document = applyChange(document, change, hash)
  }
  return document === current.document ? current : { ...current, document }
}

const opFault = (op: Op): string | undefined =>
  segmentFault(op.key) ?? (op.action === 'set' ? scalarFault(op.value) : undefined)
