/** The session API, answered by a server over the network. */
import type {
  AnyData,
  CreateOptions,
  Data,
  ElevateOptions,
  EndHandleOptions,
  EndOptions,
  EndReceipt,
  EndSubjectOptions,
  Lifetimes,
  ReadOptions,
  ReplaceOptions,
  RotateOptions,
  Session,
  SessionApi,
  SessionKey,
  StoredSession,
  SubjectSession,
  TouchOptions,
  Update,
  UpdateOptions,
} from '@sojourn/core/internal'
import {
  assignedIn,
  checkCall,
  checkId,
  checkIncrement,
  checkPointer,
  checkTop,
  optionalDuration,
  runDraft,
  SojournError,
  tokensIn,
} from '@sojourn/core/internal'
import { type ClientRequest, encodeData, MAX_ASSIGNED, MAX_COUNTERS, type ReplaceChoices } from '@sojourn/wire'
import { countedIn, foundIn, madeIn, pageIn, unexpected } from './answers.js'
import { UNNUMBERED } from './calls.js'
import { endChoices, loginChoices, objectChoices, pointersIn, updateChoices, writeChoices } from './choices.js'
import { checkData, difference } from './difference.js'
import { IdentityCalls } from './identity-calls.js'
import type { Settings } from './options.js'
import { scan } from './scan.js'
import { SessionSnapshot, tokenFor } from './session-snapshot.js'
import { type ClientStatus, Uplink } from './uplink.js'

/**
 * The session API, answered by a server over the network.
 * @example
 * const sessions = await connect({ url: 'ws://127.0.0.1:7401', token })
 * const { id } = await sessions.create({ user: 'ada' })
 */
export class Client implements SessionApi, AsyncDisposable {
  readonly #settings: Settings
  readonly #uplink: Uplink
  readonly #identity: IdentityCalls

  /** @internal Use `connect`. */
  constructor(settings: Settings) {
    this.#settings = settings
    this.#uplink = new Uplink(settings)
    this.#identity = new IdentityCalls(this.#uplink)
  }

  lifetimes(): Lifetimes {
    return this.#uplink.lifetimes
  }

  /** @internal Resolves when a server has let the client in. @throws UNAVAILABLE, TOKEN_REFUSED, LINK_VERSION */
  ready(): Promise<void> {
    return this.#uplink.ready()
  }

  /** As `timeout` says. */
  get answersWithinMs(): number {
    return this.#settings.timeoutMs
  }

  async create<T extends object = Data>(data: T, options: CreateOptions = {}): Promise<Session<T>> {
    checkCall('create', options)
    const id = options.id === undefined ? undefined : checkId(options.id)
    const { subject } = options
    const choices = {
      ...writeChoices(options),
      ...objectChoices(options),
      ...loginChoices(options),
      subject,
      id,
      idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
      maxLifetimeMs: optionalDuration(options.maxLifetime, 'maxLifetime'),
    }
    const packed = encodeData(checkData(data))
    const request = { type: 'create', number: UNNUMBERED, data: packed, choices } as const
    const deadline = this.#uplink.deadline(choices.timeoutMs)
    return this.#uplink.call(request, 'same server', deadline, (answer) => madeIn<T>(answer, id))
  }

  get<T extends object = AnyData>(id: string, options: ReadOptions = {}): Promise<Session<T> | undefined> {
    try {
      checkId(id)
      checkCall('get', options)
      const { read, after } = options
      const timeoutMs = optionalDuration(options.timeout, 'timeout')
      const deadline = this.#uplink.deadline(timeoutMs)
      return this.#uplink.read(id, { read, timeoutMs, after }, deadline, (snapshot) => snapshot?.session<T>(id))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * A draft function is run here, on what the server holds, and what it changed is sent with what it was changed from: fields that
   * others write meanwhile stay. Unlike in an embedded replica others can write between the two, so what a function makes of a field's
   * value it may make of an old one: count with `increment`.
   */
  async update<T extends object = AnyData>(
    id: string,
    update: Update<T>,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkId(id)
    checkCall('update', options)
    const choices = updateChoices(options)
    const deadline = this.#uplink.deadline(choices.timeoutMs)
    if (typeof update !== 'function') {
      const patch = encodeData(checkData(checkTop(update)))
      const more = { ...choices, ...objectChoices(options) }
      return this.#found<T>(id, { type: 'patch', number: UNNUMBERED, id, patch, choices: more }, deadline)
    }
    const read = await this.#uplink.read(id, { read: 'local' }, deadline, (snapshot) => snapshot)
    if (read === undefined) throw new SojournError('SESSION_NOT_FOUND', 'no live session has this id here')
    const { next, isAssigned } = runDraft(read.data, update)
    const more = { ...choices, ...objectChoices({ ...options, assigned: assignedIn(read.data, next, isAssigned) }) }
    return this.#replace<T>(id, read.data, next, [], more, deadline)
  }

  async replace<T extends object = AnyData>(id: string, next: T, options: ReplaceOptions = {}): Promise<Session<T>> {
    checkId(id)
    checkCall('replace', options)
    const counters = pointersIn('counters', options.counters ?? [], MAX_COUNTERS)
    const choices = updateChoices(options)
    const deadline = this.#uplink.deadline(choices.timeoutMs)
    const more = { ...choices, ...objectChoices(options) }
    return this.#replace<T>(id, options.base, checkTop(next), counters, more, deadline)
  }

  #replace<T extends object>(
    id: string,
    base: unknown,
    next: object,
    counters: readonly string[],
    choices: ReplaceChoices,
    deadline: number,
  ): Promise<Session<T>> {
    const whole = new Set([
      ...(choices.assigned ?? []),
      ...(choices.atomic ?? []),
      ...(this.#uplink.lifetimes.atomic ?? []),
    ])
    const written = base === undefined || base === null ? { next: checkData(next) } : difference(base, next, whole)
    const within = 'base' in written ? tokensIn(base as object, written.base, tokenFor).slice(0, MAX_ASSIGNED) : []
    return this.#found<T>(
      id,
      {
        type: 'replace',
        number: UNNUMBERED,
        id,
        base: 'base' in written ? encodeData(written.base) : undefined,
        next: encodeData(written.next),
        counters,
        choices: {
          ...choices,
          ...(within.length > 0 && { within: within.map(([path, object]) => ({ path, object })) }),
        },
      },
      deadline,
    )
  }

  async increment<T extends object = AnyData>(
    id: string,
    path: string,
    by = 1,
    options: UpdateOptions = {},
  ): Promise<Session<T>> {
    checkId(id)
    checkPointer(path)
    checkIncrement(by)
    checkCall('increment', options)
    const choices = updateChoices(options)
    return this.#found<T>(
      id,
      { type: 'increment', number: UNNUMBERED, id, path, by, choices },
      this.#uplink.deadline(choices.timeoutMs),
    )
  }

