/** What is known of every session without reading it: where it stands in the feed, when it is due, its version, its origin. */
import type { SessionKey, SubjectHash } from '@sojourn/core/internal'
import { Columns, type Origin, SLOT_BYTES, SUBJECT_AT } from './columns.js'
import { DueHeap } from './due-heap.js'
import { type FeedCursor, FeedOrder, sortedBySequence } from './feed-order.js'
import { FLAG, type IndexChange, type IndexEntry } from './index-entry.js'
import { keysInOrder } from './key-slices.js'
import { KEY_WORDS, KeyTable, writeKeyWords } from './key-table.js'
import { SubjectLists } from './subject-lists.js'
import { RANGE_BITS, type VersionSum, VersionSums } from './version-sums.js'

const MIN_CAPACITY = 1_024
/** Growing by a part wastes less than doubling, so a session has at most 80 bytes; copying is cheap beside what filled the slots. */
const GROWTH = 1.1
/** Sessions of one chunk of a copy. */
const SLOTS_A_CHUNK = 4_096

/** One slot a session in flat arrays. All of it follows from the records. */
export class SessionIndex {
  readonly #table: KeyTable
  readonly #order = new FeedOrder()
  readonly #due = new DueHeap()
  readonly #sums = new VersionSums()
  readonly #columns = new Columns()
  readonly #subjects = new SubjectLists()
  #capacity = 0
  /** Slots that were never used begin here. */
  #unused = 0
  readonly #free: number[] = []
  #counts = { records: 0, ended: 0, expired: 0, corrupt: 0 }

  /** @param seed 32 random bits, so that nobody can choose keys that collide */
  constructor(seed: number) {
    this.#table = new KeyTable(seed)
    this.#grow(MIN_CAPACITY)
  }

  get size(): number {
    return this.#counts.records
  }

  /** `sessions`: live ones whose deadline has not been noticed to have passed. */
  get counts(): { readonly sessions: number; readonly expired: number; readonly tombstones: number } {
    const { records, ended, expired } = this.#counts
    return { sessions: records - ended - expired, expired, tombstones: ended }
  }

  get corrupt(): number {
    return this.#counts.corrupt
  }

  /** Bytes of all arrays. */
  get bytes(): number {
    return this.#columns.bytes + this.#table.bytes + this.#order.bytes + this.#due.bytes + this.#subjects.bytes
  }

