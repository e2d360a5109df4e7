/** Do two regions differ although they should not? Sums over ranges of keys are compared, and what differs is found and repaired. */
import { createHash } from 'node:crypto'
import type { Clock, SessionKey, Timer } from '@sojourn/core/internal'
import { dueAt, recordVersion, SojournError } from '@sojourn/core/internal'
import { RANGE_BITS, type RecordStore } from '@sojourn/store'
import { DIGEST_SLICES, type Digest, type Records, type Versions, type Want } from '@sojourn/wire'
import type { Peer } from './peer.js'

/** Each comparison goes on in the eight ranges below each one that differs: wider steps send more sums, and longer lists at the end, */
const STEP_BITS = 3
/** at most down to ranges of so many bits, */
const MAX_BITS = RANGE_BITS + 3 * STEP_BITS
/** or to ranges of so few records, which are listed. */
const FEW_RECORDS = 8
/** A message is answered by one, of so many ranges or records at most, and as a frame allows: what is left out differs still in the next comparison. */
const MAX_PARTS = 2_048
/** Of a range with the sums of those below it, and more than a key with its version takes. */
const PART_BYTES = 40
/** A slice of the records is read once in so many intervals, so that corruption is found before the record is needed. */
const INTERVALS_A_SLICE = 5
const RECORDS_A_TURN = 64
/** Of repairs of one record. */
const MAX_PAUSE_MS = 60_000
/** Repaired records that are remembered for each peer. */
const MAX_REPAIRS = 4_096

export interface DigestsOptions {
  readonly store: RecordStore
  readonly clock: Clock
  /** How often sums are compared with a peer that differs. */
  readonly intervalMs: number
  readonly targetFrameBytes: number
  readonly region: string
  /** Our records of these keys, and a request for the peer's own. */
  readonly repair: (keys: readonly SessionKey[]) => Iterable<Want | Records>
  readonly failed: (error: unknown) => void
}

type KeyVersion = { readonly key: SessionKey; readonly version: string }

/** What is known of the comparison with one peer. */
interface Comparison {
  /** Ranges that differed the last time. Much is on its way at any time, so only what differs twice is looked into. */
  suspects: ReadonlySet<number>
  /** When sums were last sent, on the monotonic clock. */
  sentAt: number
  /** Keys that were repaired and differ still (one side refuses the record, say): each time it takes twice as long until the next try. */
  readonly repairs: Map<SessionKey, { readonly at: number; readonly pauseMs: number }>
}

/** The last resort: whatever made two regions differ, it is found within seconds (ARCHITECTURE, "Digests"). */
export class Digests {
  readonly #options: DigestsOptions
  readonly #comparisons = new WeakMap<Peer, Comparison>()
  #slice = 0
  /** Messages that left something out: each begins elsewhere, so that what cannot be repaired is not in the way for ever. */
  #shortened = 0
  #timer: Timer | undefined
  #closed = false