  async touch<T extends object = AnyData>(id: string, options: TouchOptions = {}): Promise<Session<T> | undefined> {
    checkId(id)
    checkCall('touch', options)
    const choices = { ...writeChoices(options), idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout') }
    const request = { type: 'touch', number: UNNUMBERED, id, choices } as const
    return this.#uplink.call(request, 'anywhere', this.#uplink.deadline(choices.timeoutMs), (answer) =>
      foundIn(answer)?.session<T>(id),
    )
  }

  async end(id: string, options: EndOptions = {}): Promise<boolean> {
    checkId(id)
    checkCall('end', options)
    const choices = endChoices(options)
    const request = { type: 'end', number: UNNUMBERED, id, choices } as const
    return (await this.#uplink.call(request, 'anywhere', this.#uplink.deadline(choices.timeoutMs), countedIn)) === 1
  }

  async elevate<T extends object = AnyData>(id: string, options: ElevateOptions): Promise<Session<T>> {
    return this.#identity.elevate<T>(id, options)
  }

  async rotate<T extends object = AnyData>(id: string, options: RotateOptions = {}): Promise<Session<T>> {
    return this.#identity.rotate<T>(id, options)
  }

  sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    return this.#identity.sessionsOf(subject)
  }

  async isLive(handle: SessionKey): Promise<boolean> {
    return this.#identity.isLive(handle)
  }

  async endHandle(handle: SessionKey, options: EndHandleOptions = {}): Promise<EndReceipt> {
    return this.#identity.endHandle(handle, options)
  }

  async endOthers(id: string, options: EndHandleOptions = {}): Promise<EndReceipt> {
    return this.#identity.endOthers(id, options)
  }

  async endSubject(subject: string, options: EndSubjectOptions = {}): Promise<EndReceipt> {
    return this.#identity.endSubject(subject, options)
  }

  async *sessions(): AsyncIterable<StoredSession> {
    const begin = { type: 'scan', number: UNNUMBERED } as const
    const all = scan(this.#uplink, { name: 'sessions', begin, step: 'step', pageIn })
    for await (const { key, createdAt, expiresAt, data } of all) {
      const snapshot = new SessionSnapshot({ data, objects: [], createdAt, expiresAt })
      yield { key, data: snapshot.data, createdAt, expiresAt }
    }
  }

  async count(): Promise<number> {
    return this.#uplink.call({ type: 'count', number: UNNUMBERED }, 'anywhere', this.#uplink.deadline(), countedIn)
  }

  async endAll(options: EndOptions = {}): Promise<number> {
    checkCall('endAll', options)
    const choices = endChoices(options)
    const request = { type: 'endAll', number: UNNUMBERED, choices } as const
    return this.#uplink.call(request, 'same server', this.#uplink.deadline(choices.timeoutMs), countedIn)
  }

  status(): ClientStatus {
    return this.#uplink.status
  }

  #found<T extends object>(id: string, request: ClientRequest, deadline: number): Promise<Session<T>> {
    return this.#uplink.call(request, 'same server', deadline, (answer) => {
      const snapshot = foundIn(answer)
      if (snapshot === undefined) throw unexpected(answer)
      return snapshot.session<T>(id)
    })
  }

  /** Ends the connection. Calls that wait for an answer are refused with CLIENT_CLOSED, or, where they may have been done, CONNECTION_LOST. */
  async close(): Promise<void> {
    this.#uplink.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
