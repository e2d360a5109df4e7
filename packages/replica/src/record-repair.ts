/** Takes in what peers send of single sessions, answers what they ask, and finds what they lack. Returns what is to be sent. */
import type { Decision, Limits, SessionKey, SessionRecord } from '@sojourn/core/internal'
import {
  decodeItem,
  decodeRecord,
  encodeRecord,
  frontierOf,
  recordVersion,
  takeItem,
  takeRecord,
} from '@sojourn/core/internal'
import type { Origin, Reading, RecordStore } from '@sojourn/store'
import type { Ask, Records, Tell, Want } from '@sojourn/wire'
import type { Actors } from './actors.js'

export interface RecordRepairOptions {
  readonly store: RecordStore
  readonly limits: Limits
  readonly now: () => number
  readonly actors: Actors
  /** Items of a peer were left out, because no sound peer sends them. */
  readonly refused: (region: string, count: number) => void
  /** A peer lagged, or we did, and a record repaired it. */
  readonly repaired: (cause: RepairCause, count: number) => void
}

export type RepairCause = 'read' | 'digest' | 'corrupt'

export interface Applied {
  /** What must be in the journal before the items are held. */
  readonly writes: readonly Promise<void>[]
  /** Keys of deltas whose base is not here. */
  readonly wants: readonly SessionKey[]
}

/** What a key takes in a request for records, and a little more. */
const WANTED_KEY_BYTES = 20

/** What an item comes to, before anything is committed. */
interface Taken {
  readonly key: SessionKey
  readonly decision: Decision
  /** What the store holds, where no item before this one is of the same key. */
  readonly reading: Reading | undefined
  readonly before: SessionRecord | undefined
  readonly bytes?: Uint8Array
}

const recordOf = (reading: Reading): SessionRecord | undefined =>
  reading.state === 'held' ? reading.record : undefined

export class RecordRepair {
  readonly #options: RecordRepairOptions

  constructor(options: RecordRepairOptions) {
    this.#options = options
  }

