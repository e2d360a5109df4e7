import type { Limits, SessionKey, SessionRecord } from '@sojourn/core'
import { decodeRecord, encodeRecord, isSojournError, recordVersion } from '@sojourn/core'
import type { Origin, RecordStore } from '@sojourn/store'
import { type Ask, encodeItem, type Item, type Records, type Tell } from '@sojourn/wire'
import type { CommitEvent } from './events.js'
import type { Link } from './link.js'
import { type Merge, mergeItem, mergeRecord } from './merge.js'

/** What goes with each commit to the store's listener. */
export interface CommitNote {
  /** As links send it. */
  readonly item: Uint8Array
  readonly event: CommitEvent | undefined
}

export interface ExchangeOptions {
  readonly store: RecordStore
  readonly limits: Limits
  readonly now: () => number
  readonly purgeGraceMs: number
  /** A record that does not pass its checksum was met. */
  readonly rotten: (key: SessionKey) => void
  /** A peer was behind, or we were, and a record mended it. */
  readonly repaired: (cause: RepairCause, count: number) => void
}

export type RepairCause = 'read' | 'digest' | 'rot' | 'missing'

/** What regions exchange about single sessions: takes in what peers send, answers what they ask. */
export class Exchange {
  readonly #options: ExchangeOptions

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  get #mergeContext() {
    const { limits, now, purgeGraceMs } = this.#options
    return { limits, now: now(), purgedBefore: now() - purgeGraceMs }
  }

  /** The record held here; a rotten one counts as none, and is reported. */
  #held(key: SessionKey): SessionRecord | undefined {
    try {
      return this.#options.store.read(key)?.record
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      this.#options.rotten(key)
      return undefined
    }
  }

  versionOf(key: SessionKey): string | undefined {
    const record = this.#held(key)
    return record && recordVersion(record)
  }

  /** One entry of a peer's feed. Resolves when it is on the disk; undefined where it is; `missing` where its base is not here. */
  apply(item: Item, bytes: Uint8Array, origin: Origin, region: string): Promise<void> | undefined | 'missing' {
    const before = this.#held(item.key)
    const merge = mergeItem(before, item, this.#mergeContext)
    if (merge.kind === 'missing') return 'missing'
    return this.#commit(item.key, before, merge, region, bytes, origin)
  }

  /** A whole record, outside of any feed. */
  #join(key: SessionKey, encoded: Uint8Array, region: string): Promise<void> | undefined {
    const before = this.#held(key)
    const merge = mergeRecord(before, decodeRecord(encoded, this.#options.limits), this.#mergeContext)
    return this.#commit(key, before, merge, region)
  }

  #commit(
    key: SessionKey,
    before: SessionRecord | undefined,
    merge: Merge,
    region: string,
    bytes?: Uint8Array,
    origin?: Origin,
  ): Promise<void> | undefined {
    const { store } = this.#options
    if (merge.kind !== 'merged') return store.written(key)
    const encoded = encodeRecord(merge.record)
    const note: CommitNote = {
      // A frame is one large buffer; an item that is kept must not keep all of it.
      item: bytes?.slice() ?? encodeItem({ type: 'record', key, record: encoded }),
      event: eventOf(key, before, merge.record, region),
    }
    return store.commit(key, merge.record, { encoded, origin, note }).done
  }

  /** A peer asks which version is held here. */
  asked(link: Link, { request, key, version }: Ask): void {
    const record = this.#held(key)
    const answer = (what: Tell['what'], encoded?: Uint8Array) =>
      link.send({ type: 'tell', request, what, record: encoded })
    if (record === undefined) answer(this.#isRotten(key) ? 'corrupt' : 'none')
    else if (recordVersion(record) === version) answer('same')
    else answer('record', encodeRecord(record))
  }

  #isRotten(key: SessionKey): boolean {
    try {
      this.#options.store.read(key)
      return false
    } catch {
      return true
    }
  }

  /** A peer answered: takes in what it holds, and sends it what it lacks. */
  async take(link: Link, key: SessionKey, tell: Tell): Promise<void> {
    if (tell.what === 'same') return
    const { region } = link.peer
    let theirs: string | undefined
    if (tell.what === 'record' && tell.record) {
      theirs = recordVersion(decodeRecord(tell.record, this.#options.limits))
      const before = this.versionOf(key)
      await this.#join(key, tell.record, region)
      if (this.versionOf(key) !== before) this.#options.repaired('read', 1)
    }
    const record = this.#held(key)
    if (record === undefined || recordVersion(record) === theirs) return
    this.#options.repaired('read', 1)
    link.send({ type: 'records', records: [{ key, record: encodeRecord(record) }], absent: [] })
  }

  /** A peer asks for records: of deltas whose base it lacks, or of keys that differ. */
  wanted(link: Link, keys: readonly SessionKey[]): void {
    const { limits } = this.#options
    let records: { key: SessionKey; record: Uint8Array }[] = []
    let absent: SessionKey[] = []
    let bytes = 0
    const flush = () => {
      if (records.length + absent.length > 0) link.send({ type: 'records', records, absent })
      records = []
      absent = []
      bytes = 0
    }
    for (const key of keys) {
      const record = this.#held(key)
      if (record === undefined) absent.push(key)
      else {
        const encoded = encodeRecord(record)
        records.push({ key, record: encoded })
        bytes += encoded.length
      }
      if (bytes >= limits.targetFrameBytes) flush()
    }
    flush()
  }

  async supplied(link: Link, { records }: Records): Promise<void> {
    await Promise.all(records.map(({ key, record }) => this.#join(key, record, link.peer.region)))
  }

  /** Keys that differ between us and a peer: our records go there, and its own are asked for. */
  repair(link: Link, keys: readonly SessionKey[]): void {
    this.#options.repaired('digest', keys.length)
    link.send({ type: 'want', keys })
    this.wanted(
      link,
      keys.filter((key) => this.#held(key) !== undefined),
    )
  }
}

const eventOf = (
  key: SessionKey,
  before: SessionRecord | undefined,
  after: SessionRecord,
  origin: string,
): CommitEvent | undefined => {
  if (after.kind === 'ended')
    return before?.kind === 'ended' ? undefined : { name: 'ended', body: { key, origin, reason: after.end.reason } }
  if (before?.kind !== 'live') return { name: 'created', body: { key, origin } }
  return after.document === before.document || sameHeads(before, after)
    ? undefined
    : { name: 'updated', body: { key, origin } }
}

const sameHeads = (a: SessionRecord & { kind: 'live' }, b: SessionRecord & { kind: 'live' }): boolean =>
  a.document.heads.length === b.document.heads.length &&
  a.document.heads.every((head, index) => head.hash === b.document.heads[index]!.hash)
