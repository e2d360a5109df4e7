/** The calls of a client that wait for answers: until when, and what is asked again where. */
import type { Clock, SojournError as Failure, Timer } from '@sojourn/core/internal'
import { quoted, SojournError } from '@sojourn/core/internal'
import {
  type Answer,
  type ClientRequest,
  dataBytes,
  type FailedAnswer,
  speaksOfIdentity,
  speaksOfObjects,
  withoutObjects,
} from '@sojourn/wire'
import { ByNumber } from './by-number.js'
import type { Channel } from './channel.js'
import { SessionSnapshot } from './session-snapshot.js'

/** What becomes of a call whose connection ended before its answer came. */
export type Repeat =
  /** It is made again, wherever: it changes nothing, or the same again. */
  | 'anywhere'
  /** Again at the same server, which knows whether it was done before. At another one nobody knows. */
  | 'same server'
  /** Not: what it belongs to was on that connection. */
  | 'never'

interface Call {
  number: number
  next: Call | undefined
  readonly request: ClientRequest
  /** What the caller gets of an answer. */
  readonly finish: Finish<unknown>
  readonly repeat: Repeat
  /** Monotonic. Of a call that {@link LASTS}, later for as long as its server is there. */
  deadline: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** Where it was asked, and an answer may still come from. */
  channel: Channel | undefined
  /** The server that may have it, whether or not the channel stands. */
  server: string | undefined
  /** It was asked at another server before, which may have done it: what this one refuses may be done all the same. */
  wasElsewhere: boolean
  /** How many channels on which it was asked ended with a frame that one side refused. */
  faults: number
}

export type Answered = Exclude<Answer, FailedAnswer>

/** Makes of an answer what the caller gets; at once, before anything is heard that the server said after it. */
export type Finish<T> = (answer: Answered, channel: Channel) => T

/** What takes as long as it gets on: the server answers as soon as it does not, and the client waits for as long as the server is there. */
const LASTS: ReadonlySet<ClientRequest['type']> = new Set(['endAll'])

/** A call on which so many channels ended by a refused frame is given up: it may be the one. */
const MAX_FAULTS = 3

/** As many calls as an app makes at a time, or more. */
const SLOTS = 1_024

/** The number of a request that has none yet. */
export const UNNUMBERED = 0

export interface CallsOptions {
  readonly clock: Clock
  /** How long a call may take, milliseconds. */
  readonly timeoutMs: number
  /** The error for a call that could be asked nowhere. */
  readonly unavailable: (how: string) => Failure
}

/** Calls that wait for their answers: numbered, in that order, each until its deadline at the latest. */
export class Calls {
  readonly #clock: Clock
  readonly #timeoutMs: number
  /** Why no server is there. */
  readonly #unavailable: (how: string) => Failure
  readonly #calls = new ByNumber<Call>(SLOTS)
  #number = 0
  #timer: Timer | undefined
  /** When the timer fires. */
  #firesAt = Number.POSITIVE_INFINITY
  #repeated = 0

