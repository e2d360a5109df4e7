/** Commits what calls of the session API decide, and waits for as many regions as their levels ask for. */
import type {
  Decided,
  EndReason,
  Refusal,
  Session,
  SessionKey,
  SessionRecord,
  Soon,
  WriteOptions,
} from '@sojourn/core/internal'
import {
  callerOf,
  endSession,
  isSojournError,
  isVisible,
  LazySession,
  notFound,
  opening,
  type ResolvedId,
  regionsNeeded,
  SojournError,
  sharesDocument,
  succeedSession,
} from '@sojourn/core/internal'
import type { Committed, Entry, Reading } from '@sojourn/store'
import { HeldSession } from './held-session.js'
import { patienceOf } from './patience.js'
import type { Runtime } from './runtime.js'
import { dataBytes } from './session-size.js'
import { tooLarge } from './too-large.js'

/** What a call decides of a record; `entry` is what the store holds of it. */
export type Decide = (record: SessionRecord | undefined, now: number, entry: Entry | undefined) => Decided

export const UNREADABLE: Refusal = {
  refusal: new SojournError('STORE_CORRUPT', 'the stored record cannot be read, and no peer could supply a good copy'),
}

export class Commits {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /**
   * Reads, decides, commits, and gives what `answer` makes of it once as many regions hold it as the level asks for: at once where nothing is to
   * be waited for.
   * @param shut what is decided where the id does not open the session. Default: it is refused, as if there were none
   */
  change<T>(
    id: ResolvedId,
    options: WriteOptions,
    decide: Decide,
    answer: (made: Committed) => T,
    shut?: Decided,
  ): Soon<T> {
    const opened: Decide = (record, now, entry) =>
      record === undefined || this.opens(id, record, now) ? decide(record, now, entry) : (shut ?? notFound())
    return this.make(id.key, options, opened, answer)
  }

