/** The settings of a replica: what comes of its options, and what these do not allow each other. */
import {
  checkOption,
  type Duration,
  type GivenOf,
  limitsFault,
  optionalDuration,
  refuseOption,
  regionsNeeded,
  SojournError,
  settingsReader,
  systemClock,
  systemRandom,
} from '@sojourn/core/internal'
import { TlsFiles } from '@sojourn/net'
import { levelEngine, SealedEngine } from '@sojourn/store'
import { hostOfRegion, LINK_DIALECT, speechOf } from '@sojourn/wire'
import { ENCRYPTION_RULE, MIN_SECRET_CHARS, PEERS_RULE, REPLICA_OPTIONS } from './option-table.js'
import { checkPatience } from './patience.js'
import { bindingFaults, tlsFaults } from './tls-options.js'
import { TrustedClock } from './trusted-clock.js'
import { type WebSocketOptions, webSocketTransport } from './websocket.js'

export type { Ports, ReplicaOptions } from './options.generated.js'

type Given = GivenOf<typeof REPLICA_OPTIONS>

/** Checked and complete; durations in milliseconds. */
export type Settings = Readonly<ReturnType<typeof resolveOptions>>

const read = settingsReader(REPLICA_OPTIONS, 'openReplica')

const HOSTLESS = 'tls.bindRegion makes no host name of it. Name it with lower-case letters, digits and hyphens'

