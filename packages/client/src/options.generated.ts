/** The options of a client: `npm run docs:options` writes them from where they are declared (ADR 17). */
import type { Clock, Duration, Random } from '@sojourn/core/internal'
import type { LinkChange } from './options.js'
import type { Dial, TlsOptions } from './websocket.js'

export interface ClientLimits {
  /**
   * Calls that wait for an answer or a connection. One more is refused with OVERLOADED. A server may allow fewer.
   * Default: `4096`.
   */
  readonly maxInFlight: number
  /**
   * Bytes of requests that wait for the connection. A call beyond this is refused with OVERLOADED. Default: `16777216`.
   */
  readonly maxBufferedBytes: number
  /**
   * Bytes of requests that the client puts into one frame. A low value lets the server answer early requests sooner.
   * Default: `1024`.
   */
  readonly targetFrameBytes: number
  /** Bytes of one frame from a server. Default: `8388608`. */
  readonly maxFrameBytes: number
}

export interface NearCacheOptions {
  /** Sessions kept. Default: `10000`. */
  readonly maxEntries?: number | undefined
  /** Bytes of their data, as JSON. Default: `16777216`. */
  readonly maxBytes?: number | undefined
  /**
   * How old a read from it can be at most; longer than `connection.heartbeat`. The server reports every change. By
   * answering a ping it says that it has reported all before. What is kept is given out only while the last such ping
   * was sent no longer ago than this. Default: `2s`.
   */
  readonly maxStale?: Duration | undefined
}

export interface ClientOptions {
  /**
   * The address of a server's client port, `ws://` or `wss://`. Give this or `urls`. Give an address such as
   * 'wss://sessions.eu.example.net:7401'. Default: none.
   */
  readonly url?: string | undefined
  /**
   * Addresses of several servers, the nearest first. The client uses the first that it reaches, and returns to a nearer
   * one once it is back. Give an array of addresses, the nearest first: each an address such as
   * 'wss://sessions.eu.example.net:7401'. Default: none.
   */
  readonly urls?: readonly string[] | undefined
  /**
   * Authenticates the client. Without one, only a server that allows anyone accepts it. Give a text of at most 1024
   * bytes. Default: none.
   */
  readonly token?: string | undefined
  /**
   * How long a call may take, retries counted. A call's own `timeout` (how long the server waits for other regions) is
   * added. Default: `5s`.
   */
  readonly timeout?: Duration | undefined
  /**
   * How long `connect` waits for a server to accept the client. A starting server first waits for its peers
   * (`readyPeerWait`). Default: `15s`.
   */
  readonly connectTimeout?: Duration | undefined
  /**
   * What becomes of calls while no server can be reached. `fail`: once every address was tried, they fail at once with
   * UNAVAILABLE, which says what each of them answered, until one is back. `wait`: they wait for one, as long as they
   * may take. A write that was under way when its connection ended waits in either case: its server may know what
   * became of it. Default: `fail`.
   */
  readonly whenUnavailable?: 'fail' | 'wait' | undefined
  /** Keeps sessions that were read until the server reports that they changed. Default: `false`. */
  readonly nearCache?: boolean | NearCacheOptions | undefined
  readonly connection?: {
    /** How often the client pings the server. Default: `1s`. */
    readonly heartbeat?: Duration | undefined
    /**
     * How long a server may be silent, or take to connect, before the connection is closed. Longer than the heartbeat.
     * Default: `3s`.
     */
    readonly timeout?: Duration | undefined
    /**
     * The longest pause between attempts to connect. Each pause is a random part of it, at least half. Default: `5s`.
     */
    readonly maxReconnectDelay?: Duration | undefined
    /** How often the client tries a nearer server than the present one. Default: `5s`. */
    readonly failback?: Duration | undefined
    /**
     * The latest version of the client protocol to speak. Both sides speak the latest that both know. Give a whole
     * number from 1 to 3. Default: `3`.
     */
    readonly maxVersion?: number | undefined
  } | undefined
  /** For `wss://`, the trusted authorities and the certificate of the client: `ca`, `cert`, `key`, `servername`. */
  readonly tls?: TlsOptions | undefined
  /** Limits of the client. */
  readonly limits?: Partial<ClientLimits> | undefined
  /** The client calls it when a connection opens, ends or is refused. It may make calls. Default: none. */
  readonly linkChanged?: ((change: LinkChange) => void) | undefined
  readonly ports?: {
    /** Time and timers. Default: the system's. */
    readonly clock?: Clock | undefined
    /** Entropy. Default: the system's. */
    readonly random?: Random | undefined
    /** How connections are made. Default: WebSockets. */
    readonly dial?: Dial | undefined
  } | undefined
}
