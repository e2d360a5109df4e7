/** Reads of single sessions: from here, with as many regions as a level asks for, or after a write that somebody saw elsewhere. */
import type { ReadOptions, Session, SessionKey, Soon, SubjectHash } from '@sojourn/core/internal'
import {
  callerOf,
  cutoffKey,
  parseWritten,
  quorumUnmet,
  regionsNeeded,
  resolveId,
  verdict,
} from '@sojourn/core/internal'
import type { Commits } from './commits.js'
import { patienceOf } from './patience.js'
import type { Runtime } from './runtime.js'

export class Reads {
  readonly #runtime: Runtime
  readonly #commits: Commits

  constructor(runtime: Runtime, commits: Commits) {
    this.#runtime = runtime
    this.#commits = commits
  }

  get<T extends object>(id: string, options: ReadOptions | undefined): Soon<Session<T> | undefined> {
    const { settings } = this.#runtime
    const resolved = resolveId(id)
    const level = options?.read ?? settings.read
    const need = level === 'local' ? 1 : regionsNeeded(level, settings.members, 'read')
    if (need === 1 && options?.after === undefined) return this.#commits.shown<T>(id, resolved)
    return this.#consult(resolved.key, need, options).then(() => this.#commits.shown<T>(id, resolved))
  }

  /** What a quorum of regions holds is here afterwards, and the write after which to read. */
  async #consult(key: SessionKey, need: number, options: ReadOptions | undefined): Promise<void> {
    if (need > 1) {
      // The regions that answer may know of a cutoff, and not of the session.
      const cutoffs = async (subject: SubjectHash | undefined) => {
        if (subject !== undefined) await this.#gather(cutoffKey(subject), need, options)
      }
      const known = await this.#subjectOf(key)
      await Promise.all([this.#gather(key, need, options), cutoffs(known)])
      const subject = await this.#subjectOf(key)
      if (subject !== known) await cutoffs(subject)
    }
    if (options?.after !== undefined) await this.#follow(key, options.after, options)
  }

  /** @throws QUORUM_UNMET */
  async #gather(key: SessionKey, need: number, options: ReadOptions | undefined): Promise<void> {
    const { settings, reads } = this.#runtime
    const tally = await reads.consult(key, need, patienceOf(settings, options?.timeout), callerOf(options))
    if (verdict(tally) !== 'met') throw quorumUnmet(tally, false)
  }

  async #subjectOf(key: SessionKey): Promise<SubjectHash | undefined> {
    const reading = await this.#runtime.store.read(key)
    return reading.state === 'held' && reading.record.kind === 'live'
      ? reading.record.identity?.authentication?.subject
      : undefined
  }

  /** Asks where a write is not here yet. Who made it has answered then, or all have; or it came by itself. */
  async #follow(key: SessionKey, after: string, options: ReadOptions): Promise<void> {
    const { settings, reads, progress, store } = this.#runtime
    const { feed, sequence } = parseWritten(after)
    const isHere = () => (feed === store.actor ? store.head : progress.through(feed)) >= sequence
    if (isHere()) return
    const tally = await reads.consult(key, 'linked', patienceOf(settings, options.timeout), callerOf(options))
    const { answered } = tally
    const region = progress.regionOf(feed)
    if (answered.length === settings.members || (region && answered.includes(region)) || isHere()) return
    throw quorumUnmet({ ...tally, need: settings.members }, false)
  }
}