  /** The same of a session that need not be opened, because it is made, or named by its handle. */
  make<T>(key: SessionKey, options: WriteOptions, decide: Decide, answer: (made: Committed) => T): Soon<T> {
    return this.run(options, () => this.#healing(key, () => this.#transact(key, decide)), answer)
  }

  /** Whether a session of this key shows here: at once where that is in memory, or can be read at once. */
  isLive(key: SessionKey): Soon<boolean> {
    const { subjects, settings } = this.#runtime
    const isShown = (reading: Reading) =>
      reading.state === 'held' && subjects.shows(key, reading.record, settings.ports.clock.now())
    const reading = this.#runtime.store.read(key)
    return reading instanceof Promise ? reading.then(isShown) : isShown(reading)
  }

  /** Whether an id opens a session, and no cutoff has ended it. Reports a secret that was superseded. */
  opens({ key, secret }: ResolvedId, record: SessionRecord, now: number): boolean {
    if (record.kind === 'ended') return true
    if (this.#runtime.subjects.cutOf(key, record)) return false
    const found = opening(record.identity?.credentials, secret, now)
    if (found === 'reused' && isVisible(record, now)) this.#runtime.own.reuse(key)
    return found === 'open'
  }

  /** @param make commits, once @throws what `make` throws */
  run<T>(options: WriteOptions, make: () => Committed | Promise<Committed>, answer: (made: Committed) => T): Soon<T> {
    const { settings, writes } = this.#runtime
    const need = regionsNeeded(options.write ?? settings.write, settings.members, 'write')
    const timeoutMs = patienceOf(settings, options.timeout)
    if (need > 1) return writes.run(make, answer, need, timeoutMs, callerOf(options))
    const journaled = (made: Committed): Soon<T> => {
      const value = answer(made)
      return made.done ? made.done.then(() => value) : value
    }
    const making = make()
    return making instanceof Promise ? making.then(journaled) : journaled(making)
  }

  #transact(key: SessionKey, decide: Decide): Committed | Promise<Committed> {
    const { store, settings } = this.#runtime
    const { clock } = settings.ports
    return store.transact(
      key,
      (reading) => {
        if (reading.state === 'corrupt') return UNREADABLE
        const entry = reading.state === 'held' ? reading : undefined
        return decide(entry?.record, clock.now(), entry)
      },
      { checkSize: this.#checkSize },
    )
  }

  /** Does it once more where the record cannot be read and peers have been asked for it. */
  #healing<T>(key: SessionKey, run: () => T | Promise<T>): T | Promise<T> {
    const again = async (error: unknown) => {
      if (!isSojournError(error, 'STORE_CORRUPT')) throw error
      await this.heal(key)
      return run()
    }
    try {
      const made = run()
      return made instanceof Promise ? made.catch(again) : made
    } catch (error) {
      return again(error)
    }
  }

  /** Asks the peers for a record that cannot be read here. */
  async heal(key: SessionKey): Promise<void> {
    const { settings, reads } = this.#runtime
    await reads.consult(key, 'linked', settings.timeoutMs)
  }

  /** The record of a key, healed where it could not be read. @throws STORE_CORRUPT where nobody has it */
  async sound(key: SessionKey): Promise<Entry | undefined> {
    const { store } = this.#runtime
    let reading: Reading = await store.read(key)
    if (reading.state === 'corrupt') {
      await this.heal(key)
      reading = await store.read(key)
    }
    if (reading.state === 'corrupt') throw UNREADABLE.refusal
    return reading.state === 'held' ? reading : undefined
  }

  /** A session, where it shows: at once where that is in memory, or can be read at once. @throws STORE_CORRUPT where nobody has it */
  shown<T extends object>(id: string, resolved: ResolvedId): Soon<Session<T> | undefined> {
    const reading = this.#runtime.store.read(resolved.key, true)
    return 'state' in reading && reading.state !== 'corrupt'
      ? this.#visible<T>(id, resolved, reading)
      : this.sound(resolved.key).then((entry) => this.#visible<T>(id, resolved, entry))
  }

  #visible<T extends object>(id: string, resolved: ResolvedId, entry: Reading | undefined): Session<T> | undefined {
    const now = this.#runtime.settings.ports.clock.now()
    const isShown = entry?.state === 'held' && isVisible(entry.record, now)
    return isShown && this.opens(resolved, entry.record, now) ? this.session<T>(id, resolved.key, entry) : undefined
  }

  /** One entry of the journal, the new session first: whoever has seen the end has seen what follows it. */
  succeed(
    id: ResolvedId,
    newId: ResolvedId,
    edits: (entry: Entry) => ReturnType<Parameters<typeof succeedSession>[2]['edits']>,
    login?: Parameters<typeof succeedSession>[2]['login'],
  ) {
    const { store, settings, actors } = this.#runtime
    const { key } = id
    const newKey = newId.key
    const now = settings.ports.clock.now()
    const reading = store.readNow(key)
    if (reading.state === 'corrupt') throw UNREADABLE.refusal
    const entry = reading.state === 'held' ? reading : undefined
    if (entry && !this.opens(id, entry.record, now)) throw notFound().refusal
    const decided = succeedSession(entry?.record, now, {
      edits: () => edits(entry!),
      writer: { stamps: store.actor, actorFor: () => actors.mint() },
      secret: newId.secret!,
      ...(login && { login }),
    })
    if ('refusal' in decided) throw decided.refusal
    const created = store.transact(newKey, () => decided) as Committed
    const ending = this.ending(key, entry?.record, now, 'rotated')
    const ended = store.transact(key, () => ending, { isAdmitted: true }) as Committed
    return { ...created, sequence: ended.sequence, done: ended.done, bytes: created.bytes + ended.bytes }
  }

  ending(key: SessionKey, record: SessionRecord | undefined, now: number, reason: EndReason) {
    const { settings, store } = this.#runtime
    return endSession(record, now, { key, reason, stamps: store.actor, maxLifetimeMs: settings.maxLifetimeMs })
  }

  /** Growth beyond the limit is refused; what does not grow the data is always taken, or its user could not even be logged out in time. */
  readonly #checkSize = (bytes: number, next: SessionRecord, before: Reading): void => {
    const { maxSessionBytes, maxRecordBytes } = this.#runtime.settings.limits
    if (bytes <= maxSessionBytes || next.kind === 'ended') return
    if (before.state === 'held' && before.record.kind === 'live') {
      if (sharesDocument(before.record, next)) return
      // Beyond that, no other region takes it.
      if (bytes <= maxRecordBytes && dataBytes(next) <= dataBytes(before.record)) return
    }
    throw tooLarge(next, bytes, maxSessionBytes)
  }

  session<T extends object>(id: string, handle: SessionKey, entry: Entry): Session<T> {
    return new LazySession<T>(new HeldSession(id, handle, entry, this.#runtime))
  }
}
