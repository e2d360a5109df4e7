import type { EndReason, LiveRecord, Session, SessionKey, SessionRecord } from '@sojourn/core'
import { encodeRecord, expiresAt, isSojournError, isVisible, LazySession, nextStamp, SojournError } from '@sojourn/core'
import type { Entry } from '@sojourn/store'
import { encodeItem, type Item } from '@sojourn/wire'
import type { CommitEvent } from './events.js'
import type { CommitNote } from './exchange.js'
import type { Runtime } from './runtime.js'

/** A write that was made: its place in the feed, and what the caller gets once it is on the disk. */
export interface Made<T> {
  readonly sequence: number
  readonly done: Promise<T>
  /** Encoded bytes of the record that it made. */
  readonly bytes: number
}

/** What the calls of the session API do to single records: find them sound and live, and commit what becomes of them. */
export class Commits {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** @throws OVERLOADED, REPLICA_CLOSED: before anything is changed */
  admit(): { now: number } {
    const { store, settings } = this.#runtime
    store.admit()
    return { now: settings.ports.clock.now() }
  }

  /** @throws SESSION_NOT_FOUND */
  visible(key: SessionKey, now: number): Entry & { record: LiveRecord } {
    const entry = this.#runtime.store.read(key)
    if (!entry || !isVisible(entry.record, now))
      throw new SojournError('SESSION_NOT_FOUND', 'no live session has this id here')
    return entry as Entry & { record: LiveRecord }
  }

  isRotten(key: SessionKey, counts = false): boolean {
    const { store } = this.#runtime
    try {
      store.read(key, counts)
      return false
    } catch (error) {
      if (isSojournError(error, 'STORE_CORRUPT')) return true
      throw error
    }
  }

  /** Undefined where the record can be read, as nearly always: then there is nothing to wait for. Else see {@link #heal}. */
  sound(key: SessionKey): Promise<void> | undefined {
    return this.isRotten(key, true) ? this.#heal(key) : undefined
  }

  /** Heals a record that is rotten here from the peers. @throws STORE_CORRUPT where none has it */
  async #heal(key: SessionKey): Promise<void> {
    const { store, settings, inquiries } = this.#runtime
    this.#runtime.rotten(key)
    await inquiries.consult(key, 'linked', settings.timeoutMs)
    store.read(key)
  }

  live<T extends object>(
    id: string,
    key: SessionKey,
    record: LiveRecord,
    item: Item | undefined,
    event: CommitEvent | undefined,
  ): Made<Session<T>> {
    const { maxSessionBytes } = this.#runtime.settings.limits
    const made = this.#commit(key, record, item, event, maxSessionBytes)
    const session = this.session<T>(id, made.entry)
    return { ...made, done: made.done.then(() => session) }
  }

  end(key: SessionKey, record: LiveRecord | undefined, reason: EndReason, now: number): Made<boolean> {
    const { settings, store } = this.#runtime
    const horizon = record?.limit.horizon ?? now + settings.maxLifetimeMs
    const end = { reason, stamp: nextStamp(undefined, now, store.actor), horizon }
    const body = { key, origin: 'local', reason }
    const wasVisible = record !== undefined && isVisible(record, now)
    const made = this.#commit(key, { kind: 'ended', end }, { type: 'end', key, end }, { name: 'ended', body })
    return { ...made, done: made.done.then(() => wasVisible) }
  }

  #commit(
    key: SessionKey,
    record: SessionRecord,
    item: Item | undefined,
    event: CommitEvent | undefined,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Made<void> & { readonly entry: Entry } {
    const { store } = this.#runtime
    const encoded = encodeRecord(record)
    if (encoded.length > maxBytes)
      throw new SojournError(
        'SESSION_TOO_LARGE',
        `the session would have ${encoded.length} bytes; limits.maxSessionBytes is ${maxBytes}`,
        { limit: maxBytes },
      )
    const note: CommitNote = { item: encodeItem(item ?? { type: 'record', key, record: encoded }), event }
    return { ...store.commit(key, record, { encoded, note }), bytes: encoded.length }
  }

  /** Nothing to write; the quorum is asked of the write that made the record what it is. */
  unchanged<T extends object>(id: string, key: SessionKey, entry: Entry): Made<Session<T>> {
    return this.held(key, entry, this.session<T>(id, entry))
  }

  held<T>(key: SessionKey, entry: Entry, value: T): Made<T> {
    const written = this.#runtime.store.written(key)
    const done = written ? written.then(() => value) : Promise.resolve(value)
    return { sequence: entry.sequence, done, bytes: entry.size }
  }

  session<T extends object>(id: string, entry: Entry): Session<T> {
    const record = entry.record as LiveRecord
    const { store } = this.#runtime
    const { createdAt } = record.limit
    return new LazySession<T>(id, () => store.viewOf(entry)!.data, createdAt, expiresAt(record))
  }
}
