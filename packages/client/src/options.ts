/** What can be set of a client: the options, and the settings that come of them. */
import type { Clock, Duration, OptionRule, Random } from '@sojourn/core'
import {
  checkOptions,
  choiceRule,
  DURATION_RULE,
  FUNCTION_RULE,
  groupRule,
  limitsRule,
  listRule,
  optionTable,
  parseDuration,
  portRule,
  SojournError,
  secretOption,
  systemClock,
  systemRandom,
  textRule,
  wholeRule,
} from '@sojourn/core'
import { CLIENT_DIALECT, type Speech, speechOf } from '@sojourn/wire'
import { type Dial, dialWebSocket, type TlsOptions } from './websocket.js'

/** What is bounded of a client, and by how much. */
export interface ClientLimits {
  /** Calls that wait for an answer, or for a connection; one more is refused with OVERLOADED. A server may bear fewer. */
  readonly maxInFlight: number
  /** Bytes of requests that the connection has not taken; a call above that is refused with OVERLOADED. */
  readonly maxBufferedBytes: number
  /** Bytes of requests that are put into one frame before the next is begun. Few: the server answers the first while the rest are being made. */
  readonly targetFrameBytes: number
  /** Bytes of one frame from a server. */
  readonly maxFrameBytes: number
}

export const DEFAULT_LIMITS: ClientLimits = {
  maxInFlight: 4_096,
  maxBufferedBytes: 16 * 1024 * 1024,
  targetFrameBytes: 1024,
  maxFrameBytes: 8 * 1024 * 1024,
}

export interface NearCacheOptions {
  /** Sessions kept. Default 10,000. */
  readonly maxEntries?: number
  /** Bytes of their data, as JSON. Default 16 MB. */
  readonly maxBytes?: number
  /**
   * How old a read from it can be at most. The server tells of every change, and by answering a ping that it has told all before: what is kept
   * is given out only while the last such ping was sent no longer ago than this. Default 2s; longer than `connection.heartbeat`.
   */
  readonly maxStale?: Duration
}

/** What became of the connection to a server. */
export interface LinkChange {
  readonly state: 'up' | 'down' | 'refused'
  readonly url: string
  /** Where it is known. */
  readonly region?: string
  /** Why it is down, or was refused: a code and a text. */
  readonly why?: string
}

export interface ClientOptions {
  /** Address of a server's client port, `ws://` or `wss://`. This or `urls`. */
  readonly url?: string
  /** Addresses of several, the nearest first. The first that can be reached is used; a nearer one is gone back to when it is there again. */
  readonly urls?: readonly string[]
  /** Lets the client in. Default: none, which only a server that asks nobody takes. */
  readonly token?: string
  /**
   * How long a call may take, retries counted. Where a call has a `timeout` of its own (how long the server waits for other regions), that is
   * added. Default 5s.
   */
  readonly timeout?: Duration
  /** How long `connect` waits for a server to let the client in. Default 15s: a server that starts waits for its peers, 5s unless it is told otherwise. */
  readonly connectTimeout?: Duration
  /**
   * What becomes of calls while no server can be reached. `fail`: once every address was tried, they fail at once with UNAVAILABLE, which
   * says what each of them answered, until one is back. `wait`: they wait for one, as long as they may take. A write that was under way when
   * its connection ended waits in either case: its server may know what became of it. Default: `fail`.
   */
  readonly whenUnavailable?: 'fail' | 'wait'
  /** Keeps sessions that were read, until the server says that they changed. Default: false. */
  readonly nearCache?: boolean | NearCacheOptions
  readonly connection?: {
    /** How often the server is asked whether it is there. Default 1s. */
    readonly heartbeat?: Duration
    /** Silence after which a connection is given up, and how long one may take to stand. Default 3s. */
    readonly timeout?: Duration
    /** The longest pause between attempts to connect. Default 5s. */
    readonly maxReconnectDelay?: Duration
    /** How often a nearer server than the present one is tried. Default 5s. */
    readonly failback?: Duration
    /**
     * The latest version of the client protocol to speak. Both sides speak the latest that both know. Default: the latest of this build.
     */
    readonly maxVersion?: number
  }
  /** Of `wss://`: which authorities are trusted, and what the client shows for itself. */
  readonly tls?: TlsOptions
  readonly limits?: Partial<ClientLimits>
  /** Is told when a connection stands, ends or is refused. Calls can be made in it. */
  readonly linkChanged?: (change: LinkChange) => void
  readonly ports?: { readonly clock?: Clock; readonly random?: Random; readonly dial?: Dial }
}

export interface Settings {
  readonly urls: readonly string[]
  readonly token: string
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly whenUnavailable: 'fail' | 'wait'
  readonly nearCache:
    | { readonly maxEntries: number; readonly maxBytes: number; readonly maxStaleMs: number }
    | undefined
  readonly heartbeatMs: number
  readonly silenceMs: number
  readonly maxReconnectDelayMs: number
  readonly failbackMs: number
  readonly speech: Speech
  readonly tls: TlsOptions
  readonly limits: ClientLimits
  readonly linkChanged: (change: LinkChange) => void
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
}

