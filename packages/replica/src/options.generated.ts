/** The options of a replica: `npm run docs:options` writes them from where they are declared (ADR 17). */
import type { Clock, Duration, Level, Limits, Random, StorageEngine, Transport } from '@sojourn/core/internal'
import type { Fsync } from '@sojourn/store'

export interface Ports {
  /** Time and timers. Default: the system's. */
  readonly clock: Clock
  /** Entropy. Default: the system's. */
  readonly random: Random
  /** The engine. Default: `levelEngine`. */
  readonly storage: StorageEngine
  /** How links are made. Default: WebSockets. */
  readonly transport: Transport
}

export interface ReplicaOptions {
  /**
   * The name of this region. Give a name of 1 to 64 bytes, such as eu, without control characters, and none that every
   * JavaScript object has, such as constructor.
   */
  readonly region: string
  /**
   * A directory for this replica alone, made where it is missing: a journal, and rows in LevelDB; `':memory:'` keeps
   * nothing. Give the path of a directory, or ':memory:'.
   */
  readonly location: string
  /** Where links from peers are accepted. Default: nowhere. */
  readonly listen?: {
    /** The host where links are accepted. Give a host name or an IP address of this machine. Default: `127.0.0.1`. */
    readonly host?: string | undefined
    /**
     * The port where links are accepted; 0 picks a free one, and `replica.address` reports which. Give a whole number
     * from 0 to 65535.
     */
    readonly port: number
  } | undefined
  /**
   * Every other region, by name, with the address of its replica (`ws://` or `wss://`); `null`: a member that is not
   * dialed from here. All members count in majorities. Give an object of region names and addresses, such as { us:
   * 'wss://sessions.us.example.net:7400' }. Default: none.
   */
  readonly peers?: { readonly [region: string]: string | null } | undefined
  /**
   * What peers prove to each other that they know; the same in all regions. Needed as soon as there are links. Give at
   * least 16 characters. Default: none.
   */
  readonly secret?: string | undefined
  readonly session?: {
    /**
     * Without use, a session is gone after this, and at most `session.touchGranularity` later. At most
     * `session.maxLifetime`; the default gives way to a shorter one. Default: `30m`.
     */
    readonly idleTimeout?: Duration | undefined
    /**
     * Whatever happens, a session is gone after this; the same in all regions. An ended session is remembered for as
     * long. Default: `30d`.
     */
    readonly maxLifetime?: Duration | undefined
    /**
     * A use that would move the deadline by less is not written. Each renewal that is written reaches so much further.
     * So no session expires early, and one may live that much longer than its idle timeout. At most the idle timeout
     * counts. 0: exact, and every use is written. Default: a twentieth of the session's idle timeout.
     */
    readonly touchGranularity?: Duration | undefined
    /**
     * JSON pointers of objects that are one value, as arrays are: of concurrent edits anywhere inside of one, one wins;
     * the same in all regions. Give an array of JSON pointers, such as ['/user']. Default: none.
     */
    readonly atomic?: readonly string[] | undefined
  } | undefined
  readonly consistency?: {
    /** How many regions a read asks, unless the call says. Default: `local`. */
    readonly read?: Level | undefined
    /** How many regions must hold a write, unless the call says. Default: `local`. */
    readonly write?: Level | undefined
    /** How long a call waits for other regions, unless the call says. Default: `1s`. */
    readonly timeout?: Duration | undefined
  } | undefined
  /**
   * When commits are fsynced: `always` before they are acknowledged, `everysec` once a second, `never` when the
   * operating system likes. Give one of 'always', 'everysec', 'never'. Default: `everysec`.
   */
  readonly fsync?: Fsync | undefined
  /** A peer whose clock is off by more is refused. Default: `5s`. */
  readonly maxClockSkew?: Duration | undefined
  /** How long a record stays on the disk after its deadline, for renewals that are still under way. Default: `1m`. */
  readonly purgeGrace?: Duration | undefined
  readonly links?: {
    /** How often a link says that it is there. Default: `1s`. */
    readonly heartbeat?: Duration | undefined
    /** Silence after which a link is given up; longer than the heartbeat. Default: `5s`. */
    readonly timeout?: Duration | undefined
    /** The longest pause between attempts to dial. Default: `5s`. */
    readonly maxReconnectDelay?: Duration | undefined
    /** How often sums over ranges of keys are compared with a peer whose records differ. Default: `1s`. */
    readonly digestInterval?: Duration | undefined
    /**
     * The latest version of the link protocol to speak. Two sides speak the latest that both know; an older one holds
     * back what an upgrade brings until all are upgraded. Give a whole number from 1 to 2. Default: `2`.
     */
    readonly maxVersion?: number | undefined
  } | undefined
  /** What is bounded, and by how much; regions should agree on the first four. */
  readonly limits?: Partial<Limits> | undefined
  /** Where the world plugs in; see `ports.ts` of @sojourn/core. */
  readonly ports?: Partial<Ports> | undefined
}
