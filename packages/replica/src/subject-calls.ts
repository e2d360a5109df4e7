/** Whose session it is: sessions are made, logged in, given new secrets, and listed and ended on other devices. */
import type {
  CreateOptions,
  CutoffEntry,
  Decided,
  ElevateOptions,
  EndHandleOptions,
  EndReason,
  EndReceipt,
  EndSubjectOptions,
  ResolvedId,
  RotateOptions,
  SecretHash,
  Session,
  SessionKey,
  Soon,
  Stamp,
  SubjectHash,
  SubjectSession,
  WriteOptions,
} from '@sojourn/core/internal'
import {
  checkHandle,
  checkTop,
  compareStamps,
  createSession,
  cutBy,
  cutOff,
  cutoffKey,
  DEFAULT_END_REASON,
  editsFor,
  elevateSession,
  expiresAt,
  isFarAhead,
  isSojournError,
  isVisible,
  MAX_EXCEPT,
  newSessionId,
  nextStamp,
  notFound,
  optionalDuration,
  parseDuration,
  refuseOption,
  regionsNeeded,
  resolveId,
  rotateSecret,
  SojournError,
  withNewSecret,
} from '@sojourn/core/internal'
import type { Entry, Reading } from '@sojourn/store'
import type { Changes } from './changes.js'
import { type Commits, UNREADABLE } from './commits.js'
import type { Ends } from './ends.js'
import { lifetimeOf } from './options.js'
import type { Runtime } from './runtime.js'
import type { Shown } from './subjects.js'

export class SubjectCalls {
  readonly #runtime: Runtime
  readonly #commits: Commits
  readonly #changes: Changes
  readonly #ends: Ends
  /** Sessions whose login has begun, and is not over: another one must count them. Each is a call that somebody waits for. */
  readonly #underWay = new Map<SubjectHash, Set<SessionKey>>()

  constructor(runtime: Runtime, commits: Commits, changes: Changes, ends: Ends) {
    this.#runtime = runtime
    this.#commits = commits
    this.#changes = changes
    this.#ends = ends
  }

  create<T extends object>(data: T, options: CreateOptions): Soon<Session<T>> {
    const { settings, store, logins, actors } = this.#runtime
    const { clock, random } = settings.ports
    const id = options.id ?? newSessionId(random)
    const { key, secret } = resolveId(id)
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout') ?? settings.idleTimeoutMs
    const lifetimeMs = lifetimeOf(settings, options.maxLifetime)
    const edits = editsFor(checkTop(data), this.#changes.dataOptions(options))
    const identity = logins.identity(secret, options, clock.now())
    const subject = identity.authentication?.subject
    const writer = { stamps: store.actor, actorFor: () => actors.mint() }
    // A login may start another limit until this one is over.
    const prolongedMs = secret === undefined ? 0 : settings.maxLifetimeMs
    const request = { edits, idleTimeoutMs, lifetimeMs, prolongedMs, identity, writer }
    const make = () =>
      this.#commits.make(
        key,
        options,
        (record, now) => createSession(record, now, request),
        (made) => this.#commits.session<T>(id, key, made.entry!),
      )
    return subject === undefined ? make() : this.#withRoom(subject, key, make)
  }

