/** The options of a replica: `npm run docs:options` writes them from where they are declared (ADR 17). */
import type { Clock, Duration, Level, Limits, Random, StorageEngine, Transport } from '@sojourn/core/internal'
import type { Encryption, Fsync } from '@sojourn/store'

export interface Ports {
  /** Time and timers. Default: the system's. */
  readonly clock: Clock
  /** Entropy. Default: the system's. */
  readonly random: Random
  /** The engine. Default: `levelEngine`. */
  readonly storage: StorageEngine
  /** The transport of links. Default: WebSockets. */
  readonly transport: Transport
}

export interface ReplicaOptions {
  /**
   * The name of this region. Give a name of 1 to 64 bytes, such as eu, without control characters, and none that every
   * JavaScript object has, such as constructor.
   */
  readonly region: string
  /**
   * A directory for this replica alone, created if it is missing. It has a journal and LevelDB rows. `':memory:'` keeps
   * nothing. Give the path of a directory, or ':memory:'.
   */
  readonly location: string
  /** Where links from peers are accepted. Default: nowhere. */
  readonly listen?: {
    /** The host where links are accepted. Give a host name or an IP address of this machine. Default: `127.0.0.1`. */
    readonly host?: string | undefined
    /**
     * The port where links are accepted. 0 picks a free one, which `replica.address` reports. Give a whole number from
     * 0 to 65535.
     */
    readonly port: number
  } | undefined
  /**
   * Every other region, by name, with the address of its replica (`ws://` or `wss://`). This replica does not dial a
   * region with `null`. All regions count in majorities. Give an object of region names and addresses, such as { us:
   * 'wss://sessions.us.example.net:7400' }. Default: none.
   */
  readonly peers?: { readonly [region: string]: string | null } | undefined
  /**
   * The secret that peers prove to each other. Set the same in all regions. Links need it. Give at least 16 characters.
   * Default: none.
   */
  readonly secret?: string | undefined
  /**
   * The key under which subjects are hashed and sealed. Set the same in all regions. With another one, subjects of
   * before are not found. Give at least 16 characters. Default: the `secret`.
   */
  readonly subjectKey?: string | undefined
  /**
   * What follows where a superseded id is shown after its grace: it is refused, or the session ends, too. Both emit
   * `reused`. Default: `refuse`.
   */
  readonly reuse?: 'refuse' | 'end' | undefined
  /** TLS of links, those that are accepted and those that are dialed (`wss://`). Default: plain links. */
  readonly tls?: {
    /**
     * PEM certificate chain of this replica, for the links that it accepts and dials. With it, the listener accepts TLS
     * only. Give the path of a file that this process can read.
     */
    readonly certFile?: string | undefined
    /** PEM private key of the certificate. Give the path of a file that this process can read. */
    readonly keyFile?: string | undefined
    /**
     * PEM certificates of the authorities that sign the certificates of the other side. Give the path of a file that
     * this process can read. Default: those that Node.js trusts.
     */
    readonly caFile?: string | undefined
    /** Mutual TLS: the other side must present a certificate signed by an authority in caFile. Default: `false`. */
    readonly requireClientCertificate?: boolean | undefined
    /**
     * The host name that the certificate of each region must have as a subject alternative name. `{region}` stands for
     * the name of the region. A peer is refused whose certificate is for another region. A wildcard does not count.
     * Needs `requireClientCertificate`. Give a host name in lower case with {region} in it once, such as
     * {region}.sessions.example.net. Default: any certificate of the authority is good for every region.
     */
    readonly bindRegion?: string | undefined
    /**
     * How often the replica checks the files. New connections use what is in them then. A file that cannot be used is
     * reported as a `fault`, and the old one stays in force. Default: `1m`.
     */
    readonly reloadInterval?: Duration | undefined
  } | undefined
  /**
   * Encryption at rest: the key ring that seals everything in the directory, or a provider of keys. A store is
   * encrypted from its beginning, or never. Default: none: the store is in the clear.
   */
  readonly encryption?: Encryption | undefined
  readonly session?: {
    /**
     * An unused session expires after this, or at most `session.touchGranularity` later. At most `session.maxLifetime`,
     * to which the default is lowered. Default: `30m`.
     */
    readonly idleTimeout?: Duration | undefined
    /**
     * Every session expires after this, however often it is used. Regions remember ended sessions as long. Set the same
     * in all regions. Default: `30d`.
     */
    readonly maxLifetime?: Duration | undefined
    /**
     * A use that moves the deadline by less is not written. Each written renewal adds this to the deadline, so no
     * session expires early. Values above the idle timeout count as the idle timeout. With 0, deadlines are exact, and
     * every use is written. Default: a twentieth of the session's idle timeout.
     */
    readonly touchGranularity?: Duration | undefined
    /**
     * JSON pointers of objects that are one value, as arrays are. Of concurrent edits inside one, one wins. Set the
     * same in all regions. Give an array of JSON pointers, such as ['/user']. Default: none.
     */
    readonly atomic?: readonly string[] | undefined
    /**
     * How many sessions a subject may have. After regions were apart, each ends the same ones that are too many. Set
     * the same in all regions. Default: any number.
     */
    readonly maxPerSubject?: number | undefined
    /**
     * What a login does to a subject with `session.maxPerSubject` sessions: it ends the one with the oldest login, or
     * is refused. Default: `endOldest`.
     */
    readonly atLimit?: 'endOldest' | 'refuse' | undefined
  } | undefined
  readonly consistency?: {
    /** How many regions a read asks, by default. Default: `local`. */
    readonly read?: Level | undefined
    /** How many regions must hold a write, by default. Default: `local`. */
    readonly write?: Level | undefined
    /** How long a call waits for other regions, by default. Default: `1s`. */
    readonly timeout?: Duration | undefined
  } | undefined
  /**
   * When commits are fsynced: `always` before they are acknowledged, `everysec` once a second, `never` by the operating
   * system only. Give one of 'always', 'everysec', 'never'. Default: `everysec`.
   */
  readonly fsync?: Fsync | undefined
  /** The replica refuses a peer whose clock is off by more. Default: `5s`. */
  readonly maxClockSkew?: Duration | undefined
  /** How long a record stays on the disk after its deadline, for late renewals. Default: `1m`. */
  readonly purgeGrace?: Duration | undefined
  readonly links?: {
    /** How often a link sends a heartbeat. Default: `1s`. */
    readonly heartbeat?: Duration | undefined
    /** How long a peer may be silent before the link is closed. Longer than the heartbeat. Default: `5s`. */
    readonly timeout?: Duration | undefined
    /** The longest pause between attempts to dial. Default: `5s`. */
    readonly maxReconnectDelay?: Duration | undefined
    /** How often digests are compared with a peer whose records differ. Default: `1s`. */
    readonly digestInterval?: Duration | undefined
    /**
     * The latest version of the link protocol to speak. Two sides speak the latest that both know. Set an older one
     * until all regions are upgraded. Give a whole number from 1 to 2. Default: `2`.
     */
    readonly maxVersion?: number | undefined
  } | undefined
  /** Limits of the replica. Regions should agree on the first four. */
  readonly limits?: Partial<Limits> | undefined
  /** Where the world plugs in. See `ports.ts` of @sojourn/core. */
  readonly ports?: Partial<Ports> | undefined
}
