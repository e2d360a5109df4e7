import type { Clock, Duration, Random } from '@sojourn/core'
import { parseDuration, SojournError, systemClock, systemRandom } from '@sojourn/core'
import { z } from 'zod'
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
  readonly tls: TlsOptions
  readonly limits: ClientLimits
  readonly linkChanged: (change: LinkChange) => void
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
}

const MAX_TOKEN_BYTES = 1_024
const duration = z.union([z.number(), z.string()])
const count = z.int().min(1)
const isAddress = (url: string): boolean => {
  const { protocol, hash } = URL.canParse(url) ? new URL(url) : { protocol: '', hash: '' }
  return (protocol === 'ws:' || protocol === 'wss:') && hash === ''
}
const address = z.string().refine(isAddress, {
  message: "an address such as 'wss://sessions.eu.example.net:7200'",
})

const schema = z.strictObject({
  url: address.optional(),
  urls: z.array(address).min(1).optional(),
  token: z
    .string()
    .refine((token) => Buffer.byteLength(token) <= MAX_TOKEN_BYTES, `at most ${MAX_TOKEN_BYTES} bytes`)
    .optional(),
  timeout: duration.optional(),
  connectTimeout: duration.optional(),
  whenUnavailable: z.enum(['fail', 'wait']).optional(),
  nearCache: z
    .union([
      z.boolean(),
      z.strictObject({ maxEntries: count.optional(), maxBytes: count.optional(), maxStale: duration.optional() }),
    ])
    .optional(),
  connection: z
    .strictObject({
      heartbeat: duration.optional(),
      timeout: duration.optional(),
      maxReconnectDelay: duration.optional(),
      failback: duration.optional(),
    })
    .optional(),
  tls: z.looseObject({}).optional(),
  limits: z
    .strictObject(Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, count.optional()])))
    .optional(),
  linkChanged: z.custom((value) => typeof value === 'function', 'a function').optional(),
  ports: z.looseObject({}).optional(),
})

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (options: ClientOptions): Settings => {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path
    refuse(keys.length === 0 ? 'options' : keys.map(String).join('.'), issue.message)
  }
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
    tls: options.tls ?? {},
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    linkChanged: options.linkChanged ?? (() => {}),
    clock: ports.clock ?? systemClock,
    random: ports.random ?? systemRandom,
    dial: ports.dial ?? dialWebSocket,
  }
}