const MAX_TOKEN_BYTES = 1_024
const isAddress = (url: string): boolean => {
  const { protocol, hash } = URL.canParse(url) ? new URL(url) : { protocol: '', hash: '' }
  return (protocol === 'ws:' || protocol === 'wss:') && hash === ''
}
const ADDRESS_ALLOWED = "an address such as 'wss://sessions.eu.example.net:7200'"
const ADDRESS = textRule(ADDRESS_ALLOWED, isAddress)

const NEAR_CACHE = groupRule<NearCacheOptions>({
  maxEntries: wholeRule(1),
  maxBytes: wholeRule(1),
  maxStale: DURATION_RULE,
})

/** A certificate or a key is no secret to its owner, but nothing that a log should have. */
const PEM: OptionRule = secretOption({
  allowed: 'a text or bytes in PEM',
  takes: (value) => typeof value === 'string' || ArrayBuffer.isView(value),
})

const TABLE = optionTable<ClientOptions>({
  url: ADDRESS,
  urls: listRule(`an array of addresses, the nearest first: each ${ADDRESS_ALLOWED}`, ADDRESS),
  token: secretOption(
    textRule(`a text of at most ${MAX_TOKEN_BYTES} bytes`, (token) => Buffer.byteLength(token) <= MAX_TOKEN_BYTES),
  ),
  timeout: DURATION_RULE,
  connectTimeout: DURATION_RULE,
  whenUnavailable: choiceRule(['fail', 'wait']),
  nearCache: {
    ...NEAR_CACHE,
    allowed: `true, false, or ${NEAR_CACHE.allowed}`,
    takes: (value, option, owner) => typeof value === 'boolean' || NEAR_CACHE.takes(value, option, owner),
  },
  connection: groupRule<NonNullable<ClientOptions['connection']>>({
    heartbeat: DURATION_RULE,
    timeout: DURATION_RULE,
    maxReconnectDelay: DURATION_RULE,
    failback: DURATION_RULE,
    maxVersion: wholeRule(CLIENT_DIALECT.oldest, CLIENT_DIALECT.newest),
  }),
  tls: groupRule<TlsOptions>({
    ca: { ...PEM, allowed: 'a text or bytes in PEM, or an array of them', takes: (value) => isPem(value) },
    cert: PEM,
    key: PEM,
    servername: textRule('the name that the certificate must have'),
  }),
  limits: limitsRule(DEFAULT_LIMITS),
  linkChanged: FUNCTION_RULE,
  ports: groupRule<NonNullable<ClientOptions['ports']>>({
    clock: portRule('now', 'monotonic', 'after', 'soon', 'endOfTurn'),
    random: portRule('bytes'),
    dial: FUNCTION_RULE,
  }),
})

const isPem = (value: unknown): boolean =>
  Array.isArray(value) ? value.every((each) => PEM.takes(each, '', '')) : PEM.takes(value, '', '')

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (options: ClientOptions): Settings => {
  checkOptions(options, TABLE, 'connect')
  const { url, urls, connection = {}, nearCache = false, ports = {} } = options
  if ((url === undefined) === (urls === undefined)) refuse('url', 'give either `url` or `urls`')
  const heartbeatMs = parseDuration(connection.heartbeat ?? '1s', 'connection.heartbeat')
  const silenceMs = parseDuration(connection.timeout ?? '3s', 'connection.timeout')
  if (silenceMs <= heartbeatMs)
    refuse('connection.timeout', 'must be longer than connection.heartbeat, or every quiet connection is given up')
  const {
    maxEntries = 10_000,
    maxBytes = 16 * 1024 * 1024,
    maxStale = '2s',
  } = nearCache === true ? {} : nearCache || {}
  const maxStaleMs = parseDuration(maxStale, 'nearCache.maxStale')
  if (nearCache && maxStaleMs <= heartbeatMs)
    refuse('nearCache.maxStale', 'must be longer than connection.heartbeat, or what is kept is hardly ever given out')
  return {
    urls: urls ?? [url!],
    token: options.token ?? '',
    timeoutMs: parseDuration(options.timeout ?? '5s', 'timeout'),
    connectTimeoutMs: parseDuration(options.connectTimeout ?? '15s', 'connectTimeout'),
    whenUnavailable: options.whenUnavailable ?? 'fail',
    nearCache: nearCache ? { maxEntries, maxBytes, maxStaleMs } : undefined,
    heartbeatMs,
    silenceMs,
    maxReconnectDelayMs: parseDuration(connection.maxReconnectDelay ?? '5s', 'connection.maxReconnectDelay'),
    failbackMs: parseDuration(connection.failback ?? '5s', 'connection.failback'),
    speech: speechOf(CLIENT_DIALECT, connection.maxVersion),
    tls: options.tls ?? {},
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    linkChanged: options.linkChanged ?? (() => {}),
    clock: ports.clock ?? systemClock,
    random: ports.random ?? systemRandom,
    dial: ports.dial ?? dialWebSocket,
  }
}
