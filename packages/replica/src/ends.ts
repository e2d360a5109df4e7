/** Ends sessions: one of them, also where only other regions hold it, or all that are held here. */
import type { Decided, EndReason, ResolvedId, SessionKey, WriteOptions } from '@sojourn/core/internal'
import { callerOf, GONE } from '@sojourn/core/internal'
import type { Committed, Reading } from '@sojourn/store'
import { DIGEST_SLICES } from '@sojourn/wire'
import type { Commits } from './commits.js'
import { endAll } from './end-all.js'
import type { Runtime } from './runtime.js'

/** How much longer than a single call `endAll` waits for the next end, milliseconds: a disk may be busy. */
const STALL_MS = 10_000

/** Ends sessions for the calls of a replica. */
export class Ends {
  readonly #runtime: Runtime
  readonly #commits: Commits

  constructor(runtime: Runtime, commits: Commits) {
    this.#runtime = runtime
    this.#commits = commits
  }

  /** Ends a session for who has its id: one that opens it, where the session is held here. */
  async byId(id: ResolvedId, reason: EndReason, options: WriteOptions): Promise<boolean> {
    const reading = await this.#runtime.store.read(id.key)
    const now = this.#runtime.settings.ports.clock.now()
    if (reading.state === 'held' && !this.#commits.opens(id, reading.record, now)) return false
    return this.one(id.key, reason, options)
  }

  /**
   * Ends the session of a key, and returns whether it was alive.
   * @param made is given the commit, before anybody waits for other regions
   */
  async one(
    key: SessionKey,
    reason: EndReason,
    options: WriteOptions,
    made?: (commit: Committed) => void,
  ): Promise<boolean> {
    const { store, settings, reads } = this.#runtime
    let isUnheard = false
    if ((await store.read(key)).state !== 'held') {
      // It may live elsewhere and not have arrived yet. Only where everybody says no there is nothing to end.
      const tally = await reads.consult(key, 'linked', settings.timeoutMs, callerOf(options))
      isUnheard = tally.answered.length < settings.members
    }
    const decide = (reading: Reading): Decided => {
      if (reading.state === 'absent' && !isUnheard) return GONE
      // Also what cannot be read: it may be readable elsewhere.
      const record = reading.state === 'held' ? reading.record : undefined
      return this.#commits.ending(key, record, settings.ports.clock.now(), reason)
    }
    return this.#commits.run(
      options,
      () => store.transact(key, decide),
      (commit) => {
        made?.(commit)
        return commit.decision.wasVisible === true
      },
    )
  }

  /**
   * Ends every session that is held here, and returns how many were alive.
   * @param keysIn the keys of a slice that show now
   * @param answersWithinMs how long a single call may take
   */
  all(
    reason: EndReason,
    options: WriteOptions,
    keysIn: (slice: number) => Promise<readonly SessionKey[]>,
    answersWithinMs: number,
  ): Promise<number> {
    return endAll({
      clock: this.#runtime.settings.ports.clock,
      slices: Array.from({ length: DIGEST_SLICES }, (_, slice) => () => keysIn(slice)),
      end: (key) => this.one(key, reason, options),
      stallMs: STALL_MS + answersWithinMs,
    })
  }
}
