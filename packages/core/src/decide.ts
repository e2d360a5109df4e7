/** What each call, and each item from a peer, makes of a record: pure decisions, which the store then commits. */
import type { Edit } from './document/diff.js'
import { EMPTY_FOLD } from './document/fold.js'
import { type ChangeDelta, mutate } from './document/mutate.js'
import type { ActorId } from './document/op.js'
import type { Data } from './document/value.js'
import type { FieldSet } from './document/view.js'
import { spliceEdits } from './document-splice.js'
import { SojournError } from './errors.js'
import { compareAuthentications, type NewIdentity, newIdentity, sameIdentity } from './identity.js'
import type { Item } from './item.js'
import type { SessionKey } from './key.js'
import { type EndReason, longestLifeMs, openLease, type Renewal, renewLease } from './lifetime.js'
import { type MergeContext, mergeItem, mergeRecord } from './merge.js'
import { frontierOf, isVisible, type LiveRecord, type SessionRecord, sameHeads } from './record.js'
import { RestingRecord, sharesDocument, withLease } from './resting-record.js'
import { nextStamp } from './stamp.js'

/** What became of a session, for listeners. */
export type Transition =
  | { readonly name: 'created' }
  | { readonly name: 'elevated' }
  | { readonly name: 'updated' }
  | { readonly name: 'rotated' }
  | { readonly name: 'ended'; readonly reason: EndReason }

export interface Decision {
  /** The record from now on; undefined: it stays as it is. */
  readonly next: SessionRecord | undefined
  /** The delta that makes it of the one before; undefined: it travels whole. */
  readonly item: Item | undefined
  readonly event: Transition | undefined
  /** The bytes of `next`, where they are known. */
  readonly encoded?: Uint8Array | undefined
  /** By which the view of `next` is that of the record before, where that is all that changed in it. */
  readonly sets?: readonly FieldSet[] | undefined
  /** `end`: whether the session showed until now. */
  readonly wasVisible?: boolean
  /** Of a delta from a peer: it builds on what is not here, so the whole record must be asked for. */
  readonly isMissing?: boolean
  /** Of an item from a peer: no sound peer sends it, so it is left out. */
  readonly isRefused?: boolean
  /** A session that had expired here shows again, so it must travel whole, and to everybody (ARCHITECTURE, "Purges and claims"). */
  readonly isRevived?: boolean
}

/** Nothing is committed, and the caller's error says why. */
export interface Refusal {
  readonly refusal: SojournError
}

export type Decided = Decision | Refusal

/** Who writes. */
export interface Writer {
  /** Stamps leases and ends. */
  readonly stamps: ActorId
  /** The actor for the next change of a document that has seen these. */
  readonly actorFor: (actors: Iterable<ActorId>) => ActorId
}

const UNCHANGED: Decision = { next: undefined, item: undefined, event: undefined }

/** There is no session to change, which is an answer and not an error. */
export const GONE: Decision = { ...UNCHANGED, wasVisible: false }

export const notFound = (): Refusal => ({
  refusal: new SojournError('SESSION_NOT_FOUND', 'no live session has this id here'),
})

export const createSession = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly edits: readonly Edit[]
    readonly idleTimeoutMs: number
    readonly lifetimeMs: number
    /** For how much longer a login may prolong it that is not known here. */
    readonly prolongedMs?: number
    readonly identity?: NewIdentity
    readonly writer: Writer
  },
): Decided => {
  if (current !== undefined) {
    const state = current.kind === 'ended' ? 'ended' : isVisible(current, now) ? 'live' : 'expired'
    const why =
      state === 'live'
        ? 'a session lives under this id. Read it, or give another id'
        : `the session of this id has ${state}, and no session can use its id again. Give a new id`
    return { refusal: new SojournError('SESSION_EXISTS', why, { state }) }
  }
  const { edits, idleTimeoutMs, lifetimeMs, prolongedMs = 0, identity, writer } = request
  const deadline = now + lifetimeMs
  const made = identity && newIdentity(identity, undefined, now, writer.stamps)
  const next: LiveRecord = {
    kind: 'live',
    document: mutate(EMPTY_FOLD, writer.actorFor([]), edits)?.fold ?? EMPTY_FOLD,
    lease: openLease(idleTimeoutMs, now, writer.stamps),
    limit: { createdAt: now, deadline, horizon: deadline + prolongedMs },
    ...(made && { identity: made }),
  }
  return { next, item: undefined, event: { name: 'created' } }
}

/** An update, a replacement, an increment: whatever changes data. It renews the lease unless `touch` is false. */
export const changeSession = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly key: SessionKey
    /** @param data what the session shows now */
    readonly edit: (data: Data) => readonly Edit[]
    /** The data that the record shows. */
    readonly view: () => Data
    readonly touch: boolean
    readonly renewal: Renewal
    readonly writer: Writer
  },
): Decided => {
  if (current === undefined || !isVisible(current, now)) return notFound()
  const { key, edit, view, touch, renewal, writer } = request
  const edited = editRecord(current, writer, edit(view()))
  const lease = touch ? renewLease(current.lease, now, writer.stamps, renewal) : current.lease
  const renewed = lease === current.lease ? undefined : lease
  if (edited) {
    const { record, changes, sets } = edited
    const item: Item = { type: 'changes', key, changes, lease: renewed }
    return { next: withLease(record, lease), item, event: { name: 'updated' }, sets }
  }
  if (renewed === undefined) return UNCHANGED
  return { next: withLease(current, lease), item: { type: 'lease', key, lease }, event: undefined }
}