/** @throws INVALID_OPTION where a region cannot be added under this name and address */
export const checkPeer = (
  settings: Pick<Settings, 'region' | 'secret' | 'certificates'>,
  region: string,
  url: string | null,
): void => {
  checkOption({ [region]: url }, 'peers', PEERS_RULE, 'addPeer')
  if (region === settings.region) refuseOption(`peers.${region}`, 'a region is not its own peer')
  if (settings.secret === '') refuseOption('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters`)
  const hostOf = settings.certificates?.transport.hostOf
  if (hostOf && hostOf(region) === undefined) refuseOption(`peers.${region}`, HOSTLESS)
}

/** @throws INVALID_OPTION where the levels that are set as defaults ask for more regions than would be left */
export const checkRemoval = ({ members, read, write }: Settings): void => {
  regionsNeeded(read, members - 1, 'consistency.read')
  regionsNeeded(write, members - 1, 'consistency.write')
}

/** @throws INVALID_OPTION where the store is in the clear, or the key ring is none */
export const checkRekey = ({ ports }: Settings, encryption: unknown): void => {
  if (encryption !== undefined) checkOption(encryption, 'encryption', ENCRYPTION_RULE, 'rekey')
  if (ports.storage.seal === undefined)
    refuseOption(
      'encryption',
      'the store is in the clear, so it has no key to replace. Take a backup, and restore it with keys',
    )
}

/** @throws INVALID_OPTION where an idle timeout that was asked for could never pass, because the session is gone before */
const idleTimeoutOf = (
  given: Given,
  { idleTimeout, maxLifetime }: { idleTimeout: number; maxLifetime: number },
): number => {
  if (idleTimeout <= maxLifetime) return idleTimeout
  if (given.session?.idleTimeout === undefined) return maxLifetime
  return refuseOption(
    'session.idleTimeout',
    `is ${idleTimeout} ms, longer than session.maxLifetime, ${maxLifetime} ms. Shorten it, or give a longer session.maxLifetime`,
  )
}

/** The lifetime that a call asks for, milliseconds. @throws INVALID_OPTION where that is longer than the store's */
export const lifetimeOf = ({ maxLifetimeMs }: Pick<Settings, 'maxLifetimeMs'>, asked: Duration | undefined): number => {
  const lifetimeMs = optionalDuration(asked, 'maxLifetime') ?? maxLifetimeMs
  if (lifetimeMs <= maxLifetimeMs) return lifetimeMs
  return refuseOption(
    'maxLifetime',
    `is ${lifetimeMs} ms. Give at most the store's session.maxLifetime, ${maxLifetimeMs} ms. Regions remember an ended id for that time`,
  )
}

type Tls = NonNullable<ReturnType<typeof read>['tls']>

/** Certificates of links, with how often their files are looked at. */
interface Certificates {
  readonly files: TlsFiles
  readonly reloadIntervalMs: number
  readonly transport: WebSocketOptions
}

/** @throws INVALID_OPTION, also where a file cannot be used */
const certificatesOf = (tls: Tls, region: string, peers: Iterable<string>): Certificates => {
  const { bindRegion, reloadInterval } = tls
  const [fault] = [...tlsFaults(tls, 'tls'), ...bindingFaults(tls, [region, ...peers], 'tls.bindRegion')]
  if (fault !== undefined) throw new SojournError('INVALID_OPTION', fault, { option: 'tls' })
  const hostOf = bindRegion === undefined ? undefined : (peer: string) => hostOfRegion(bindRegion, peer)
  const files = new TlsFiles('tls', tls, hostOf?.(region))
  return { files, reloadIntervalMs: reloadInterval, transport: { tls: files, hostOf } }
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (given: Given) => {
  const { listen, session, consistency, links, limits, ports, tls, ...others } = read(given)
  const { region, secret, maxClockSkew, purgeGrace } = others
  const peers = new Map(Object.entries(others.peers))
  if (peers.has(region)) refuseOption(`peers.${region}`, 'a region is not its own peer. Name it in `region` only')
  if ((listen || peers.size > 0) && secret === undefined)
    refuseOption('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters, the same in all regions`)
  const members = peers.size + 1
  regionsNeeded(consistency.read, members, 'consistency.read')
  regionsNeeded(consistency.write, members, 'consistency.write')
  checkPatience(consistency.timeout, limits.maxTimeoutMs, 'consistency.timeout')
  const sizes = limitsFault(limits)
  if (sizes) refuseOption(sizes.option, sizes.what)
  if (links.timeout <= links.heartbeat)
    refuseOption('links.timeout', 'must be longer than links.heartbeat, because a shorter one closes every quiet link')
  if (tls && ports.transport) refuseOption('tls', 'the transport in ports.transport does not use it. Give one of them')
  const { clock = systemClock, random = systemRandom, storage = levelEngine } = ports
  const certificates = tls && certificatesOf(tls, region, peers.keys())
  return {
    region,
    location: others.location,
    listen,
    /** Changes when a region is added or removed. */
    peers,
    /** All regions, this one included. */
    get members() {
      return peers.size + 1
    },
    secret: secret ?? '',
    certificates,
    idleTimeoutMs: idleTimeoutOf(given, session),
    maxLifetimeMs: session.maxLifetime,
    /** Undefined: the default, a share of each session's idle timeout. */
    touchGranularityMs: session.touchGranularity,
    atomic: new Set(session.atomic),
    /** Undefined: any number. */
    maxPerSubject: session.maxPerSubject,
    atLimit: session.atLimit,
    /** Undefined: there are no subjects. */
    subjectKey: others.subjectKey ?? secret,
    reuse: others.reuse,
    read: consistency.read,
    write: consistency.write,
    timeoutMs: consistency.timeout,
    fsync: others.fsync,
    maxClockSkewMs: maxClockSkew,
    purgeGraceMs: purgeGrace,
    heartbeatMs: links.heartbeat,
    linkTimeoutMs: links.timeout,
    maxReconnectDelayMs: links.maxReconnectDelay,
    digestIntervalMs: links.digestInterval,
    speech: speechOf(LINK_DIALECT, links.maxVersion),
    limits,
    ports: {
      clock: new TrustedClock({
        clock,
        maxSkewMs: maxClockSkew,
        isPeer: (name) => peers.has(name),
        peerCount: () => peers.size,
      }),
      random,
      storage: new SealedEngine(storage, { encryption: others.encryption, random }),
      transport: ports.transport ?? webSocketTransport(clock, certificates?.transport),
    },
  }
}