  constructor(options: DigestsOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#closed) return
    this.#timer = this.#options.clock.after(INTERVALS_A_SLICE * this.#options.intervalMs, () => {
      const slice = this.#slice
      this.#slice = (slice + 1) % DIGEST_SLICES
      this.#scrub(slice)
        .catch((error: unknown) => this.#options.failed(error))
        .then(() => this.start())
    })
  }

  /** Reads the records of a slice: what cannot be read is found by that, and asked for. */
  async #scrub(slice: number): Promise<void> {
    const { store, clock } = this.#options
    let count = 0
    for (const keys of store.index.keys(slice))
      for (const key of keys) {
        if (this.#closed) return
        await store.peek(key)
        if (++count % RECORDS_A_TURN === 0) await new Promise<void>((resolve) => clock.soon(resolve))
      }
  }

  /** The sum over all records, as heartbeats carry it. */
  get sum(): string {
    const { high, low } = this.#options.store.index.sum
    return hashOf(high, low)
  }

  #comparison(peer: Peer): Comparison {
    let comparison = this.#comparisons.get(peer)
    if (comparison === undefined) {
      comparison = { suspects: new Set(), sentAt: Number.NEGATIVE_INFINITY, repairs: new Map() }
      this.#comparisons.set(peer, comparison)
    }
    return comparison
  }

  /** A peer in step reported its sum. Of the two sides that one begins whose region sorts first. Returns what it begins with. */
  heard(peer: Peer, sum: string): Digest | undefined {
    const { region, clock, intervalMs } = this.#options
    if (sum === this.sum || peer.region < region) return undefined
    const comparison = this.#comparison(peer)
    const now = clock.monotonic()
    if (now - comparison.sentAt < intervalMs) return undefined
    comparison.sentAt = now
    return this.all(false)
  }

  /** Reads all records. */
  async readAll(): Promise<void> {
    for (let slice = 0; slice < DIGEST_SLICES && !this.#closed; slice++) await this.#scrub(slice)
  }

  /** The sums over all ranges. @param isSure whether what differs is to be looked into at once */
  all(isSure: boolean): Digest {
    const sums = bytesOf(this.#options.store.index.rangeSums)
    return { type: 'digest', bits: RANGE_BITS, above: 0, ranges: [], sums, isSure }
  }

  /** A peer's sums: goes on where ours are others. @throws FRAME_INVALID */
  received(peer: Peer, digest: Digest): Digest | Versions | undefined {
    const { store } = this.#options
    const { bits, above, ranges } = digest
    checkDigest(digest)
    const ours = above === 0 ? store.index.rangeSums : store.index.sumsBelow(ranges, above, bits)
    const theirs = sumsOf(digest.sums)
    const children = 2 ** (bits - above)
    const differing: number[] = []
    for (let place = 0; place < ours.length; place++)
      if (ours[place] !== theirs[place])
        differing.push(above === 0 ? place : ranges[Math.floor(place / children)]! * children + (place % children))
    const isTop = above === 0 && !digest.isSure
    return this.#descend(isTop ? this.#confirmed(peer, differing) : differing, bits)
  }

  #confirmed(peer: Peer, differing: readonly number[]): number[] {
    const comparison = this.#comparison(peer)
    const confirmed = differing.filter((range) => comparison.suspects.has(range))
    comparison.suspects = new Set(differing)
    return confirmed
  }

  #descend(ranges: readonly number[], bits: number): Digest | Versions | undefined {
    const { store } = this.#options
    if (ranges.length === 0) return undefined
    const some = this.#shorten(ranges)
    if (bits >= MAX_BITS || store.index.size / 2 ** bits <= FEW_RECORDS) return this.#list(some, bits)
    const below = bits + STEP_BITS
    const sums = bytesOf(store.index.sumsBelow(some, bits, below))
    return { type: 'digest', bits: below, above: bits, ranges: some, sums, isSure: true }
  }

  /** Ranges, or records, of one message. */
  get #most(): number {
    return Math.max(1, Math.min(MAX_PARTS, Math.floor(this.#options.targetFrameBytes / PART_BYTES)))
  }

  #shorten(ranges: readonly number[]): readonly number[] {
    const most = this.#most
    if (ranges.length <= most) return ranges
    const start = (this.#shortened++ * most) % ranges.length
    return [...ranges.slice(start), ...ranges.slice(0, start)].slice(0, most)
  }

  /** Lists our records in some ranges, as many of these as fit, and those whole. */
  #list(ranges: readonly number[], bits: number): Versions {
    const byRange = new Map<number, KeyVersion[]>(ranges.map((range) => [range, []]))
    for (const { key, high, low } of this.#options.store.index.versionsIn(new Set(ranges), bits))
      byRange.get(rangeOf(key, bits))!.push({ key, version: hashOf(high, low) })
    const most = this.#most
    const listed: { ranges: number[]; versions: KeyVersion[] } = { ranges: [], versions: [] }
    for (const [range, versions] of byRange) {
      if (listed.versions.length >= most) break
      listed.ranges.push(range)
      listed.versions.push(...versions)
    }
    return { type: 'versions', bits, ...listed }
  }

  /** A peer's records: whatever differs is exchanged, both ways. @throws FRAME_INVALID */
  compared(peer: Peer, { bits, ranges, versions }: Versions): Iterable<Want | Records> {
    const { store, repair } = this.#options
    checkRanges(bits, ranges)
    const theirs = new Map(versions.map(({ key, version }) => [key, version]))
    const differing: SessionKey[] = []
    for (const { key, high, low } of store.index.versionsIn(new Set(ranges), bits)) {
      if (theirs.get(key) !== hashOf(high, low)) differing.push(key)
      theirs.delete(key)
    }
    // What is due here already, by a clock that is a little ahead, differs in that only.
    for (const key of theirs.keys()) if (!store.index.isDue(key)) differing.push(key)
    const due = differing.filter((key) => this.#mayRepair(peer, key))
    return due.length > 0 ? repair(due) : []
  }

  #mayRepair(peer: Peer, key: SessionKey): boolean {
    const { repairs } = this.#comparison(peer)
    const now = this.#options.clock.monotonic()
    const last = repairs.get(key)
    if (last && now < last.at + last.pauseMs) return false
    const pauseMs = Math.min(2 * (last?.pauseMs ?? this.#options.intervalMs), MAX_PAUSE_MS)
    // At the end: the first one is the one that was repaired longest ago.
    repairs.delete(key)
    repairs.set(key, { at: now, pauseMs })
    for (const oldest of repairs.keys()) {
      if (repairs.size <= MAX_REPAIRS) break
      repairs.delete(oldest)
    }
    return true
  }

  /**
   * The versions of a slice, for comparing regions from outside.
   * @param asOf leaves out what is due by then, which may be purged on one side and not yet on the other
   */
  async versions(slice: number, asOf: number): Promise<KeyVersion[]> {
    const { store } = this.#options
    const out: KeyVersion[] = []
    for (const keys of store.index.keys(slice & 0xff))
      for (const key of keys) {
        const reading = await store.peek(key)
        if (reading.state === 'held' && dueAt(reading.record) > asOf)
          out.push({ key, version: recordVersion(reading.record) })
      }
    return out
  }

  async digestOf(slice: number, asOf: number): Promise<{ readonly records: number; readonly digest: string }> {
    const versions = await this.versions(slice, asOf)
    const sum = createHash('sha256')
    for (const { key, version } of versions) sum.update(`${key} ${version}\n`)
    return { records: versions.length, digest: sum.digest('hex') }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}

const hashOf = (high: number, low: number): string =>
  high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')

const rangeOf = (key: SessionKey, bits: number): number => Number.parseInt(key.slice(0, 8), 16) >>> (32 - bits)

const bytesOf = (sums: Uint32Array): Uint8Array => {
  const out = Buffer.allocUnsafe(4 * sums.length)
  for (const [place, sum] of sums.entries()) out.writeUInt32LE(sum, 4 * place)
  return out
}

const sumsOf = (bytes: Uint8Array): Uint32Array => {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return Uint32Array.from({ length: bytes.length / 4 }, (_, place) => from.readUInt32LE(4 * place))
}

const invalid = (what: string): SojournError => new SojournError('FRAME_INVALID', `a digest is invalid: ${what}`)

const checkRanges = (bits: number, ranges: readonly number[]): void => {
  if (bits < RANGE_BITS || bits > MAX_BITS) throw invalid('its ranges have another size')
  if (ranges.some((range) => range >= 2 ** bits)) throw invalid('it names an unknown range')
}

const checkDigest = ({ bits, above, ranges, sums }: Digest): void => {
  const isTop = bits === RANGE_BITS && above === 0 && ranges.length === 0
  if (!isTop) {
    checkRanges(above, ranges)
    if (bits !== above + STEP_BITS || bits > MAX_BITS) throw invalid('its ranges have another size')
  }
  const expected = isTop ? 2 ** RANGE_BITS : ranges.length * 2 ** STEP_BITS
  if (sums.length !== 4 * expected) throw invalid('its sums and ranges differ in number')
}
