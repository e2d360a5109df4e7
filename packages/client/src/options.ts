/** What can be set of a client: each option once, and the settings that come of them. */
import {
  type Clock,
  choiceRule,
  DURATION_RULE,
  FUNCTION_RULE,
  type GivenOf,
  group,
  isAddress,
  limit,
  listRule,
  type OptionRule,
  type Options,
  option,
  optional,
  optionTable,
  portRule,
  type Random,
  readOptions,
  refuseOption,
  type SettingsOf,
  secretOption,
  settingsReader,
  systemClock,
  systemRandom,
  tableRule,
  textRule,
  typedOption,
  wholeRule,
} from '@sojourn/core/internal'
import { CLIENT_DIALECT, MAX_TOKEN_BYTES, speechOf } from '@sojourn/wire'
import { type Dial, dialWebSocket, type TlsOptions } from './websocket.js'

const MB = 1024 * 1024

/** What became of the connection to a server. */
export interface LinkChange {
  readonly state: 'up' | 'down' | 'refused'
  readonly url: string
  /** Where it is known. */
  readonly region?: string
  /** Why it is down, or was refused: a code and a text. */
  readonly why?: string
}

const ADDRESS = textRule(
  "an address such as 'wss://sessions.eu.example.net:7401'",
  (url) => isAddress(url, /^wss?:$/) && new URL(url).hash === '',
)

/** A certificate or a key is no secret to its owner, but nothing that a log should have. */
const PEM = secretOption(
  typedOption<string | Buffer>('string | Buffer', {
    allowed: 'a text or bytes in PEM',
    takes: (value) => typeof value === 'string' || ArrayBuffer.isView(value),
  }),
)
const isPem = (value: unknown): boolean =>
  Array.isArray(value) ? value.every((each) => PEM.takes(each, '', '')) : PEM.takes(value, '', '')

const TLS_RULE = typedOption<TlsOptions>(
  'TlsOptions',
  tableRule(
    optionTable<TlsOptions>({
      ca: { ...PEM, allowed: 'a text or bytes in PEM, or an array of them', takes: isPem },
      cert: PEM,
      key: PEM,
      servername: textRule('the name that the certificate must have'),
    }),
  ),
)

const LIMITS = {
  maxInFlight: limit(
    4_096,
    'Calls that wait for an answer or a connection. One more is refused with OVERLOADED. A server may allow fewer',
  ),
  maxBufferedBytes: limit(
    16 * MB,
    'Bytes of requests that wait for the connection. A call beyond this is refused with OVERLOADED',
  ),
  targetFrameBytes: limit(
    1024,
    'Bytes of requests that the client puts into one frame. A low value lets the server answer early requests sooner',
  ),
  maxFrameBytes: limit(8 * MB, 'Bytes of one frame from a server'),
}

const NEAR_CACHE = {
  maxEntries: limit(10_000, 'Sessions kept'),
  maxBytes: limit(16 * MB, 'Bytes of their data, as JSON'),
  maxStale: option(
    DURATION_RULE,
    '2s',
    'How old a read from it can be at most; longer than `connection.heartbeat`. The server reports every change. By answering a ping it says that it has reported all before. What is kept is given out only while the last such ping was sent no longer ago than this',
  ),
}
const nearCacheTable = tableRule<GivenOf<typeof NEAR_CACHE>>(optionTable<Options>(NEAR_CACHE))
const NEAR_CACHE_RULE: OptionRule<boolean | GivenOf<typeof NEAR_CACHE>, SettingsOf<typeof NEAR_CACHE> | undefined> = {
  ...nearCacheTable,
  allowed: `true, false, or ${nearCacheTable.allowed}`,
  type: 'boolean | NearCacheOptions',
  takes: (value, option, owner) => typeof value === 'boolean' || nearCacheTable.takes(value, option, owner),
  read: (given) => (given === false ? undefined : readOptions(NEAR_CACHE, given === true ? {} : given)),
}

