import type { Clock, Level, Limits, Random, StorageEngine, Transport } from '@sojourn/core'
import {
  DEFAULT_LIMITS,
  type Duration,
  parseDuration,
  regionsNeeded,
  SojournError,
  systemClock,
  systemRandom,
} from '@sojourn/core'
import { type Fsync, levelEngine } from '@sojourn/store'
import { MAX_REGION_BYTES } from '@sojourn/wire'
import { z } from 'zod'
import { checkPatience } from './patience.js'
import { webSocketTransport } from './websocket.js'

/** Where the world plugs in; see @sojourn/core `ports.ts`. */
export interface Ports {
  readonly clock: Clock
  readonly random: Random
  readonly storage: StorageEngine
  readonly transport: Transport
}

export interface ReplicaOptions {
  /** The name of this region, 1 to 64 bytes. */
  readonly region: string
  /** A LevelDB directory, made where it is missing; `':memory:'` keeps nothing. */
  readonly location: string
  /** Where links from peers are accepted. Port 0 picks a free one; `replica.address` tells. Default: nowhere. */
  readonly listen?: { readonly host?: string; readonly port: number } | undefined
  /**
   * Every other region, by name, with the address of its replica (`ws://` or `wss://`). `null`: a region that is a member, but
   * is not dialled from here. All members count in majorities.
   */
  readonly peers?: { readonly [region: string]: string | null }
  /** At least 16 characters, the same in all regions. Needed as soon as there are links. */
  readonly secret?: string | undefined
  readonly session?: {
    /** Without use, a session is gone after this. Default 30m. */
    readonly idleTimeout?: Duration
    /** Whatever happens, a session is gone after this. The same in all regions. Default 12h. */
    readonly maxLifetime?: Duration
  }
  readonly consistency?: {
    /** Default local. */
    readonly read?: Level
    /** Default local. */
    readonly write?: Level
    /** How long a call waits for other regions. Default 1s. */
    readonly timeout?: Duration
  }
  /** Default everysec. */
  readonly fsync?: Fsync
  /** How far a peer's clock may be off before its link is refused. Default 5s. */
  readonly maxClockSkew?: Duration
  /** How long a record stays on the disk after it expired, for renewals that are still under way. Default 1m. */
  readonly purgeGrace?: Duration
  readonly links?: {
    /** Default 1s. */
    readonly heartbeat?: Duration
    /** Silence after which a link is given up. Default 5s. */
    readonly timeout?: Duration
    /** The longest pause between attempts to dial. Default 5s. */
    readonly maxReconnectDelay?: Duration
    /** How often a 256th of the keys is compared with each peer. Default 5s. */
    readonly digestInterval?: Duration
  }
  readonly limits?: Partial<Limits>
  readonly ports?: Partial<Ports>
}

export interface Settings {
  readonly region: string
  readonly location: string
  readonly listen: { readonly host: string; readonly port: number } | undefined
  /** Changes when a region is added or removed. */
  readonly peers: Map<string, string | null>
  /** All regions, this one included. */
  readonly members: number
  readonly secret: string
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly read: Level
  readonly write: Level
  readonly timeoutMs: number
  readonly fsync: Fsync
  readonly maxClockSkewMs: number
  readonly purgeGraceMs: number
  readonly heartbeatMs: number
  readonly linkTimeoutMs: number
  readonly maxReconnectDelayMs: number
  readonly digestIntervalMs: number
  readonly limits: Limits
  readonly ports: Ports
}

const MIN_SECRET_CHARS = 16

const regionName = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= MAX_REGION_BYTES, `at most ${MAX_REGION_BYTES} bytes`)
const linkUrl = z.string().refine((url) => URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol), {
  message: "an address such as 'ws://127.0.0.1:7102'",
})
const duration = z.union([z.number(), z.string()])
const level = z.union([z.enum(['local', 'majority', 'all']), z.int().min(1)])
const limits = z.strictObject(
  Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, z.int().min(1).optional()])),
)

