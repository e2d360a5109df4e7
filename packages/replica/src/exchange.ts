import type { Limits, SessionKey, SessionRecord } from '@sojourn/core'
import { decodeRecord, encodeRecord, isSojournError, isVisible, recordVersion, sameHeads } from '@sojourn/core'
import type { Origin, RecordStore, Entry as StoreEntry } from '@sojourn/store'
import { type Ask, encodeItem, type Item, type Records, type Tell } from '@sojourn/wire'
import type { Actors } from './actors.js'
import type { CommitEvent } from './events.js'
import type { Link } from './link.js'
import { mergeItem, mergeRecord } from './merge.js'

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
  readonly actors: Actors
  /** A record that does not pass its checksum was met. */
  readonly rotten: (key: SessionKey) => void
  /** Items of a peer were left out, because no sound peer sends them. */
  readonly refused: (region: string, count: number) => void
  /** A peer was behind, or we were, and a record mended it. */
  readonly repaired: (cause: RepairCause, count: number) => void
}

export type RepairCause = 'read' | 'digest' | 'rot'

/** An entry of a feed: the item, and the bytes that it came as. */
export interface Entry {
  readonly item: Item
  readonly bytes: Uint8Array
}

export interface Applied {
  /** Commits that are not on the disk yet. */
  readonly writes: readonly Promise<void>[]
  /** Keys of deltas whose base is not here. */
  readonly wants: readonly SessionKey[]
}

interface Merged {
  readonly key: SessionKey
  /** What the store holds, where that is `before`. */
  readonly held?: StoreEntry | undefined
  readonly before: SessionRecord | undefined
  readonly after: SessionRecord
  /** Of `after`, where they are there already. */
  readonly encoded?: Uint8Array | undefined
  /** The item as it came. */
  readonly bytes?: Uint8Array
}

/** What regions exchange about single sessions: takes in what peers send, answers what they ask. */
export class Exchange {
  readonly #options: ExchangeOptions

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  get #mergeContext() {
    const { limits, now } = this.#options
    return { limits, now: now() }
  }

  /** The record held here; a rotten one counts as none, and is reported. */
  #held(key: SessionKey, passing = false): StoreEntry | undefined {
    const { store } = this.#options
    try {
      return passing ? store.peek(key) : store.read(key)
    } catch (error) {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      this.#options.rotten(key)
      return undefined
    }
  }

  versionOf(key: SessionKey): string | undefined {
    const entry = this.#held(key)
    return entry && recordVersion(entry.record)
  }

  /**
   * The entries of a stretch of a peer's feed. All are checked before the first is committed, so a malformed one changes nothing. One that is
   * refused is left out, and counts as received: digests show that it is missing here, and bring it when it can be taken.
   * @throws FRAME_INVALID, CHANGE_INVALID, RECORD_INVALID
   */
  apply(entries: readonly Entry[], origin: Origin, isCatchUp: boolean, region: string): Applied {
    const context = this.#mergeContext
    const latest = new Map<SessionKey, SessionRecord | undefined>()
    const wants = new Set<SessionKey>()
    const merged: Merged[] = []
    let refused = 0
    for (const { item, bytes } of entries) {
      const { key } = item
      const held = latest.has(key) ? undefined : this.#held(key, isCatchUp)
      const before = latest.get(key) ?? held?.record
      const merge = mergeItem(before, item, context)
      if (merge.kind === 'missing') wants.add(key)
      if (merge.kind === 'refused') refused++
      if (merge.kind === 'merged')
        merged.push({ key, held, before, after: merge.record, encoded: merge.encoded, bytes })
      latest.set(key, merge.kind === 'merged' ? merge.record : before)
    }
    if (refused > 0) this.#options.refused(region, refused)
    for (const one of merged) this.#commit(one, region, origin, isCatchUp)
    // Also of what was known: it may have come over another link a moment ago, and not be on the disk yet.
    const writes = [...latest.keys()].flatMap((key) => this.#options.store.written(key) ?? [])
    return { writes, wants: [...wants] }
  }

  /** Whole records, outside of any feed. Resolves when they are on the disk. */
  async #join(records: Records['records'], region: string): Promise<void> {
    const { store, limits } = this.#options
    const context = this.#mergeContext
    const decoded = records.map(({ key, record }) => ({ key, theirs: decodeRecord(record, limits) }))
    let refused = 0
    for (const { key, theirs } of decoded) {
      const held = this.#held(key)
      const before = held?.record
      const merge = mergeRecord(before, theirs, context)
      if (merge.kind === 'merged') this.#commit({ key, held, before, after: merge.record }, region)
      if (merge.kind === 'refused') refused++
    }
    if (refused > 0) this.#options.refused(region, refused)
    await Promise.all(decoded.map(({ key }) => store.written(key)))
  }

  #commit(
    { key, held, before, after, bytes, encoded = encodeRecord(after) }: Merged,
    region: string,
    origin?: Origin,
    passing = false,
  ): void {
    const { store, actors, now } = this.#options
    if (before === undefined && after.kind === 'live') actors.arrived(key, after.document)
    // Some region may have purged what expired, and with it what we hold and whoever renewed it does not, and yet have told the
    // renewer that it holds all of our feed. So what comes back to life goes to everybody, whole.
    const isRevived = before?.kind === 'live' && !isVisible(before, now()) && isVisible(after, now())
    const note: CommitNote = {
      // A frame is one large buffer; an item that is kept must not keep all of it.
      item: bytes && !isRevived ? new Uint8Array(bytes) : encodeItem({ type: 'record', key, record: encoded }),
      event: isRevived ? { name: 'updated', body: { key, origin: region } } : eventOf(key, before, after, region),
    }
    store.commit(key, after, {
      encoded,
      origin: isRevived ? undefined : origin,
      note,
      passing,
      ...(held && { before: held }),
    })
  }

  /**
   * What is on its way to the disk is told to nobody else before it is there: should the disk refuse it, it was never written (ADR 6).
   */
  async #written(key: SessionKey): Promise<void> {
    try {
      await this.#options.store.written(key)
    } catch {
      // Whoever wrote it was told; what is held now is what the disk has.
    }
  }

  /** A peer asks which version is held here. */
  async asked(link: Link, { request, key, version }: Ask): Promise<void> {
    await this.#written(key)
    const record = this.#held(key)?.record
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
      await this.#join([{ key, record: tell.record }], region)
      if (this.versionOf(key) !== before) this.#options.repaired('read', 1)
    }
    await this.#written(key)
    const record = this.#held(key)?.record
    if (record === undefined || recordVersion(record) === theirs) return
    this.#options.repaired('read', 1)
    link.send({ type: 'records', records: [{ key, record: encodeRecord(record) }], absent: [] })
  }

  /** A peer asks for records: of deltas whose base it lacks, or of keys that differ. */
  async wanted(link: Link, keys: readonly SessionKey[]): Promise<void> {
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
      if (this.#options.store.written(key)) await this.#written(key)
      if (link.isClosed) return
      const record = this.#held(key)?.record
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
    await this.#join(records, link.peer.region)
  }

  /** Keys that differ between us and a peer: our records go there, and its own are asked for. */
  async repair(link: Link, keys: readonly SessionKey[]): Promise<void> {
    this.#options.repaired('digest', keys.length)
    link.send({ type: 'want', keys })
    await this.wanted(
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
  return after.document === before.document || sameHeads(before.document, after.document)
    ? undefined
    : { name: 'updated', body: { key, origin } }
}