/** By the names of their types. */
export const CLIENT_OPTIONS = {
  NearCacheOptions: NEAR_CACHE,
  ClientOptions: {
    url: optional(ADDRESS, "The address of a server's client port, `ws://` or `wss://`. Give this or `urls`", 'none'),
    urls: optional(
      listRule(ADDRESS, { allowed: `an array of addresses, the nearest first: each ${ADDRESS.allowed}`, min: 1 }),
      'Addresses of several servers, the nearest first. The client uses the first that it reaches, and returns to a nearer one once it is back',
      'none',
    ),
    token: option(
      secretOption(
        textRule(`a text of at most ${MAX_TOKEN_BYTES} bytes`, (token) => Buffer.byteLength(token) <= MAX_TOKEN_BYTES),
      ),
      '',
      'Authenticates the client. Without one, only a server that allows anyone accepts it',
    ),
    timeout: option(
      DURATION_RULE,
      '5s',
      "How long a call may take, retries counted. A call's own `timeout` (how long the server waits for other regions) is added",
    ),
    connectTimeout: option(
      DURATION_RULE,
      '15s',
      'How long `connect` waits for a server to accept the client. A starting server first waits for its peers (`readyPeerWait`)',
    ),
    whenUnavailable: option(
      choiceRule(['fail', 'wait']),
      'fail',
      'What becomes of calls while no server can be reached. `fail`: once every address was tried, they fail at once with UNAVAILABLE, which says what each of them answered, until one is back. `wait`: they wait for one, as long as they may take. A write that was under way when its connection ended waits in either case: its server may know what became of it',
    ),
    nearCache: option(
      NEAR_CACHE_RULE,
      false,
      'Keeps sessions that were read until the server reports that they changed',
    ),
    connection: group({
      heartbeat: option(DURATION_RULE, '1s', 'How often the client pings the server'),
      timeout: option(
        DURATION_RULE,
        '3s',
        'How long a server may be silent, or take to connect, before the connection is closed. Longer than the heartbeat',
      ),
      maxReconnectDelay: option(
        DURATION_RULE,
        '5s',
        'The longest pause between attempts to connect. Each pause is a random part of it, at least half',
      ),
      failback: option(DURATION_RULE, '5s', 'How often the client tries a nearer server than the present one'),
      maxVersion: option(
        wholeRule(CLIENT_DIALECT.oldest, CLIENT_DIALECT.newest),
        CLIENT_DIALECT.newest,
        'The latest version of the client protocol to speak. Both sides speak the latest that both know',
      ),
    }),
    tls: option(
      TLS_RULE,
      {},
      'For `wss://`, the trusted authorities and the certificate of the client: `ca`, `cert`, `key`, `servername`',
    ),
    limits: group(LIMITS, 'Limits of the client', 'ClientLimits'),
    linkChanged: optional(
      typedOption<(change: LinkChange) => void>('(change: LinkChange) => void', FUNCTION_RULE),
      'The client calls it when a connection opens, ends or is refused. It may make calls',
      'none',
    ),
    ports: group({
      clock: optional(
        typedOption<Clock>('Clock', portRule('now', 'monotonic', 'after', 'soon', 'endOfTurn')),
        'Time and timers',
        "the system's",
      ),
      random: optional(typedOption<Random>('Random', portRule('bytes')), 'Entropy', "the system's"),
      dial: optional(typedOption<Dial>('Dial', FUNCTION_RULE), 'How connections are made', 'WebSockets'),
    }),
  },
}

/** Checked and complete; durations in milliseconds. */
export type Settings = Readonly<ReturnType<typeof resolveOptions>>

const read = settingsReader(CLIENT_OPTIONS.ClientOptions, 'connect')

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (given: GivenOf<typeof CLIENT_OPTIONS.ClientOptions>) => {
  const { url, urls, timeout, connectTimeout, connection, nearCache, ports, ...others } = read(given)
  if ((url === undefined) === (urls === undefined)) refuseOption('url', 'give either `url` or `urls`')
  if (connection.timeout <= connection.heartbeat)
    refuseOption(
      'connection.timeout',
      'must be longer than connection.heartbeat, because a shorter one closes every quiet connection',
    )
  if (nearCache && nearCache.maxStale <= connection.heartbeat)
    refuseOption(
      'nearCache.maxStale',
      'must be longer than connection.heartbeat, because a shorter one leaves the near cache unused',
    )
  return {
    urls: urls ?? [url!],
    ...others,
    linkChanged: others.linkChanged ?? (() => {}),
    timeoutMs: timeout,
    connectTimeoutMs: connectTimeout,
    nearCache: nearCache && {
      maxEntries: nearCache.maxEntries,
      maxBytes: nearCache.maxBytes,
      maxStaleMs: nearCache.maxStale,
    },
    heartbeatMs: connection.heartbeat,
    silenceMs: connection.timeout,
    maxReconnectDelayMs: connection.maxReconnectDelay,
    failbackMs: connection.failback,
    speech: speechOf(CLIENT_DIALECT, connection.maxVersion),
    clock: ports.clock ?? systemClock,
    random: ports.random ?? systemRandom,
    dial: ports.dial ?? dialWebSocket,
  }
}
