/** Logins, new ids, and ends of other sessions than the caller's, asked of a server. */
import type {
  ElevateOptions,
  EndHandleOptions,
  EndReceipt,
  EndSubjectOptions,
  RotateOptions,
  Session,
  SessionKey,
  SubjectSession,
} from '@sojourn/core/internal'
import {
  checkCall,
  checkHandle,
  checkId,
  checkOption,
  MAX_EXCEPT,
  optionalDuration,
  parseDuration,
  SojournError,
  SUBJECT_RULE,
} from '@sojourn/core/internal'
import type { ClientRequest } from '@sojourn/wire'
import { countedIn, madeIn, receiptIn, subjectPageIn } from './answers.js'
import { UNNUMBERED } from './calls.js'
import { endChoices, loginChoices, writeChoices } from './choices.js'
import { scan } from './scan.js'
import { authOf } from './session-snapshot.js'
import type { Uplink } from './uplink.js'

export class IdentityCalls {
  readonly #uplink: Uplink

  constructor(uplink: Uplink) {
    this.#uplink = uplink
  }

  elevate<T extends object>(id: string, options: ElevateOptions): Promise<Session<T>> {
    checkId(id)
    checkCall('elevate', options)
    const { subject } = options
    const choices = {
      ...writeChoices(options),
      ...loginChoices(options),
      idleTimeoutMs: optionalDuration(options.idleTimeout, 'idleTimeout'),
      maxLifetimeMs: optionalDuration(options.maxLifetime, 'maxLifetime'),
    }
    return this.#renewed<T>({ type: 'elevate', number: UNNUMBERED, id, subject, choices }, choices.timeoutMs)
  }

  rotate<T extends object>(id: string, options: RotateOptions): Promise<Session<T>> {
    checkId(id)
    checkCall('rotate', options)
    const { grace } = options
    // Zero is what is done where nothing is said, by servers of all versions.
    const graceMs = grace === undefined || grace === 0 ? undefined : parseDuration(grace, 'grace')
    const choices = { ...writeChoices(options), graceMs }
    return this.#renewed<T>({ type: 'rotate', number: UNNUMBERED, id, choices }, choices.timeoutMs)
  }

  /** Done twice, the id that the caller gets would not be the only new one; or the old one would be refused as reused. */
  #renewed<T extends object>(request: ClientRequest, timeoutMs: number | undefined): Promise<Session<T>> {
    return this.#uplink.call(request, 'same server', this.#uplink.deadline(timeoutMs), (answer) => madeIn<T>(answer))
  }

  async *sessionsOf(subject: string): AsyncIterable<SubjectSession> {
    checkOption(subject, 'subject', SUBJECT_RULE)
    const begin = { type: 'sessionsOf', number: UNNUMBERED, subject } as const
    const all = scan(this.#uplink, { name: 'sessionsOf', begin, step: 'stepOf', pageIn: subjectPageIn })
    for await (const { handle, createdAt, lastUsedAt, expiresAt, more } of all) {
      const { device, auth, region } = more
      yield {
        handle,
        ...(device !== undefined && { device }),
        createdAt,
        lastUsedAt,
        expiresAt,
        ...(auth && { auth: authOf(auth) }),
        ...(region !== undefined && { region }),
      }
    }
  }

  async isLive(handle: SessionKey): Promise<boolean> {
    checkHandle(handle)
    const request = { type: 'isLive', number: UNNUMBERED, handle } as const
    return (await this.#uplink.call(request, 'anywhere', this.#uplink.deadline(), countedIn)) === 1
  }

  endHandle(handle: SessionKey, options: EndHandleOptions): Promise<EndReceipt> {
    checkHandle(handle)
    checkCall('endHandle', options)
    const choices = endChoices(options)
    return this.#ended({ type: 'endHandle', number: UNNUMBERED, handle, choices }, choices.timeoutMs)
  }

  endOthers(id: string, options: EndHandleOptions): Promise<EndReceipt> {
    checkId(id)
    checkCall('endOthers', options)
    const choices = endChoices(options)
    return this.#ended({ type: 'endOthers', number: UNNUMBERED, id, choices }, choices.timeoutMs)
  }

  endSubject(subject: string, options: EndSubjectOptions): Promise<EndReceipt> {
    checkOption(subject, 'subject', SUBJECT_RULE)
    checkCall('endSubject', options)
    const except = options.except === undefined ? undefined : [...new Set(options.except)]
    if (except !== undefined && except.length > MAX_EXCEPT)
      throw new SojournError('INVALID_OPTION', `except: has ${except.length} handles. Give at most ${MAX_EXCEPT}`, {
        option: 'except',
      })
    const choices = { ...endChoices(options), except }
    return this.#ended({ type: 'endSubject', number: UNNUMBERED, subject, choices }, choices.timeoutMs)
  }

  /** That it is done matters more than that it is done once. Another server than the first counts what it ended itself. */
  #ended(request: ClientRequest, timeoutMs: number | undefined): Promise<EndReceipt> {
    return this.#uplink.call(request, 'anywhere', this.#uplink.deadline(timeoutMs), receiptIn)
  }
}
