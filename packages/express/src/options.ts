/** What a `SojournStore` can be given: each option once, and the errors for what it cannot use. */
import {
  type Clock,
  DURATION_RULE,
  type GivenOf,
  option,
  optional,
  pointersRule,
  portRule,
  required,
  type SessionApi,
  SojournError,
  settingsReader,
  systemClock,
  typedOption,
} from '@sojourn/core/internal'

export type { SojournStoreOptions } from './options.generated.js'

const MIN_TIMEOUT_MS = 5_000
/** How much longer than the sessions themselves the store waits. */
const MARGIN_MS = 1_000

const USAGE = 'new SojournStore({ sessions: await openReplica({ … }) })'

const CALLS: readonly (keyof SessionApi)[] = ['create', 'get', 'replace', 'touch', 'end']

const SESSIONS = typedOption<SessionApi>('SessionApi', {
  ...portRule(...CALLS),
  allowed: `an open replica, or a client: ${USAGE}`,
})

export const STORE_OPTIONS = {
  sessions: required(
    SESSIONS,
    'An open replica, or another implementation of the session API. The adapter does not close it',
  ),
  counters: option(
    pointersRule('/views'),
    [],
    'JSON pointers of integer fields that count. Increments of concurrent requests add up',
  ),
  atomic: option(
    pointersRule('/user'),
    [],
    'JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. They add to those of `sessions`',
  ),
  timeout: optional(
    DURATION_RULE,
    'A call that takes longer fails with TIMEOUT',
    `${MIN_TIMEOUT_MS / 1_000}s, or a second more than \`sessions\` may take to say what is wrong (\`answersWithinMs\`): a client's UNAVAILABLE, or a replica's QUORUM_UNMET, says more`,
  ),
  clock: optional(
    typedOption<Clock>('Clock', { ...portRule('now', 'after'), allowed: 'a Clock of @sojourn/core' }),
    'Time and timers',
    "the system's",
  ),
}

const LIFETIME = "The middleware's cookie.maxAge says how long a session lives"
const OF_MIDDLEWARE = 'It is an option of the middleware'
const OPENED = 'Give `sessions`, which connect or openReplica opens'

const read = settingsReader(STORE_OPTIONS, 'SojournStore', {
  ttl: LIFETIME,
  maxAge: LIFETIME,
  cookie: OF_MIDDLEWARE,
  secret: OF_MIDDLEWARE,
  client: OPENED,
  session: OPENED,
  replica: 'Give it as `sessions`',
})

const defaultTimeoutMs = ({ answersWithinMs = 0 }: SessionApi): number =>
  Math.max(MIN_TIMEOUT_MS, answersWithinMs + MARGIN_MS)

const refuse = (what: string): never => {
  throw new SojournError('INVALID_OPTION', what, { option: 'sessions' })
}

/** @throws INVALID_OPTION, naming the option and what to do; INVALID_DATA (a counter that is no JSON pointer) */
export const checkOptions = (given: GivenOf<typeof STORE_OPTIONS>) => {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse(`SojournStore needs the option sessions: ${USAGE}`)
  if (typeof (given as { readonly then?: unknown }).then === 'function')
    return refuse(`SojournStore got a promise. Await the replica: ${USAGE}`)
  if (SESSIONS.takes(given, 'options', 'SojournStore'))
    return refuse(`SojournStore got the replica itself. Give it as sessions: ${USAGE}`)
  const { sessions, counters, atomic, timeout, clock = systemClock } = read(given)
  return {
    sessions,
    counters,
    atomic,
    timeoutMs: timeout ?? defaultTimeoutMs(sessions),
    clock,
  }
}