  #grow(capacity: number): void {
    this.#columns.grow(capacity)
    this.#order.grow(capacity)
    this.#due.grow(capacity)
    this.#subjects.grow(capacity)
    this.#capacity = capacity
  }

  #find(key: SessionKey): number {
    return this.#table.find(key, this.#columns.words)
  }

  has(key: SessionKey): boolean {
    return this.#find(key) >= 0
  }

  /** The sequence that the key's record must bear; undefined where there is no record. */
  sequenceOf(key: SessionKey): number | undefined {
    const slot = this.#find(key)
    return slot < 0 ? undefined : this.#columns.sequences[slot]!
  }

  isCorrupt(key: SessionKey): boolean {
    const slot = this.#find(key)
    return slot >= 0 && (this.#columns.flags[slot]! & FLAG.corrupt) !== 0
  }

  /** Whether no copy of a record can show any more, as far as that was noticed. */
  isDue(key: SessionKey): boolean {
    const slot = this.#find(key)
    return slot >= 0 && (this.#columns.flags[slot]! & FLAG.due) !== 0
  }

  get(key: SessionKey): IndexEntry | undefined {
    const slot = this.#find(key)
    return slot < 0 ? undefined : this.#entryAt(slot)
  }

  #entryAt(slot: number): IndexEntry {
    const flags = this.#columns.flags[slot]!
    return {
      sequence: this.#columns.sequences[slot]!,
      origin: this.#columns.originAt(slot),
      version: { high: this.#columns.versions[2 * slot]!, low: this.#columns.versions[2 * slot + 1]! },
      isEnded: (flags & FLAG.ended) !== 0,
      isExpired: (flags & FLAG.expired) !== 0,
      isDue: (flags & FLAG.due) !== 0,
      isCutoff: (flags & FLAG.cutoff) !== 0,
    }
  }

  originOf(key: SessionKey): Origin | undefined {
    const slot = this.#find(key)
    return slot < 0 ? undefined : this.#columns.originAt(slot)
  }

  /** A record was committed: it stands at the end of the feed now. */
  put(key: SessionKey, change: IndexChange): void {
    let slot = this.#find(key)
    if (slot < 0) slot = this.#add(key)
    else {
      this.#uncount(slot)
      this.#order.remove(slot)
    }
    this.#order.append(slot)
    this.#columns.sequences[slot] = change.sequence
    this.#columns.versions[2 * slot] = change.version.high
    this.#columns.versions[2 * slot + 1] = change.version.low
    this.#columns.setOrigin(slot, change.origin)
    this.#subjects.set(slot, change.subject)
    this.#count(
      slot,
      FLAG.used |
        (change.isEnded ? FLAG.ended : 0) |
        (change.isExpired ? FLAG.expired : 0) |
        (change.isDue ? FLAG.due : 0) |
        (change.isCutoff ? FLAG.cutoff : 0),
    )
    // A renewal moves the deadline at nearly every request: the slot is looked at when the old one passes, and moved then.
    if (!(this.#due.timeOf(slot) <= change.dueAt)) this.#due.set(slot, change.dueAt)
  }

  #add(key: SessionKey): number {
    let slot = this.#free.pop()
    if (slot === undefined) {
      if (this.#unused === this.#capacity) this.#grow(Math.ceil(this.#capacity * GROWTH))
      slot = this.#unused++
    }
    writeKeyWords(key, this.#columns.words, slot * KEY_WORDS)
    this.#table.add(slot, this.#columns.words)
    return slot
  }

  #count(slot: number, flags: number): void {
    this.#columns.flags[slot] = flags
    this.#tally(flags, 1)
    if ((flags & (FLAG.due | FLAG.corrupt)) === 0)
      this.#sums.add(
        this.#columns.words[slot * KEY_WORDS]!,
        this.#columns.versions[2 * slot]!,
        this.#columns.versions[2 * slot + 1]!,
      )
  }

  #uncount(slot: number): void {
    const flags = this.#columns.flags[slot]!
    this.#columns.flags[slot] = 0
    this.#tally(flags, -1)
    if ((flags & (FLAG.due | FLAG.corrupt)) === 0)
      this.#sums.subtract(
        this.#columns.words[slot * KEY_WORDS]!,
        this.#columns.versions[2 * slot]!,
        this.#columns.versions[2 * slot + 1]!,
      )
  }

  #tally(flags: number, by: 1 | -1): void {
    this.#counts.records += by
    if (flags & FLAG.ended) this.#counts.ended += by
    else if (flags & FLAG.expired) this.#counts.expired += by
    if (flags & FLAG.corrupt) this.#counts.corrupt += by
  }

  /** A record was purged. */
  remove(key: SessionKey): void {
    const slot = this.#find(key)
    if (slot < 0) return
    this.#uncount(slot)
    this.#subjects.set(slot, undefined)
    this.#order.remove(slot)
    this.#due.remove(slot)
    this.#table.remove(slot, this.#columns.words)
    this.#free.push(slot)
  }

  #mark(slot: number, set: number, clear = 0): void {
    const flags = (this.#columns.flags[slot]! | set) & ~clear
    if (flags === this.#columns.flags[slot]) return
    this.#uncount(slot)
    this.#count(slot, flags)
  }

  /**
   * A key's record cannot be read. It counts in no sum, so the digests of peers show that it is missing.
   * @param dueAt when it is given up, milliseconds since the epoch
   */
  markCorrupt(key: SessionKey, dueAt: number): void {
    const slot = this.#find(key)
    if (slot < 0 || (this.#columns.flags[slot]! & FLAG.corrupt) !== 0) return
    this.#mark(slot, FLAG.corrupt)
    this.#due.set(slot, dueAt)
  }

  /** A record that cannot be read was found, or a commit of one. */
  putCorrupt(key: SessionKey, sequence: number, dueAt: number): void {
    const version = { high: 0, low: 0 }
    const known = { isEnded: false, isExpired: false, isDue: false, isCutoff: false, subject: undefined }
    this.put(key, { sequence, origin: undefined, version, ...known, dueAt })
    this.markCorrupt(key, dueAt)
  }

  *corruptKeys(): Iterable<SessionKey> {
    if (this.#counts.corrupt > 0) yield* this.#flagged(FLAG.corrupt)
  }

  *#flagged(flag: number): Iterable<SessionKey> {
    for (let slot = 0; slot < this.#unused; slot++)
      if ((this.#columns.flags[slot]! & flag) !== 0) yield this.#columns.keyAt(slot)
  }

  /** Where the cutoffs of subjects are. */
  cutoffKeys(): Iterable<SessionKey> {
    return this.#flagged(FLAG.cutoff)
  }

  /** The keys of a subject's live records, in no order; now and then one of another subject, as the record says then. */
  keysOfSubject(subject: SubjectHash): SessionKey[] {
    return this.#subjects.slotsOf(subject).map((slot) => this.#columns.keyAt(slot))
  }

  /** Forgets everything. */
  clear(): void {
    for (const keys of this.keys()) for (const key of keys) this.remove(key)
  }

  /** What the clock has made of a record: both can be taken back where the clock stepped back. */
  markPassed(key: SessionKey, isExpired: boolean, isDue: boolean): void {
    const slot = this.#find(key)
    if (slot < 0) return
    const set = (isExpired ? FLAG.expired : 0) | (isDue ? FLAG.due : 0)
    this.#mark(slot, set, ~set & (FLAG.expired | FLAG.due))
  }

  /** When a key must be looked at next. */
  setDue(key: SessionKey, at: number): void {
    const slot = this.#find(key)
    if (slot >= 0) this.#due.set(slot, at)
  }

  /** When something is due next, milliseconds since the epoch; infinite where nothing is. */
  get nextDue(): number {
    return this.#due.earliest
  }

  /** The key that is due first, where that is by `now`. It comes again until it is looked at, or committed. */
  firstDue(now: number): SessionKey | undefined {
    return this.#due.earliest <= now ? this.#columns.keyAt(this.#due.top) : undefined
  }

  /** A copy of the index, in parts: the feeds that its origins name, then sessions, in the order of the feed. For {@link load}. */
  *dump(): Iterable<Uint8Array> {
    yield this.#columns.packFeeds()
    let chunk = Buffer.alloc(SLOTS_A_CHUNK * SLOT_BYTES)
    let at = 0
    for (let slot = this.#order.first; slot >= 0; slot = this.#order.after(slot)) {
      this.#columns.pack(slot, this.#due.timeOf(slot), chunk, at)
      chunk.writeUInt32LE(this.#subjects.wordAt(slot), at + SUBJECT_AT)
      at += SLOT_BYTES
      if (at < chunk.length) continue
      yield chunk
      chunk = Buffer.alloc(SLOTS_A_CHUNK * SLOT_BYTES)
      at = 0
    }
    if (at > 0) yield chunk.subarray(0, at)
  }

  /** Takes in a part of a {@link dump}, in order, while the index has nothing else. */
  load(part: Uint8Array, isFirst: boolean): void {
    const from = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    if (isFirst) {
      this.#columns.unpackFeeds(from)
      return
    }
    for (let at = 0; at < from.length; at += SLOT_BYTES) {
      if (this.#unused === this.#capacity) this.#grow(Math.ceil(this.#capacity * GROWTH))
      const slot = this.#unused++
      const { flags, dueAt } = this.#columns.unpack(slot, from, at)
      this.#table.add(slot, this.#columns.words)
      this.#order.append(slot)
      this.#count(slot, flags)
      this.#due.set(slot, dueAt)
      this.#subjects.setWord(slot, from.readUInt32LE(at + SUBJECT_AT))
    }
  }

  /** Brings the feed into the order of the sequences, after records were put in any order. */
  sortFeed(): void {
    const slots: number[] = []
    let isSorted = true
    for (let slot = this.#order.first; slot >= 0; slot = this.#order.after(slot)) {
      isSorted &&=
        slots.length === 0 || this.#columns.sequences[slots[slots.length - 1]!]! < this.#columns.sequences[slot]!
      slots.push(slot)
    }
    if (!isSorted) this.#order.rebuild(sortedBySequence(Int32Array.from(slots), this.#columns.sequences))
  }

  /** A cursor after all sessions whose latest commit is at or before a sequence. Costs what stands after it. */
  openFeed(after: number): FeedCursor {
    let slot = this.#order.last
    while (slot >= 0 && this.#columns.sequences[slot]! > after) slot = this.#order.before(slot)
    return this.#order.open(slot)
  }

  closeFeed(cursor: FeedCursor): void {
    this.#order.close(cursor)
  }

  /** Goes one on in the feed; undefined at its end, after which more may come. */
  nextInFeed(
    cursor: FeedCursor,
  ): { readonly key: SessionKey; readonly sequence: number; readonly origin: Origin | undefined } | undefined {
    const slot = this.#order.after(cursor.slot)
    if (slot < 0) return undefined
    cursor.slot = slot
    return {
      key: this.#columns.keyAt(slot),
      sequence: this.#columns.sequences[slot]!,
      origin: this.#columns.originAt(slot),
    }
  }

  /** The sum over all records that are not due. */
  get sum(): VersionSum {
    return this.#sums.total
  }

  /** Low halves of the sums of ranges of keys: all ranges of the first {@link RANGE_BITS} bits. */
  get rangeSums(): Uint32Array {
    return this.#sums.ranges
  }

  /** Low halves of the sums of the ranges of the first `bits` bits below some of the ranges of the first `above` bits. */
  sumsBelow(ranges: readonly number[], above: number, bits: number): Uint32Array {
    const children = 2 ** (bits - above)
    const places = new Map(ranges.map((range, index) => [range, index * children]))
    const sums = new Uint32Array(ranges.length * children)
    for (const slot of this.#summed()) {
      const word = this.#columns.words[slot * KEY_WORDS]!
      const place = places.get(word >>> (32 - above))
      if (place !== undefined)
        sums[place + ((word >>> (32 - bits)) % children)]! += this.#columns.versions[2 * slot + 1]!
    }
    return sums
  }

  /** The records of some of the ranges of the first `bits` bits. */
  versionsIn(
    ranges: ReadonlySet<number>,
    bits: number,
  ): { readonly key: SessionKey; readonly high: number; readonly low: number }[] {
    const out = []
    for (const slot of this.#summed()) {
      if (!ranges.has(this.#columns.words[slot * KEY_WORDS]! >>> (32 - bits))) continue
      const key = this.#columns.keyAt(slot)
      out.push({ key, high: this.#columns.versions[2 * slot]!, low: this.#columns.versions[2 * slot + 1]! })
    }
    return out
  }

  *#summed(): Iterable<number> {
    for (let slot = 0; slot < this.#unused; slot++)
      if ((this.#columns.flags[slot]! & (FLAG.used | FLAG.due | FLAG.corrupt)) === FLAG.used) yield slot
  }

  /** All keys there are now, in their order, or those of one first byte, in parts of one first byte each. */
  keys(slice?: number): Iterable<readonly SessionKey[]> {
    return keysInOrder(this.#columns, this.#unused, slice)
  }
}

export { type Origin, RANGE_BITS }