interface Edited {
  readonly record: LiveRecord
  readonly changes: readonly ChangeDelta[]
  readonly sets?: readonly FieldSet[]
}

/** On the bytes where the record rests and the change is a usual one, else on the document. Undefined: the edits change nothing. */
const editRecord = (current: LiveRecord, { actorFor }: Writer, edits: readonly Edit[]): Edited | undefined => {
  const spliced = current instanceof RestingRecord ? spliceEdits(current.bytes, actorFor, edits) : undefined
  if (spliced) {
    const { document, change, sets } = spliced
    return { record: new RestingRecord(document, current), changes: [change], sets }
  }
  const { document } = current
  const mutation = edits.length === 0 ? undefined : mutate(document, actorFor(document.seen.keys()), edits)
  return mutation && { record: { ...current, document: mutation.fold }, changes: mutation.changes }
}

export const touchSession = (
  current: SessionRecord | undefined,
  now: number,
  request: { readonly key: SessionKey; readonly renewal: Renewal; readonly stamps: ActorId },
): Decided => {
  if (current === undefined || !isVisible(current, now)) return notFound()
  const lease = renewLease(current.lease, now, request.stamps, request.renewal)
  if (lease === current.lease) return UNCHANGED
  return { next: withLease(current, lease), item: { type: 'lease', key: request.key, lease }, event: undefined }
}

/** Ends a session, also one that is not known here and may live elsewhere: the end is final wherever it arrives. */
export const endSession = (
  current: SessionRecord | undefined,
  now: number,
  request: {
    readonly key: SessionKey
    readonly reason: EndReason
    readonly stamps: ActorId
    /** Of any session, milliseconds. */
    readonly maxLifetimeMs: number
  },
): Decision => {
  if (current?.kind === 'ended') return { ...UNCHANGED, wasVisible: false }
  const { key, reason, stamps, maxLifetimeMs } = request
  const horizon = current?.limit.horizon ?? now + longestLifeMs(maxLifetimeMs)
  const end = { reason, stamp: nextStamp(undefined, now, stamps), horizon }
  return {
    next: { kind: 'ended', end },
    item: { type: 'end', key, end },
    event: { name: 'ended', reason },
    wasVisible: current !== undefined && isVisible(current, now),
  }
}

/** An item of a peer's feed, or of the journal. @throws FRAME_INVALID, CHANGE_INVALID, RECORD_INVALID for what no sound peer sends */
export const takeItem = (current: SessionRecord | undefined, item: Item, context: MergeContext): Decision => {
  const merge = mergeItem(current, item, context)
  if (merge.kind === 'missing') return { ...UNCHANGED, isMissing: true }
  if (merge.kind === 'refused') return { ...UNCHANGED, isRefused: true }
  if (merge.kind === 'known') return UNCHANGED
  return taken(current, merge.record, context.now, item, merge.encoded, merge.sets)
}

/** A record of a peer, outside of its feed. @throws FRAME_INVALID */
export const takeRecord = (
  current: SessionRecord | undefined,
  theirs: SessionRecord,
  context: MergeContext,
): Decision => {
  const merge = mergeRecord(current, theirs, context)
  if (merge.kind === 'refused') return { ...UNCHANGED, isRefused: true }
  return merge.kind === 'merged' ? taken(current, merge.record, context.now, undefined, merge.encoded) : UNCHANGED
}

const taken = (
  current: SessionRecord | undefined,
  next: SessionRecord,
  now: number,
  item: Item | undefined,
  encoded: Uint8Array | undefined,
  sets?: readonly FieldSet[],
): Decision => {
  const isRevived = current?.kind === 'live' && !isVisible(current, now) && isVisible(next, now)
  return {
    next,
    item: isRevived ? undefined : item,
    event: isRevived || sets ? { name: 'updated' } : transition(current, next),
    encoded,
    sets,
    isRevived,
  }
}

const transition = (before: SessionRecord | undefined, after: SessionRecord): Transition | undefined => {
  if (after.kind === 'ended')
    return before?.kind === 'ended' || after.cutoff ? undefined : { name: 'ended', reason: after.end.reason }
  if (before?.kind !== 'live') return { name: 'created' }
  const [was, is] = [before.identity, after.identity]
  if (compareAuthentications(was?.authentication, is?.authentication) !== 0) return { name: 'elevated' }
  if (!sharesDocument(before, after) && !sameHeads(frontierOf(before), frontierOf(after))) return { name: 'updated' }
  return sameIdentity(was, is) ? undefined : { name: 'rotated' }
}
