/** What a decision becomes when it is committed: the next entry of a key, its bytes, and what travels. */
import type { Decision, SessionKey, SessionRecord, Transition, View } from '@sojourn/core/internal'
import {
  deriveView,
  encodeItem,
  encodeRecord,
  fitsReceiver,
  resting,
  setInView,
  sharesDocument,
} from '@sojourn/core/internal'
import type { Origin } from './index/session-index.js'
import type { JournalCommit } from './journal-entry.js'
import { documentOf, type Entry, type PendingRecord, type Reading } from './record-reader.js'

/** One commit, as listeners hear of it once it is in the journal. */
export interface Commit extends JournalCommit, PendingRecord {
  readonly event: Transition | undefined
  /** `'local'`, or the region from which it came. */
  readonly source: string
}

/** What came of a decision. */
export interface Committed {
  readonly decision: Decision
  /** The record as it is now; undefined where there is none. */
  readonly entry: Entry | undefined
  /** Its place in the feed; 0 where there is no record. */
  readonly sequence: number
  /** Encoded bytes of the record. */
  readonly bytes: number
  /** Resolves when {@link entry} is as durable as the store was asked to make it; undefined where it is. */
  readonly done: Promise<void> | undefined
}

export interface EnterOptions {
  /** Default: `'local'`. */
  readonly source?: string
  /** The feed and sequence by which it came from a peer. */
  readonly origin?: Origin | undefined
  /** The item as it came from a peer. */
  readonly bytes?: Uint8Array | undefined
  readonly passing?: boolean
}

export interface TransactOptions extends EnterOptions {
  /** It belongs to a commit that was taken in this turn, and is taken with it. */
  readonly isAdmitted?: boolean
  /** @throws what refuses a record of so many encoded bytes */
  readonly checkSize?: (bytes: number, next: SessionRecord, before: Reading) => void
}

export interface NextState {
  readonly entry: Entry
  readonly encoded: Uint8Array
}

/** The state that a decision leads to. */
export const nextState = (reading: Reading, decision: Decision, next: SessionRecord, sequence: number): NextState => {
  const encoded = decision.encoded ? new Uint8Array(decision.encoded) : encodeRecord(next, documentOf(next))
  // Before the record is put to rest: what it is derived from was decoded last.
  const view = nextView(reading, decision, next)
  return { entry: { state: 'held', record: resting(next, encoded), sequence, size: encoded.length, view }, encoded }
}

/** The view of the next state, where it is easily had from that of the last one. */
const nextView = (reading: Reading, { sets }: Decision, next: SessionRecord): View | undefined => {
  if (reading.state !== 'held' || !reading.view || reading.record.kind !== 'live' || next.kind !== 'live')
    return undefined
  const { record, view } = reading
  if (sharesDocument(record, next)) return view
  return sets ? setInView(view, sets) : deriveView(view, record.document, next.document)
}

/**
 * What travels: the item as it came, the delta, or the record where there is none, or it is shorter, or receivers would not take the delta.
 * @param isTaken see {@link fitsReceiver}
 */
export const itemOf = (
  key: SessionKey,
  { item, isRevived }: Decision,
  record: Uint8Array,
  bytes: Uint8Array | undefined,
  isTaken: (change: Uint8Array) => boolean,
): Uint8Array => {
  // A frame is one large buffer; an item that is kept must not keep all of it.
  if (bytes && item && !isRevived) return new Uint8Array(bytes)
  const delta = item && fitsReceiver(item, isTaken) && encodeItem(item)
  return delta && delta.length <= record.length ? delta : encodeItem({ type: 'record', key, record })
}