  async elevate<T extends object>(id: string, options: ElevateOptions): Promise<Session<T>> {
    const { settings, store, logins } = this.#runtime
    const resolved = resolveId(id)
    const { key } = resolved
    const lifetimeMs = lifetimeOf(settings, options.maxLifetime)
    const idleTimeoutMs = optionalDuration(options.idleTimeout, 'idleTimeout')
    const { clock, random } = settings.ports
    const entry = await this.#commits.sound(key)
    const before = entry?.record.kind === 'live' ? entry.record.identity?.authentication?.stamp : undefined
    const subject = logins.hashOf(options.subject)
    const login = (secret: SecretHash | undefined) => logins.identity(secret, options, clock.now(), before)
    if (needsSuccessor(resolved, entry, subject, clock.now() + lifetimeMs))
      return this.#withRoom(subject, key, () =>
        this.#succeed<T>(id, options, (newSecret) => ({
          identity: login(newSecret),
          lifetimeMs,
          prolongedMs: settings.maxLifetimeMs,
          idleTimeoutMs,
        })),
      )
    return this.#withRoom(subject, key, () => {
      const newId = withNewSecret(id, random)
      const identity = login(resolveId(newId).secret)
      const request = { identity, lifetimeMs, renewal: { idleTimeoutMs, granularityMs: 0 }, stamps: store.actor }
      return this.#commits.change(
        resolved,
        options,
        (record, now) => elevateSession(record, now, request),
        (made) => this.#commits.session<T>(newId, key, made.entry!),
      )
    })
  }

  async rotate<T extends object>(id: string, options: RotateOptions): Promise<Session<T>> {
    const resolved = resolveId(id)
    const { key, secret } = resolved
    if (secret === undefined) return this.#succeed<T>(id, options)
    const newId = withNewSecret(id, this.#runtime.settings.ports.random)
    const graceMs = options.grace === undefined || options.grace === 0 ? 0 : parseDuration(options.grace, 'grace')
    const { store, settings } = this.#runtime
    const renewal = { granularityMs: settings.touchGranularityMs }
    const request = { shown: secret, next: resolveId(newId).secret!, graceMs, renewal, stamps: store.actor }
    return this.#commits.change(
      resolved,
      options,
      (record, now) => rotateSecret(record, now, request),
      (made) => this.#commits.session<T>(newId, key, made.entry!),
    )
  }

  /** The data goes on under another handle, and the session under the old one ends. */
  async #succeed<T extends object>(
    id: string,
    options: WriteOptions,
    login?: (secret: string) => NonNullable<Parameters<Commits['succeed']>[3]>,
  ): Promise<Session<T>> {
    const { settings, store } = this.#runtime
    const resolved = resolveId(id)
    await this.#commits.sound(resolved.key)
    const newId = newSessionId(settings.ports.random)
    const next = resolveId(newId)
    const edits = (entry: Entry) => editsFor(store.viewOf(entry)!.data, this.#changes.dataOptions({}))
    return this.#commits.run(
      options,
      () => this.#commits.succeed(resolved, next, edits, login?.(next.secret!)),
      (made) => this.#commits.session<T>(newId, next.key, made.entry!),
    )
  }

  /** A login where the subject may have one more session; one that has begun counts. @throws SUBJECT_LIMIT */
  #withRoom<T>(subject: SubjectHash, key: SessionKey, login: () => Soon<T>): Soon<T> {
    const { maxPerSubject, atLimit } = this.#runtime.settings
    if (maxPerSubject === undefined || atLimit !== 'refuse') return login()
    return this.#ifRoom(subject, key, maxPerSubject, login)
  }

  async #ifRoom<T>(subject: SubjectHash, key: SessionKey, limit: number, login: () => Soon<T>): Promise<T> {
    const others = this.#underWay.get(subject) ?? new Set()
    const before = [...others]
    this.#underWay.set(subject, others.add(key))
    try {
      const shown = await this.#runtime.subjects.shownOf(subject)
      const taken = new Set([...before, ...shown.map((each) => each.key)])
      taken.delete(key)
      if (taken.size < limit) return await login()
      const why = `the subject has ${limit} sessions, and session.atLimit refuses more. End one of them first`
      throw new SojournError('SUBJECT_LIMIT', why, { limit })
    } finally {
      others.delete(key)
      if (others.size === 0) this.#underWay.delete(subject)
    }
  }

  async *sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    const { subjects, logins } = this.#runtime
    for (const shown of await subjects.shownOf(logins.hashOf(subject))) yield this.#listed(shown)
  }

  #listed(shown: Shown): SubjectSession {
    const { logins } = this.#runtime
    const { key: handle, lease, limit, authentication } = shown
    const { device, auth } = logins.shown(authentication)
    return {
      handle,
      ...(device !== undefined && { device }),
      createdAt: limit.createdAt,
      lastUsedAt: lease.stamp.time,
      expiresAt: expiresAt(shown),
      ...(auth && { auth }),
      region: logins.regionOf(authentication),
    }
  }

  async endHandle(handle: SessionKey, options: EndHandleOptions): Promise<EndReceipt> {
    checkHandle(handle)
    const reason = options.reason ?? DEFAULT_END_REASON
    return this.#acknowledged(options, (write, made) =>
      this.#ends.one(handle, reason, write, (commit) => made(commit.sequence, commit.decision.wasVisible ? 1 : 0)),
    )
  }

  async endOthers(id: string, options: EndHandleOptions): Promise<EndReceipt> {
    const resolved = resolveId(id)
    const entry = await this.#commits.sound(resolved.key)
    const now = this.#runtime.settings.ports.clock.now()
    if (!entry || !isVisible(entry.record, now) || !this.#commits.opens(resolved, entry.record, now))
      throw notFound().refusal
    const subject = entry.record.identity?.authentication?.subject
    return subject === undefined
      ? refuseOption('id', 'the session has no subject. Log the user in with `elevate` first')
      : this.#cut(subject, [resolved.key], options)
  }

  async endSubject(subject: string, options: EndSubjectOptions): Promise<EndReceipt> {
    const except = [...new Set(options.except ?? [])].sort()
    if (except.length > MAX_EXCEPT) refuseOption('except', `has ${except.length} handles. Give at most ${MAX_EXCEPT}`)
    return this.#cut(this.#runtime.logins.hashOf(subject), except, options)
  }

  async #cut(subject: SubjectHash, except: readonly SessionKey[], options: EndHandleOptions): Promise<EndReceipt> {
    const { subjects, store } = this.#runtime
    const reason = options.reason ?? DEFAULT_END_REASON
    const shown = await subjects.shownOf(subject)
    const { entry, ended } = this.#cutoffOf(subject, shown, except, reason)
    // A login that was stamped by a wrong clock is after any cutoff that other regions take.
    const ahead = shown.filter(
      ({ key, authentication }) => isFarAhead(authentication, entry.stamp.time) && !except.includes(key),
    )
    for (const { key } of ahead) await this.#ends.one(key, reason, { write: 'local' })
    const decide = (reading: Reading): Decided =>
      reading.state === 'corrupt'
        ? UNREADABLE
        : cutOff(reading.state === 'held' ? reading.record : undefined, subject, entry)
    return this.#acknowledged(options, (write, made) =>
      this.#commits.run(
        write,
        () => store.transact(cutoffKey(subject), decide),
        (commit) => made(commit.sequence, ended + ahead.length),
      ),
    )
  }

  /** A cutoff that is later than every login that is known here, whatever the clocks say; but for logins that no other region takes. */
  #cutoffOf(
    subject: SubjectHash,
    shown: readonly Shown[],
    except: readonly SessionKey[],
    reason: EndReason,
  ): { readonly entry: CutoffEntry; readonly ended: number } {
    const { settings, store, subjects } = this.#runtime
    const now = settings.ports.clock.now()
    const stamps: Stamp[] = [
      ...shown.map(({ authentication }) => authentication.stamp),
      ...(subjects.cutoffOf(subject)?.entries ?? []).map(({ stamp }) => stamp),
    ]
    const latest = stamps
      .filter((stamp) => !isFarAhead({ stamp }, now))
      .sort(compareStamps)
      .at(-1)
    const stamp = nextStamp(latest, now, store.actor)
    const exceptions = except.map((key) => ({
      key,
      since: shown.find((each) => each.key === key)?.authentication.stamp,
    }))
    const entry = { stamp, reason, except: exceptions, horizon: stamp.time + settings.maxLifetimeMs }
    const ended = shown.filter(({ key, authentication }) => {
      const identity = { authentication, credentials: undefined }
      return cutBy({ subject, entries: [entry] }, key, { identity })
    }).length
    return { entry, ended }
  }

  /**
   * Waits, within the call's timeout, for all regions that are linked; only the level that was asked for must be met.
   * @param end commits, and says at which sequence, and how many ended
   */
  async #acknowledged(
    options: EndHandleOptions,
    end: (write: WriteOptions, made: (sequence: number, ended: number) => void) => unknown,
  ): Promise<EndReceipt> {
    const { settings, links } = this.#runtime
    const asked = regionsNeeded(options.write ?? settings.write, settings.members, 'write')
    const linked = 1 + [...links].filter(({ isLive }) => isLive).length
    let [at, count] = [0, 0]
    try {
      await end({ ...options, write: Math.max(asked, linked) }, (sequence, ended) => {
        at = sequence
        count = ended
      })
    } catch (error) {
      if (!isSojournError(error, 'QUORUM_UNMET') || (error.got ?? 0) < asked) throw error
    }
    return { ended: count, regions: this.#regions(at) }
  }

  #regions(sequence: number): EndReceipt['regions'] {
    const { settings, writes } = this.#runtime
    const regions: Record<string, 'held' | 'pending'> = { [settings.region]: 'held' }
    for (const peer of settings.peers.keys()) regions[peer] = writes.ackedBy(peer) >= sequence ? 'held' : 'pending'
    return regions
  }
}

/**
 * Whether a login must go on under another handle. Under an id without a secret there is none to replace; no copy is remembered for longer than
 * its horizon; and whoever was given the handle of one subject's session, in a token, say, has not been given that of another's.
 */
const needsSuccessor = ({ secret }: ResolvedId, entry: Entry | undefined, subject: SubjectHash, deadline: number) => {
  if (secret === undefined) return true
  if (entry?.record.kind !== 'live') return false
  const { limit, identity } = entry.record
  const known = identity?.authentication?.subject
  return deadline > limit.horizon || (known !== undefined && known !== subject)
}
