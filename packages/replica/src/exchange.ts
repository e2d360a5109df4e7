/** What regions exchange about single sessions: takes in what peers send, answers what they ask. */
import type { Decision, Limits, SessionKey, SessionRecord } from '@sojourn/core/internal'
import { decodeItem, decodeRecord, encodeRecord, recordVersion, takeItem, takeRecord } from '@sojourn/core/internal'
import type { Origin, Reading, RecordStore } from '@sojourn/store'
import type { Ask, Records, Tell } from '@sojourn/wire'
import type { Actors } from './actors.js'
import type { Link } from './link.js'

export interface ExchangeOptions {
  readonly store: RecordStore
  readonly limits: Limits
  readonly now: () => number
  readonly actors: Actors
  /** Items of a peer were left out, because no sound peer sends them. */
  readonly refused: (region: string, count: number) => void
  /** A peer lagged, or we did, and a record repaired it. */
  readonly repaired: (cause: RepairCause, count: number) => void
}

export type RepairCause = 'read' | 'digest' | 'rot'

export interface Applied {
  /** What must be in the journal before the items are held. */
  readonly writes: readonly Promise<void>[]
  /** Keys of deltas whose base is not here. */
  readonly wants: readonly SessionKey[]
}

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

export class Exchange {
  readonly #options: ExchangeOptions

  constructor(options: ExchangeOptions) {
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
    // A peer pauses when it is not told that enough of what it sent is held.
    const room = store.room()
    if (room) writes.add(room)
    return { writes: [...writes], wants: [...wants] }
  }

  #commit({ key, decision, reading, before, bytes }: Taken, region: string, origin?: Origin, passing = false) {
    const { store, actors } = this.#options
    const { next } = decision
    if (before === undefined && next?.kind === 'live') actors.arrived(key, next.document)
    const committed = store.transact(key, () => decision, { source: region, origin, bytes, passing, reading })
    return committed instanceof Promise ? committed.then(({ done }) => done) : committed.done!
  }

  /** Whole records, outside of any feed. Resolves when they are in the journal. */
  async #join(records: Records['records'], region: string): Promise<void> {
    const { store, limits } = this.#options
    const context = this.#context
    const decoded = records.map(({ key, record }) => ({ key, theirs: decodeRecord(record, limits) }))
    let refused = 0
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
  async asked(link: Link, { request, key, version }: Ask): Promise<void> {
    const reading = await this.#options.store.journaled(key)
    const answer = (what: Tell['what'], encoded?: Uint8Array) =>
      link.send({ type: 'tell', request, what, record: encoded })
    if (reading.state !== 'held') answer(reading.state === 'corrupt' ? 'corrupt' : 'none')
    else if (recordVersion(reading.record) === version) answer('same')
    else answer('record', encodeRecord(reading.record))
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
    const record = this.#held(key)
    if (record === undefined || recordVersion(record) === theirs) return
    this.#options.repaired('read', 1)
    link.send({ type: 'records', records: [{ key, record: encodeRecord(record) }], absent: [] })
  }

  /** A peer asks for records: of deltas whose base it lacks, or of keys that differ. */
  async wanted(link: Link, keys: readonly SessionKey[]): Promise<void> {
    const { limits, store } = this.#options
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
      const record = store.encoded(key)
      if (record === undefined) absent.push(key)
      else {
        records.push({ key, record })
        bytes += record.length
      }
      if (bytes < limits.targetFrameBytes) continue
      flush()
      await link.room()
      if (link.isClosed) return
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