  get #context() {
    const { limits, now } = this.#options
    return { limits, now: now() }
  }

  /** The record held here, in the journal; one that cannot be read counts as none. */
  #held(key: SessionKey): SessionRecord | undefined {
    return recordOf(this.#options.store.journaledNow(key))
  }

  /** Whether there is a record here, and nobody here can read it. */
  isCorrupt(key: SessionKey): boolean {
    return this.#options.store.journaledNow(key).state === 'corrupt'
  }

  /** Whether an answer holds more than is taken here. */
  isTooLarge({ record }: Tell): boolean {
    return record !== undefined && record.length > this.#options.limits.maxRecordBytes
  }

  versionOf(key: SessionKey): string | undefined {
    const record = this.#held(key)
    return record && recordVersion(record)
  }

  /**
   * The items of a segment of a peer's feed. All are checked before the first is committed, so a malformed one changes nothing. One that is
   * refused is left out, and counts as received: digests show that it is missing here, and bring it when it can be taken.
   * @throws FRAME_INVALID, CHANGE_INVALID, RECORD_INVALID, STORE_FAILED
   */
  apply(items: readonly Uint8Array[], origin: Origin, isCatchUp: boolean, region: string): Applied {
    const { store } = this.#options
    const context = this.#context
    const latest = new Map<SessionKey, SessionRecord | undefined>()
    const wants = new Set<SessionKey>()
    const writes = new Set<Promise<void>>()
    const taken: Taken[] = []
    let refused = 0
    for (const bytes of items) {
      const item = decodeItem(bytes)
      const { key } = item
      const reading = latest.has(key) ? undefined : store.readNow(key, isCatchUp)
      const before = reading ? recordOf(reading) : latest.get(key)
      const decision = takeItem(before, item, context)
      if (decision.isMissing) wants.add(key)
      if (decision.isRefused) refused++
      if (decision.next) taken.push({ key, decision, reading, before, bytes })
      // What is known may have come over another link a moment ago, and not be in the journal yet.
      const written = decision.next === undefined && store.written(key)
      if (written) writes.add(written)
      latest.set(key, decision.next ?? before)
    }
    if (refused > 0) this.#options.refused(region, refused)
    for (const one of taken) writes.add(this.#commit(one, region, origin, isCatchUp))
    // A peer pauses when too little of what it sent is acknowledged.
    const room = store.room()
    if (room) writes.add(room)
    return { writes: [...writes], wants: [...wants] }
  }

  #commit({ key, decision, reading, before, bytes }: Taken, source: string, origin?: Origin, passing = false) {
    const { store, actors } = this.#options
    const { next } = decision
    if (before === undefined && next?.kind === 'live') actors.arrived(key, frontierOf(next).seen.keys())
    // What an item before this one has made of the record is not in what was read.
    const current = reading ?? store.readNow(key, passing)
    return store.enter(key, current, decision, { source, origin, bytes, passing })!
  }

  /** Whole records, outside of any feed. Resolves when they are in the journal. */
  async #join(records: Records['records'], region: string): Promise<void> {
    const { store, limits } = this.#options
    const context = this.#context
    const taken = records.filter(({ record }) => record.length <= limits.maxRecordBytes)
    const decoded = taken.map(({ key, record }) => ({ key, theirs: decodeRecord(record, limits) }))
    let refused = records.length - taken.length
    for (const { key, theirs } of decoded) {
      const reading = store.readNow(key)
      const before = recordOf(reading)
      const decision = takeRecord(before, theirs, context)
      if (decision.next) this.#commit({ key, decision, reading, before }, region)
      if (decision.isRefused) refused++
    }
    if (refused > 0) this.#options.refused(region, refused)
    await Promise.all(decoded.map(({ key }) => store.written(key)))
    await store.room()
  }

  /** A peer asks which version is held here. */
  async answer({ request, key, version }: Ask): Promise<Tell> {
    const reading = await this.#options.store.journaled(key)
    const reply = (what: Tell['what'], record?: Uint8Array): Tell => ({ type: 'tell', request, what, record })
    if (reading.state !== 'held') return reply(reading.state === 'corrupt' ? 'corrupt' : 'none')
    return recordVersion(reading.record) === version ? reply('same') : reply('record', encodeRecord(reading.record))
  }

  /** A peer answered: takes in what it holds. Returns what it lacks, once that is in the journal here. */
  async take(region: string, key: SessionKey, reply: Tell): Promise<Records | undefined> {
    if (reply.what === 'same') return undefined
    let theirs: string | undefined
    if (reply.what === 'record' && reply.record) {
      theirs = recordVersion(decodeRecord(reply.record, this.#options.limits))
      const before = this.versionOf(key)
      await this.#join([{ key, record: reply.record }], region)
      if (this.versionOf(key) !== before) this.#options.repaired('read', 1)
    }
    const record = this.#held(key)
    if (record === undefined || recordVersion(record) === theirs) return undefined
    this.#options.repaired('read', 1)
    return { type: 'records', records: [{ key, record: encodeRecord(record) }], absent: [] }
  }

  /** The records of deltas whose base a peer lacks, or of keys that differ: a message at a time, read when the one before was sent. */
  *wanted(keys: readonly SessionKey[]): Iterable<Records> {
    const { limits, store } = this.#options
    let records: { key: SessionKey; record: Uint8Array }[] = []
    let absent: SessionKey[] = []
    let bytes = 0
    for (const key of keys) {
      const record = store.encoded(key)
      if (record === undefined) absent.push(key)
      else {
        records.push({ key, record })
        bytes += record.length
      }
      if (bytes < limits.targetFrameBytes) continue
      yield { type: 'records', records, absent }
      records = []
      absent = []
      bytes = 0
    }
    if (records.length + absent.length > 0) yield { type: 'records', records, absent }
  }

  /** A peer sent what it was asked for. Resolves when it is in the journal. */
  supplied(region: string, { records }: Records): Promise<void> {
    return this.#join(records, region)
  }

  /** Keys that differ between us and a peer: its records are asked for, and ours go there. */
  *repair(keys: readonly SessionKey[]): Iterable<Want | Records> {
    this.#options.repaired('digest', keys.length)
    const most = Math.max(1, Math.floor(this.#options.limits.targetFrameBytes / WANTED_KEY_BYTES))
    for (let start = 0; start < keys.length; start += most)
      yield { type: 'want', keys: keys.slice(start, start + most) }
    yield* this.wanted(keys.filter((key) => this.#held(key) !== undefined))
  }
}
