import type { Clock, SojournError as Failure, Timer } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import type { Answer, ClientRequest, FailedAnswer } from '@sojourn/wire'
import { ByNumber } from './by-number.js'
import type { Channel } from './channel.js'
import { Told } from './told.js'

/** What becomes of a call whose connection ended before its answer came. */
export type Repeat =
  /** It is made again, wherever: it changes nothing, or the same again. */
  | 'anywhere'
  /** Again at the same server, which knows whether it was done before. At another one nobody knows. */
  | 'same server'
  /** Not: what it belongs to was on that connection. */
  | 'never'

interface Call {
  readonly number: number
  next: Call | undefined
  readonly request: ClientRequest
  /** What the caller gets of an answer. */
  readonly finish: Finish<unknown>
  readonly repeat: Repeat
  /** Monotonic. */
  readonly deadline: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** Where it was asked, and an answer may still come from. */
  channel: Channel | undefined
  /** The server that may have it, whether or not the channel stands. */
  server: string | undefined
}

export type Answered = Exclude<Answer, FailedAnswer>

/** Makes of an answer what the caller gets; at once, before anything is heard that the server said after it. */
export type Finish<T> = (answer: Answered, channel: Channel) => T

/** As many calls as an app makes at a time, or more. */
const SLOTS = 1_024

/** The number of a request that has none yet. */
export const UNNUMBERED = 0

/** Calls that wait for their answers: numbered, in that order, each until its deadline at the latest. */
export class Calls {
  readonly #clock: Clock
  readonly #calls = new ByNumber<Call>(SLOTS)
  #number = 0
  #timer: Timer | undefined
  /** When the timer fires. */
  #firesAt = Number.POSITIVE_INFINITY
  #repeated = 0

  constructor(clock: Clock) {
    this.#clock = clock
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
      }
      this.#calls.add(call)
      if (deadline < this.#firesAt) this.#arm(deadline)
      if (channel) this.#ask(call, channel)
    })
  }

  #ask(call: Call, channel: Channel): void {
    const bytes = textBytes(call.request)
    if (bytes > channel.maxTextBytes) {
      this.#fail(call, tooLarge(call, bytes, channel.maxTextBytes))
      return
    }
    call.channel = channel
    call.server = channel.welcome.server
    channel.waiting++
    channel.send(call.request)
  }

  answered(channel: Channel, answer: Answer): void {
    const call = this.#calls.get(answer.number)
    // It was given up; or it was asked again elsewhere, and this is the answer from before.
    if (call?.channel !== channel) return
    this.#calls.delete(call)
    channel.waiting--
    if (answer.type === 'failed') {
      call.reject(errorOf(answer))
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
    for (const call of this.#calls.all()) {
      if (call.channel) continue
      const isKnown = call.server === server && resumes !== undefined
      if (call.server === undefined || call.repeat === 'anywhere' || (call.repeat === 'same server' && isKnown)) {
        if (call.server !== undefined) this.#repeated++
        this.#ask(call, channel)
      } else this.#fail(call, lostOf(call, 'and the server that had it is out of reach, or has forgotten'))
    }
  }

  /** A channel ended: what was asked on it waits for the next. */
  lost(channel: Channel, why: string): void {
    for (const call of this.#calls.all()) {
      if (call.channel !== channel) continue
      call.channel = undefined
      if (call.repeat === 'never') this.#fail(call, lostOf(call, why))
    }
  }

  /** Fails what has been asked nowhere yet. */
  refuse(error: Failure): void {
    for (const call of this.#calls.all()) if (call.server === undefined) this.#fail(call, error)
  }

  close(error: Failure): void {
    for (const call of this.#calls.all())
      this.#fail(
        call,
        call.server === undefined || call.repeat === 'anywhere' ? error : lostOf(call, 'the client was closed'),
      )
    this.#timer?.cancel()
  }

  #fail(call: Call, error: Failure): void {
    this.#calls.delete(call)
    if (call.channel) call.channel.waiting--
    call.reject(error)
  }

  #arm(at: number): void {
    this.#timer?.cancel()
    this.#firesAt = at
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#expire())
  }

  /** One timer for all: calls are many, and nearly all are answered long before. */
  #expire(): void {
    const now = this.#clock.monotonic()
    let next = Number.POSITIVE_INFINITY
    for (const call of this.#calls.all())
      if (call.deadline <= now) this.#fail(call, this.#lateOf(call))
      else next = Math.min(next, call.deadline)
    this.#firesAt = Number.POSITIVE_INFINITY
    if (next < Number.POSITIVE_INFINITY) this.#arm(next)
  }

  #lateOf(call: Call): Failure {
    const { type } = call.request
    if (call.server === undefined) return new SojournError('UNAVAILABLE', `${type}: no server could be reached in time`)
    if (call.channel === undefined) return lostOf(call, 'and no server could be reached in time')
    return new SojournError('TIMEOUT', `${type}: the server did not answer in time`, indeterminate(call))
  }
}

const READS: readonly ClientRequest['type'][] = ['get', 'count', 'walk', 'step']

const indeterminate = ({ request }: Call) => (READS.includes(request.type) ? {} : { mayHaveApplied: true })

const lostOf = (call: Call, why: string): Failure =>
  new SojournError(
    'CONNECTION_LOST',
    `${call.request.type}: the connection ended before the answer came, ${why}`,
    indeterminate(call),
  )

/** Texts below this many characters fit into any frame. */
const SHORT_CHARS = 1_024

/** Bytes of the texts of a request that may be long. */
const textBytes = (request: ClientRequest): number => {
  const texts =
    request.type === 'create'
      ? [request.data]
      : request.type === 'patch'
        ? [request.patch]
        : request.type === 'replace'
          ? [request.base ?? '', request.next, ...request.counters]
          : request.type === 'increment'
            ? [request.path]
            : []
  let bytes = 0
  for (const text of texts) bytes += text.length < SHORT_CHARS ? text.length * 3 : Buffer.byteLength(text)
  return bytes
}

const tooLarge = ({ request }: Call, bytes: number, limit: number): Failure =>
  new SojournError('SESSION_TOO_LARGE', `${request.type}: the data has ${bytes} bytes, the server takes ${limit}`, {
    limit,
  })

/** The server's error, as if it had been thrown here. */
const errorOf = ({ code, message, details }: FailedAnswer): SojournError => {
  const { session, ...rest } = details
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return new SojournError(code, message, {
    ...known,
    ...(session && { session: new Told(session).session(session.id) }),
  })
}
