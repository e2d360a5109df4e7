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
    'An open replica, or anything else that offers the session API. Closing it stays with who opened it',
  ),
  counters: option(
    pointersRule('/views'),
    [],
    'JSON pointers of integer fields that are counted with: what concurrent requests add to them adds up',
  ),
  atomic: option(
    pointersRule('/user'),
    [],
    'JSON pointers of objects that are one value, as arrays are: of concurrent edits anywhere inside of one, one wins. Beside those that `sessions` is set to',
  ),
  timeout: optional(
    DURATION_RULE,
    'A call that takes longer is given up with TIMEOUT',
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
    return refuse(`SojournStore needs sessions to keep: ${USAGE}`)
  if (typeof (given as { readonly then?: unknown }).then === 'function')
    return refuse(`SojournStore was given a promise; await the replica: ${USAGE}`)
  if (SESSIONS.takes(given, 'options', 'SojournStore'))
    return refuse(`SojournStore was given the replica itself; name it: ${USAGE}`)
  const { sessions, counters, atomic, timeout, clock = systemClock } = read(given)
  return {
    sessions,
    counters,
    atomic,
    timeoutMs: timeout ?? defaultTimeoutMs(sessions),
    clock,
  }
}
