/** What a `SojournStore` can be given, and the errors for what it cannot use. */
import {
  type Clock,
  checkPointer,
  type Duration,
  nearestName,
  parseDuration,
  type SessionApi,
  SojournError,
  systemClock,
} from '@sojourn/core/internal'

export interface SojournStoreOptions {
  /** An open replica, or anything else that offers the session API. Closing it stays with who opened it. */
  readonly sessions: SessionApi
  /** JSON pointers of integer fields that are counted with: what concurrent requests add to them adds up. Default: none. */
  readonly counters?: readonly string[]
  /**
   * JSON pointers of objects that are one value, as arrays are, such as ['/user']: of concurrent edits anywhere inside of one, one wins.
   * Beside those that the sessions' store is set to. Default: none.
   */
  readonly atomic?: readonly string[]
  /**
   * A call that takes longer is given up with TIMEOUT. Default: 5s, or a second more than `sessions` may take to say what is wrong
   * (`answersWithinMs`): a client's UNAVAILABLE, or a replica's QUORUM_UNMET, says more.
   */
  readonly timeout?: Duration
  /** Default: the system's. */
  readonly clock?: Clock
}

export interface StoreSettings {
  readonly sessions: SessionApi
  readonly counters: readonly string[]
  readonly atomic: readonly string[]
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Milliseconds. */
const MIN_TIMEOUT_MS = 5_000
/** How much longer than the sessions themselves the store waits. */
const MARGIN_MS = 1_000

const defaultTimeoutMs = ({ answersWithinMs = 0 }: SessionApi): number =>
  Math.max(MIN_TIMEOUT_MS, answersWithinMs + MARGIN_MS)

const NAMES: readonly string[] = ['sessions', 'counters', 'atomic', 'timeout', 'clock']

/** What other stores call by a name that is none here. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['ttl', "the middleware's cookie.maxAge says how long a session lives"],
  ['maxAge', "the middleware's cookie.maxAge says how long a session lives"],
  ['cookie', 'it is an option of the middleware'],
  ['secret', 'it is an option of the middleware'],
  ['client', 'give `sessions`, which connect or openReplica opens'],
  ['replica', 'give it as `sessions`'],
  ['session', 'give `sessions`, which connect or openReplica opens'],
])

const USAGE = 'new SojournStore({ sessions: await openReplica({ … }) })'

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', what, { option })
}

/** @throws INVALID_OPTION, naming the option and what to do; INVALID_DATA (a counter that is no JSON pointer) */
export const checkOptions = (given: unknown): StoreSettings => {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse('sessions', `SojournStore needs sessions to keep: ${USAGE}`)
  if (isPromise(given)) return refuse('sessions', `SojournStore was given a promise; await the replica: ${USAGE}`)
  if (isSessionApi(given)) return refuse('sessions', `SojournStore was given the replica itself; name it: ${USAGE}`)
  for (const name of Object.keys(given))
    if (!NAMES.includes(name)) {
      const near = nearestName(name, NAMES)
      const hint = ELSEWHERE.get(name) ?? (near && `did you mean ${near}?`)
      refuse(name, `${name} is no option of SojournStore${hint ? `: ${hint}` : ''}; there are ${NAMES.join(', ')}`)
    }
  const { sessions, counters = [], atomic = [], timeout, clock = systemClock } = given as SojournStoreOptions
  checkSessions(sessions)
  if (!Array.isArray(counters)) refuse('counters', "counters: give an array of JSON pointers, such as ['/views']")
  if (!Array.isArray(atomic)) refuse('atomic', "atomic: give an array of JSON pointers, such as ['/user']")
  if (typeof clock?.now !== 'function' || typeof clock.after !== 'function')
    refuse('clock', 'clock: give a Clock of @sojourn/core')
  const timeoutMs = parseDuration(timeout ?? defaultTimeoutMs(sessions), 'timeout')
  return { sessions, counters: counters.map(checkPointer), atomic: atomic.map(checkPointer), timeoutMs, clock }
}

const checkSessions = (sessions: unknown): void => {
  if (isSessionApi(sessions)) return
  if (sessions === undefined || sessions === null)
    refuse('sessions', `sessions is not set; give an open replica, or a client: ${USAGE}`)
  if (isPromise(sessions))
    refuse('sessions', `sessions is a promise; await the replica before the store is made: ${USAGE}`)
  refuse('sessions', `sessions is no replica and no client; give one that is open: ${USAGE}`)
}

const isPromise = (value: unknown): boolean =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'

const CALLS: readonly (keyof SessionApi)[] = ['create', 'get', 'replace', 'touch', 'end']

const isSessionApi = (value: unknown): value is SessionApi =>
  typeof value === 'object' &&
  value !== null &&
  CALLS.every((name) => typeof (value as SessionApi)[name] === 'function')
