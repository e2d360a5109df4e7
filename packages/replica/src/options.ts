/** The settings of a replica: what comes of its options, and what these do not allow each other. */
import {
  checkOption,
  type GivenOf,
  regionsNeeded,
  SojournError,
  settingsReader,
  systemClock,
  systemRandom,
} from '@sojourn/core/internal'
import { levelEngine, SealedEngine } from '@sojourn/store'
import { LINK_DIALECT, speechOf } from '@sojourn/wire'
import { ENCRYPTION_RULE, MIN_SECRET_CHARS, PEERS_RULE, REPLICA_OPTIONS } from './option-table.js'
import { checkPatience } from './patience.js'
import { TrustedClock } from './trusted-clock.js'
import { webSocketTransport } from './websocket.js'

export type { Ports, ReplicaOptions } from './options.generated.js'

type Given = GivenOf<typeof REPLICA_OPTIONS>

/** Checked and complete; durations in milliseconds. */
export type Settings = Readonly<ReturnType<typeof resolveOptions>>

const read = settingsReader(REPLICA_OPTIONS, 'openReplica')

const refuse = (option: string, what: string): never => {
  throw new SojournError('INVALID_OPTION', `${option}: ${what}`, { option })
}

/** @throws INVALID_OPTION where a region cannot be added under this name and address */
export const checkPeer = (settings: Pick<Settings, 'region' | 'secret'>, region: string, url: string | null): void => {
  checkOption({ [region]: url }, 'peers', PEERS_RULE, 'addPeer')
  if (region === settings.region) refuse(`peers.${region}`, 'a region is not its own peer')
  if (settings.secret === '') refuse('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters`)
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
    refuse(
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
  return refuse(
    'session.idleTimeout',
    `is ${idleTimeout} ms, longer than session.maxLifetime, ${maxLifetime} ms. Shorten it, or give a longer session.maxLifetime`,
  )
}

/** @throws INVALID_OPTION, naming the option */
export const resolveOptions = (given: Given) => {
  const { listen, session, consistency, links, limits, ports, ...others } = read(given)
  const { region, secret, maxClockSkew, purgeGrace } = others
  const peers = new Map(Object.entries(others.peers))
  if (peers.has(region)) refuse(`peers.${region}`, 'a region is not its own peer. Name it in `region` only')
  if ((listen || peers.size > 0) && secret === undefined)
    refuse('secret', `links need a secret of at least ${MIN_SECRET_CHARS} characters, the same in all regions`)
  const members = peers.size + 1
  regionsNeeded(consistency.read, members, 'consistency.read')
  regionsNeeded(consistency.write, members, 'consistency.write')
  checkPatience(consistency.timeout, limits.maxTimeoutMs, 'consistency.timeout')
  if (links.timeout <= links.heartbeat)
    refuse('links.timeout', 'must be longer than links.heartbeat, because a shorter one closes every quiet link')
  const { clock = systemClock, random = systemRandom, storage = levelEngine } = ports
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
    idleTimeoutMs: idleTimeoutOf(given, session),
    maxLifetimeMs: session.maxLifetime,
    /** Undefined: the default, a share of each session's idle timeout. */
    touchGranularityMs: session.touchGranularity,
    atomic: new Set(session.atomic),
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
      transport: ports.transport ?? webSocketTransport(clock),
    },
  }
}
