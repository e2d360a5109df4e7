/** The options of a client: `npm run docs:options` writes them from where they are declared (ADR 17). */
import type { Clock, Duration, Random } from '@sojourn/core/internal'
import type { LinkChange } from './options.js'
import type { Dial, TlsOptions } from './websocket.js'

export interface ClientLimits {
  /**
   * Calls that wait for an answer, or for a connection; one more is refused with OVERLOADED. A server may bear fewer.
   * Default: `4096`.
   */
  readonly maxInFlight: number
  /**
   * Bytes of requests that the connection has not taken; a call above that is refused with OVERLOADED. Default:
   * `16777216`.
   */
  readonly maxBufferedBytes: number
  /**
   * Bytes of requests that are put into one frame before the next is begun. Few: the server answers the first while the
   * rest are being made. Default: `1024`.
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
   * Address of a server's client port, `ws://` or `wss://`. This or `urls`. Give an address such as
   * 'wss://sessions.eu.example.net:7200'. Default: none.
   */
  readonly url?: string | undefined
  /**
   * Addresses of several, the nearest first. The first that can be reached is used; a nearer one is gone back to when
   * it is there again. Give an array of addresses, the nearest first: each an address such as
   * 'wss://sessions.eu.example.net:7200'. Default: none.
   */
  readonly urls?: readonly string[] | undefined
  /**
   * Lets the client in. Without one, only a server that asks nobody takes it. Give a text of at most 1024 bytes.
   * Default: none.
   */
  readonly token?: string | undefined
  /**
   * How long a call may take, retries counted. A call's own `timeout` (how long the server waits for other regions) is
   * added. Default: `5s`.
   */
  readonly timeout?: Duration | undefined
  /**
   * How long `connect` waits for a server to let the client in; one that starts waits for its peers first (its
   * `readyPeerWait`). Default: `15s`.
   */
  readonly connectTimeout?: Duration | undefined
  /**
   * What becomes of calls while no server can be reached. `fail`: once every address was tried, they fail at once with
   * UNAVAILABLE, which says what each of them answered, until one is back. `wait`: they wait for one, as long as they
   * may take. A write that was under way when its connection ended waits in either case: its server may know what
   * became of it. Default: `fail`.
   */
  readonly whenUnavailable?: 'fail' | 'wait' | undefined
  /** Keeps sessions that were read, until the server says that they changed. Default: `false`. */
  readonly nearCache?: boolean | NearCacheOptions | undefined
  readonly connection?: {
    /** How often the server is asked whether it is there. Default: `1s`. */
    readonly heartbeat?: Duration | undefined
    /**
     * Silence after which a connection is given up, and how long one may take to stand; longer than the heartbeat.
     * Default: `3s`.
     */
    readonly timeout?: Duration | undefined
    /**
     * The longest pause between attempts to connect; each is between half and all of its length, at random. Default:
     * `5s`.
     */
    readonly maxReconnectDelay?: Duration | undefined
    /** How often a nearer server than the present one is tried. Default: `5s`. */
    readonly failback?: Duration | undefined
    /**
     * The latest version of the client protocol to speak. Both sides speak the latest that both know. Give a whole
     * number from 1 to 2. Default: `2`.
     */
    readonly maxVersion?: number | undefined
  } | undefined
  /**
   * Of `wss://`: which authorities are trusted, and what the client shows for itself: `ca`, `cert`, `key`,
   * `servername`.
   */
  readonly tls?: TlsOptions | undefined
  /** What is bounded of a client, and by how much. */
  readonly limits?: Partial<ClientLimits> | undefined
  /** Is called when a connection stands, ends or is refused. Calls can be made in it. Default: none. */
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