const schema = z.strictObject({
  region: regionName,
  location: z.string().min(1),
  listen: z.strictObject({ host: z.string().min(1).optional(), port: z.int().min(0).max(65_535) }).optional(),
  peers: z.record(regionName, z.union([linkUrl, z.null()])).optional(),
  secret: z.string().min(MIN_SECRET_CHARS).optional(),
  session: z.strictObject({ idleTimeout: duration.optional(), maxLifetime: duration.optional() }).optional(),
  consistency: z
    .strictObject({ read: level.optional(), write: level.optional(), timeout: duration.optional() })
    .optional(),
  fsync: z.enum(['always', 'everysec', 'never']).optional(),
  maxClockSkew: duration.optional(),
  purgeGrace: duration.optional(),
  links: z
    .strictObject({
      heartbeat: duration.optional(),
      timeout: duration.optional(),
      maxReconnectDelay: duration.optional(),
      digestInterval: duration.optional(),
    })
    .optional(),
  limits: limits.optional(),
  ports: z.looseObject({}).optional(),
})

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** @throws INVALID_OPTION where a region cannot be added under this name and address */
export const checkPeer = (settings: Settings, region: string, url: string | null): void => {
  const parsed = z.strictObject({ region: regionName, url: z.union([linkUrl, z.null()]) }).safeParse({ region, url })
  if (!parsed.success) refuse(`peers.${region}`, parsed.error.issues[0]!.message)
  if (region === settings.region) refuse(`peers.${region}`, 'a region is not its own peer')
  if (settings.secret === '') refuse('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters`)
}

/** @throws INVALID_OPTION where the levels that are set as defaults ask for more regions than would be left */
export const checkRemoval = ({ members, read, write }: Settings): void => {
  regionsNeeded(read, members - 1, 'consistency.read')
  regionsNeeded(write, members - 1, 'consistency.write')
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (options: ReplicaOptions): Settings => {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path
    refuse(keys.length === 0 ? 'options' : keys.map(String).join('.'), issue.message)
  }
  const { region, location, listen, session = {}, consistency = {}, links = {} } = options
  const peers = new Map(Object.entries(options.peers ?? {}))
  if (peers.has(region)) refuse(`peers.${region}`, 'a region is not its own peer; name it in `region` only')
  if ((listen || peers.size > 0) && options.secret === undefined)
    refuse('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters, the same in all regions`)
  const members = peers.size + 1
  const { read = 'local', write = 'local', timeout = '1s' } = consistency
  regionsNeeded(read, members, 'consistency.read')
  regionsNeeded(write, members, 'consistency.write')
  const clock = options.ports?.clock ?? systemClock
  const settings: Settings = {
    region,
    location,
    listen: listen && { host: listen.host ?? '127.0.0.1', port: listen.port },
    peers,
    get members() {
      return peers.size + 1
    },
    secret: options.secret ?? '',
    idleTimeoutMs: parseDuration(session.idleTimeout ?? '30m', 'session.idleTimeout'),
    maxLifetimeMs: parseDuration(session.maxLifetime ?? '12h', 'session.maxLifetime'),
    read,
    write,
    timeoutMs: parseDuration(timeout, 'consistency.timeout'),
    fsync: options.fsync ?? 'everysec',
    maxClockSkewMs: parseDuration(options.maxClockSkew ?? '5s', 'maxClockSkew'),
    purgeGraceMs: parseDuration(options.purgeGrace ?? '1m', 'purgeGrace'),
    heartbeatMs: parseDuration(links.heartbeat ?? '1s', 'links.heartbeat'),
    linkTimeoutMs: parseDuration(links.timeout ?? '5s', 'links.timeout'),
    maxReconnectDelayMs: parseDuration(links.maxReconnectDelay ?? '5s', 'links.maxReconnectDelay'),
    digestIntervalMs: parseDuration(links.digestInterval ?? '5s', 'links.digestInterval'),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    ports: {
      clock,
      random: options.ports?.random ?? systemRandom,
      storage: options.ports?.storage ?? levelEngine,
      transport: options.ports?.transport ?? webSocketTransport(clock),
    },
  }
  checkPatience(settings.timeoutMs, settings.limits.maxTimeoutMs, 'consistency.timeout')
  if (settings.linkTimeoutMs <= settings.heartbeatMs)
    refuse('links.timeout', 'must be longer than links.heartbeat, or every quiet link is given up')
  return settings
}
