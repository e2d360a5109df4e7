/** What can be set of a replica: the options, and the settings that come of them. */
import type { Clock, Level, Lifetimes, Limits, OptionRule, Random, StorageEngine, Transport } from '@sojourn/core'
import {
  checkOption,
  checkOptions,
  choiceRule,
  DEFAULT_LIMITS,
  DURATION_OR_ZERO_RULE,
  DURATION_RULE,
  type Duration,
  groupRule,
  LEVEL_RULE,
  limitsRule,
  MAX_MAP_DEPTH,
  optionalDuration,
  optionTable,
  parseDuration,
  pointersRule,
  portRule,
  regionsNeeded,
  requiredOption,
  SojournError,
  secretOption,
  systemClock,
  systemRandom,
  textRule,
  wholeRule,
} from '@sojourn/core'
import { type Fsync, levelEngine } from '@sojourn/store'
import { isRegionName, LINK_DIALECT, REGION_NAMES, type Speech, speechOf } from '@sojourn/wire'
import { checkPatience } from './patience.js'
import { TrustedClock } from './trusted-clock.js'
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
  /** A directory for this replica alone, made where it is missing: a journal, and rows in LevelDB; `':memory:'` keeps nothing. */
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
    /**
     * Without use, a session is gone after this, and at most `touchGranularity` later. At most `maxLifetime`. Default 30m, or
     * `maxLifetime` where that is shorter.
     */
    readonly idleTimeout?: Duration
    /** Whatever happens, a session is gone after this. The same in all regions. Default 30d. */
    readonly maxLifetime?: Duration
    /**
     * A use that would move a session's deadline by less than this is not written. Each renewal that is written reaches so much further,
     * so no session expires early, and one may live that much longer than its idle timeout. At most the idle timeout counts.
     * 0: exact, and every use is written. Default: a twentieth of the session's idle timeout (90 s of 30 m).
     */
    readonly touchGranularity?: Duration | undefined
    /**
     * JSON pointers of objects that are one value, as arrays are, such as ['/user']: of concurrent edits anywhere inside of one, one wins. The
     * same in all regions. Default: none.
     */
    readonly atomic?: readonly string[] | undefined
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
    /** How often sums over ranges of keys are compared with a peer whose records differ. Default 1s. */
    readonly digestInterval?: Duration
    /**
     * The latest version of the link protocol to speak. Two sides speak the latest that both know, so it is for trying an upgrade out, and for going
     * back from one: set it before the upgrade, and leave it out when all regions are upgraded. Default: the latest of this build.
     */
    readonly maxVersion?: number
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
  /** Undefined: the default, a share of each session's idle timeout. */
  readonly touchGranularityMs: number | undefined
  readonly atomic: ReadonlySet<string>
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
  readonly speech: Speech
  readonly limits: Limits
  readonly ports: Ports & { readonly clock: TrustedClock }
}

const MIN_SECRET_CHARS = 16
const MAX_SHOWN_NAME_CHARS = 64
const DEFAULT_IDLE_TIMEOUT = '30m'
const DEFAULT_MAX_LIFETIME = '30d'

const isLinkUrl = (url: string): boolean => URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol)

const REGION: OptionRule = textRule(REGION_NAMES, isRegionName)
const PEER: OptionRule = {
  allowed: "an address such as 'ws://127.0.0.1:7102', or null for a region that is not dialled from here",
  takes: (value) => value === null || (typeof value === 'string' && isLinkUrl(value)),
}
const PEERS: OptionRule = {
  allowed: "an object of region names and addresses, such as { us: 'wss://sessions.us.example.net:7400' }",
  takes: (value, option, owner) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    for (const [name, url] of Object.entries(value)) {
      checkOption(name, `${option}.${name.slice(0, MAX_SHOWN_NAME_CHARS)}`, REGION, owner)
      checkOption(url, `${option}.${name}`, PEER, owner)
    }
    return true
  },
}