  constructor({ clock, timeoutMs, unavailable }: CallsOptions) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#unavailable = unavailable
  }

  get size(): number {
    return this.#calls.size
  }

  /** How many were asked again. */
  get repeated(): number {
    return this.#repeated
  }

  /** Every call with a number below it is over. */
  get settled(): number {
    return this.#calls.oldest
  }

  /** @param channel where to ask; undefined: as soon as there is one */
  begin<T>(
    request: ClientRequest,
    repeat: Repeat,
    deadline: number,
    channel: Channel | undefined,
    finish: Finish<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const number = ++this.#number
      ;(request as { number: number }).number = number
      const call: Call = {
        number,
        next: undefined,
        request,
        finish,
        repeat,
        deadline,
        resolve: resolve as (value: unknown) => void,
        reject,
        channel: undefined,
        server: undefined,
        wasElsewhere: false,
        faults: 0,
      }
      this.#calls.add(call)
      if (deadline < this.#firesAt) this.#arm(deadline)
      // A caller waits: the process must not end before it is answered.
      else if (this.#calls.size === 1) this.#timer?.hold()
      if (channel) this.#ask(call, channel)
    })
  }

  #ask(call: Call, channel: Channel): void {
    const bytes = dataBytes(call.request)
    if (bytes > channel.maxDataBytes) {
      this.#fail(call, tooLarge(call, bytes, channel.maxDataBytes))
      return
    }
    if (speaksOfIdentity(call.request) && !channel.can('identity')) {
      this.#fail(call, unknownTo(call, channel))
      return
    }
    call.channel = channel
    call.server = channel.welcome.server
    channel.waiting++
    const { request } = call
    channel.send(speaksOfObjects(request) && !channel.can('objects') ? withoutObjects(request) : request)
  }

  answered(channel: Channel, answer: Answer): void {
    const call = this.#calls.get(answer.number)
    // It was given up; or it was asked again elsewhere, and this is the answer from before.
    if (call?.channel !== channel) return
    this.#remove(call)
    if (answer.type === 'failed') {
      call.reject(errorOf(answer, call.wasElsewhere && !isRead(call)))
      return
    }
    try {
      call.resolve(call.finish(answer, channel))
    } catch (error) {
      call.reject(error)
    }
  }

  /** A channel stands: asks what waits for one, in the order of the numbers. */
  resume(channel: Channel): void {
    const { server, resumes } = channel.welcome
    const fromElsewhere: Call[] = []
    for (const call of this.#calls.all()) {
      if (call.channel) continue
      const isKnown = call.server === server && resumes !== undefined
      if (call.server === undefined || (call.repeat !== 'never' && isKnown)) {
        if (call.server !== undefined) this.#repeated++
        this.#ask(call, channel)
      } else if (call.repeat === 'anywhere') fromElsewhere.push(call)
      else this.#fail(call, lostOf(call, 'and its server is unreachable or no longer has the answer'))
    }
    // This server may have had higher numbers, and would take these for what it has forgotten: they get new ones.
    for (const call of fromElsewhere) {
      this.#repeated++
      call.wasElsewhere = true
      this.#renumber(call)
      this.#ask(call, channel)
    }
  }

  #renumber(call: Call): void {
    this.#calls.delete(call)
    call.number = ++this.#number
    ;(call.request as { number: number }).number = call.number
    this.#calls.add(call)
  }

  /** A channel ended: what was asked on it waits for the next. */
  lost(channel: Channel, why: string): void {
    // One side sent what the other does not take. Whatever did that does it again.
    const isFault = why.startsWith('FRAME_')
    for (const call of this.#calls.all()) {
      if (call.channel !== channel) continue
      call.channel = undefined
      if (LASTS.has(call.request.type)) call.deadline = this.#clock.monotonic() + this.#timeoutMs
      if (isFault) call.faults++
      if (call.repeat === 'never' || call.faults === MAX_FAULTS) this.#fail(call, lostOf(call, why))
    }
  }

  /**
   * No server is there: fails what has been asked nowhere yet.
   * @param reads whether to fail reads, too, that wait to be asked again
   */
  refuse(error: Failure, reads: boolean): void {
    for (const call of this.#calls.all()) {
      if (call.server === undefined || (reads && call.channel === undefined && isRead(call))) this.#fail(call, error)
    }
  }

  close(error: Failure): void {
    for (const call of this.#calls.all())
      this.#fail(call, call.server === undefined || isRead(call) ? error : lostOf(call, 'the client was closed'))
    this.#timer?.cancel()
  }

  #fail(call: Call, error: Failure): void {
    this.#remove(call)
    call.reject(error)
  }

  #remove(call: Call): void {
    this.#calls.delete(call)
    if (call.channel) call.channel.waiting--
    if (this.#calls.size === 0) this.#timer?.release()
  }

  #arm(at: number): void {
    this.#timer?.cancel()
    this.#firesAt = at
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#expire())
    this.#timer.hold()
  }

  /** One timer for all: calls are many, and nearly all are answered long before. */
  #expire(): void {
    const now = this.#clock.monotonic()
    let next = Number.POSITIVE_INFINITY
    for (const call of this.#calls.all()) {
      // Its server answers pings, or the channel would have ended.
      if (call.deadline <= now && call.channel && LASTS.has(call.request.type)) call.deadline = now + this.#timeoutMs
      if (call.deadline <= now) this.#fail(call, this.#lateOf(call))
      else next = Math.min(next, call.deadline)
    }
    this.#firesAt = Number.POSITIVE_INFINITY
    if (next < Number.POSITIVE_INFINITY) this.#arm(next)
  }

  #lateOf(call: Call): Failure {
    const { type } = call.request
    if (call.server === undefined || (call.channel === undefined && isRead(call)))
      return this.#unavailable(` in time for ${type}`)
    if (call.channel === undefined) return lostOf(call, 'and the client reached no server in time')
    return new SojournError('TIMEOUT', `${type}: the server did not answer in time`, indeterminate(call))
  }
}

const READS: readonly ClientRequest['type'][] = ['get', 'count', 'scan', 'step', 'isLive', 'sessionsOf', 'stepOf']

const isRead = ({ request }: Call): boolean => READS.includes(request.type)

const indeterminate = (call: Call) => (isRead(call) ? {} : { mayHaveApplied: true })

const lostOf = (call: Call, why: string): Failure =>
  new SojournError(
    'CONNECTION_LOST',
    `${call.request.type}: the connection ended before the answer came, ${why}`,
    indeterminate(call),
  )

const tooLarge = ({ request }: Call, bytes: number, limit: number): Failure =>
  new SojournError(
    'SESSION_TOO_LARGE',
    `${request.type}: the data has ${bytes} bytes, and the server takes at most ${limit}`,
    {
      limit,
    },
  )

/** What an older server would not understand is not asked there: left out, it would be done otherwise than the caller wants. */
const unknownTo = (call: Call, { welcome }: Channel): Failure => {
  const { type } = call.request
  const why = `the server in ${quoted(welcome.region)} speaks version ${welcome.version} of the client protocol`
  return new SojournError(
    'LINK_VERSION',
    `${type}: ${why}, which has no subjects, handles or graces. Upgrade the server to a version that has them`,
    call.wasElsewhere ? indeterminate(call) : {},
  )
}

/**
 * The server's error, as if it had been thrown here.
 * @param mayHaveApplied whatever the server says of that
 */
const errorOf = ({ code, message, details }: FailedAnswer, mayHaveApplied: boolean): SojournError => {
  const { session, who, ...rest } = details
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return new SojournError(code, message, {
    ...known,
    ...(mayHaveApplied && { mayHaveApplied }),
    ...(session && { session: new SessionSnapshot(who ? { ...session, who } : session).session(session.id) }),
  })
}
