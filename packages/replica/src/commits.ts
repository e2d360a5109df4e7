/** Commits what calls of the session API decide, and waits for as many regions as their levels ask for. */
import type {
  Decided,
  EndReason,
  LiveRecord,
  Refusal,
  Session,
  SessionKey,
  SessionRecord,
  WriteOptions,
} from '@sojourn/core/internal'
import {
  callerOf,
  endSession,
  expiresAt,
  isSojournError,
  LazySession,
  regionsNeeded,
  rotateSession,
  SojournError,
} from '@sojourn/core/internal'
import type { Committed, Entry, Reading } from '@sojourn/store'
import { patienceOf } from './patience.js'
import type { Runtime } from './runtime.js'
import { dataBytes } from './session-size.js'
import { tooLarge } from './too-large.js'

/** What a call decides of a record; `entry` is what the store holds of it. */
export type Decide = (record: SessionRecord | undefined, now: number, entry: Entry | undefined) => Decided

const UNREADABLE: Refusal = {
  refusal: new SojournError('STORE_CORRUPT', 'the stored record cannot be read, and no peer could supply a good copy'),
}

export class Commits {
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Reads, decides, commits, and resolves with what `answer` makes of it once as many regions hold it as the level asks for. */
  change<T>(key: SessionKey, options: WriteOptions, decide: Decide, answer: (made: Committed) => T): Promise<T> {
    return this.run(options, () => this.#healing(key, () => this.#transact(key, decide)), answer)
  }

  /** @param make commits, once */
  async run<T>(
    options: WriteOptions,
    make: () => Committed | Promise<Committed>,
    answer: (made: Committed) => T,
  ): Promise<T> {
    const { settings, writes } = this.#runtime
    const need = regionsNeeded(options.write ?? settings.write, settings.members, 'write')
    const timeoutMs = patienceOf(settings, options.timeout)
    if (need > 1) {
      return writes.run(make, answer, need, timeoutMs, callerOf(options))
    }
    const making = make()
    const made = making instanceof Promise ? await making : making
    const value = answer(made)
    if (made.done) await made.done
    return value
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
    const { settings, inquiries } = this.#runtime
    await inquiries.consult(key, 'linked', settings.timeoutMs)
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

  /** One entry of the journal, the new session first: whoever has seen the end has seen what follows it. */
  rotate(
    key: SessionKey,
    newKey: SessionKey,
    edits: (entry: Entry) => ReturnType<Parameters<typeof rotateSession>[2]['edits']>,
  ) {
    const { store, settings, actors } = this.#runtime
    const now = settings.ports.clock.now()
    const reading = store.readNow(key)
    if (reading.state === 'corrupt') throw UNREADABLE.refusal
    const entry = reading.state === 'held' ? reading : undefined
    const decided = rotateSession(entry?.record, now, {
      edits: () => edits(entry!),
      writer: { stamps: store.actor, actorFor: () => actors.mint() },
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
    const { maxSessionBytes } = this.#runtime.settings.limits
    if (bytes <= maxSessionBytes || next.kind === 'ended') return
    if (before.state === 'held' && before.record.kind === 'live' && dataBytes(next) <= dataBytes(before.record)) return
    throw tooLarge(next, bytes, maxSessionBytes)
  }

  session<T extends object>(id: string, entry: Entry): Session<T> {
    const record = entry.record as LiveRecord
    const { store } = this.#runtime
    return new LazySession<T>(id, () => store.viewOf(entry)!.data, record.limit.createdAt, expiresAt(record))
  }
}