const TABLE = optionTable<ReplicaOptions>({
  region: requiredOption(REGION),
  location: requiredOption(textRule("the path of a directory, or ':memory:'")),
  listen: groupRule<NonNullable<ReplicaOptions['listen']>>({
    host: textRule('a host name or an IP address of this machine'),
    port: requiredOption(wholeRule(0, 65_535)),
  }),
  peers: PEERS,
  secret: secretOption(textRule(`at least ${MIN_SECRET_CHARS} characters`, (text) => text.length >= MIN_SECRET_CHARS)),
  session: groupRule<NonNullable<ReplicaOptions['session']>>({
    idleTimeout: DURATION_RULE,
    maxLifetime: DURATION_RULE,
    touchGranularity: DURATION_OR_ZERO_RULE,
    atomic: pointersRule('/user'),
  }),
  consistency: groupRule<NonNullable<ReplicaOptions['consistency']>>({
    read: LEVEL_RULE,
    write: LEVEL_RULE,
    timeout: DURATION_RULE,
  }),
  fsync: choiceRule(['always', 'everysec', 'never'] satisfies Fsync[]),
  maxClockSkew: DURATION_RULE,
  purgeGrace: DURATION_RULE,
  links: groupRule<NonNullable<ReplicaOptions['links']>>({
    heartbeat: DURATION_RULE,
    timeout: DURATION_RULE,
    maxReconnectDelay: DURATION_RULE,
    digestInterval: DURATION_RULE,
    maxVersion: wholeRule(LINK_DIALECT.oldest, LINK_DIALECT.newest),
  }),
  limits: limitsRule(DEFAULT_LIMITS),
  ports: groupRule<Ports>({
    clock: portRule('now', 'monotonic', 'after', 'soon', 'endOfTurn'),
    random: portRule('bytes'),
    storage: portRule('open'),
    transport: portRule('dial', 'listen'),
  }),
})

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** @throws INVALID_OPTION where a region cannot be added under this name and address */
export const checkPeer = (settings: Settings, region: string, url: string | null): void => {
  checkOption({ [region]: url }, 'peers', PEERS, 'addPeer')
  if (region === settings.region) refuse(`peers.${region}`, 'a region is not its own peer')
  if (settings.secret === '') refuse('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters`)
}

/** @throws INVALID_OPTION where the levels that are set as defaults ask for more regions than would be left */
export const checkRemoval = ({ members, read, write }: Settings): void => {
  regionsNeeded(read, members - 1, 'consistency.read')
  regionsNeeded(write, members - 1, 'consistency.write')
}

/** @throws INVALID_OPTION where an idle timeout that was asked for could never pass, because the session is gone before */
const lifetimesOf = ({ idleTimeout, maxLifetime }: NonNullable<ReplicaOptions['session']>): Lifetimes => {
  const maxLifetimeMs = parseDuration(maxLifetime ?? DEFAULT_MAX_LIFETIME, 'session.maxLifetime')
  if (idleTimeout === undefined)
    return {
      idleTimeoutMs: Math.min(parseDuration(DEFAULT_IDLE_TIMEOUT, 'session.idleTimeout'), maxLifetimeMs),
      maxLifetimeMs,
    }
  const idleTimeoutMs = parseDuration(idleTimeout, 'session.idleTimeout')
  if (idleTimeoutMs > maxLifetimeMs)
    refuse(
      'session.idleTimeout',
      `is ${idleTimeoutMs} ms, longer than session.maxLifetime, ${maxLifetimeMs} ms, which ends every session; shorten it, or give a longer session.maxLifetime`,
    )
  return { idleTimeoutMs, maxLifetimeMs }
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (options: ReplicaOptions): Settings => {
  checkOptions(options, TABLE, 'openReplica')
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
  const { idleTimeoutMs, maxLifetimeMs } = lifetimesOf(session)
  const maxClockSkewMs = parseDuration(options.maxClockSkew ?? '5s', 'maxClockSkew')
  const settings: Settings = {
    region,
    location,
    listen: listen && { host: listen.host ?? '127.0.0.1', port: listen.port },
    peers,
    get members() {
      return peers.size + 1
    },
    secret: options.secret ?? '',
    idleTimeoutMs,
    maxLifetimeMs,
    touchGranularityMs:
      session.touchGranularity === 0 ? 0 : optionalDuration(session.touchGranularity, 'session.touchGranularity'),
    atomic: new Set(session.atomic),
    read,
    write,
    timeoutMs: parseDuration(timeout, 'consistency.timeout'),
    fsync: options.fsync ?? 'everysec',
    maxClockSkewMs,
    purgeGraceMs: parseDuration(options.purgeGrace ?? '1m', 'purgeGrace'),
    heartbeatMs: parseDuration(links.heartbeat ?? '1s', 'links.heartbeat'),
    linkTimeoutMs: parseDuration(links.timeout ?? '5s', 'links.timeout'),
    maxReconnectDelayMs: parseDuration(links.maxReconnectDelay ?? '5s', 'links.maxReconnectDelay'),
    digestIntervalMs: parseDuration(links.digestInterval ?? '1s', 'links.digestInterval'),
    speech: speechOf(LINK_DIALECT, links.maxVersion),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    ports: {
      clock: new TrustedClock({
        clock,
        maxSkewMs: maxClockSkewMs,
        isPeer: (name) => peers.has(name),
        peerCount: () => peers.size,
      }),
      random: options.ports?.random ?? systemRandom,
      storage: options.ports?.storage ?? levelEngine,
      transport: options.ports?.transport ?? webSocketTransport(clock),
    },
  }
  checkPatience(settings.timeoutMs, settings.limits.maxTimeoutMs, 'consistency.timeout')
  if (settings.limits.maxDepth > MAX_MAP_DEPTH)
    refuse('limits.maxDepth', `must be ${MAX_MAP_DEPTH} at most: what nests deeper, no region reads`)
  if (settings.linkTimeoutMs <= settings.heartbeatMs)
    refuse('links.timeout', 'must be longer than links.heartbeat, or every quiet link is given up')
  return settings
}
