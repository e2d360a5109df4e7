/** A peer of a store: what it holds, and what it sends of that. It has it for ever. */
import type { SessionKey, SessionRecord } from '@sojourn/core/internal'
import {
  EMPTY_FOLD,
  encodeRecord,
  type Item,
  joinRecords,
  type LiveRecord,
  mutate,
  renewLease,
} from '@sojourn/core/internal'
import { newRecordOf } from './records.js'

export const PEER_FEED = 'bb'.repeat(16)

export type PeerItemKind = 'changes' | 'lease' | 'record'

export class StorePeer {
  readonly #lifetimes: { readonly idleMs: number; readonly lifeMs: number }
  readonly #records = new Map<SessionKey, SessionRecord>()
  /** The last sequence of its feed. */
  #sequence = 0

  constructor(lifetimes: { readonly idleMs: number; readonly lifeMs: number }) {
    this.#lifetimes = lifetimes
  }

  /** The next place in its feed. */
  next(): { readonly feed: string; readonly sequence: number } {
    return { feed: PEER_FEED, sequence: ++this.#sequence }
  }

  /** It edits its copy, or renews it: what it sends of that. */
  change(key: SessionKey, value: string, kind: PeerItemKind, now: number): Item {
    const before = this.#records.get(key) ?? this.#newRecord(now)
    if (before.kind === 'ended') return { type: 'end', key, end: before.end }
    const renewal = { idleTimeoutMs: this.#lifetimes.idleMs + 2_000_000 + this.#sequence }
    const lease = renewLease(before.lease, now, PEER_FEED, renewal)
    const mutation = mutate(before.document, PEER_FEED, [{ kind: 'set', path: '/peer', value }])
    const document = mutation?.fold ?? before.document
    const record = { ...before, document, lease: kind === 'lease' ? lease : before.lease }
    this.#records.set(key, record)
    if (kind === 'lease') return { type: 'lease', key, lease }
    if (kind === 'changes' && mutation) return { type: 'changes', key, changes: mutation.changes, lease: undefined }
    return { type: 'record', key, record: encodeRecord(record) }
  }

  #newRecord(now: number): LiveRecord {
    return newRecordOf(EMPTY_FOLD, PEER_FEED, { now, ...this.#lifetimes })
  }

  /** All that it has of a record. */
  whole(key: SessionKey): Item {
    return { type: 'record', key, record: encodeRecord(this.#records.get(key)!) }
  }

  /** It hears of what the store holds. */
  learn(key: SessionKey, record: SessionRecord): void {
    const theirs = this.#records.get(key)
    this.#records.set(key, theirs ? joinRecords(theirs, record) : record)
  }
}
