import type { ErrorCode } from './errors.js'

/**
 * The four ports: where the world plugs in. Everything else in Sojourn is a function of what comes through them, so a
 * simulator that supplies them decides every order of events. The real clock and randomness are in `system.ts`, the
 * real storage in @sojourn/store (`level.ts`), the real transport in @sojourn/replica (`websocket.ts`).
 */

export interface Timer {
  cancel(): void
  /**
   * A caller waits for what ends this timer: the process lasts until it fires, is cancelled, or is released. Without it a process that has
   * nothing else open ends in the middle of an `await`.
   */
  hold(): void
  /** Nobody waits any more: the timer goes on in the background. */
  release(): void
}

export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. It may step either way. */
  now(): number
  /** Milliseconds that only move forward, from an arbitrary start. May have a fraction. */
  monotonic(): number
  /** Calls once, `delayMs` from now. Timers keep no process alive, unless they are held: see {@link Timer.hold}. */
  after(delayMs: number, callback: () => void): Timer
  /** Calls once, on a later turn of the event loop, after I/O that is already there. */
  soon(callback: () => void): void
}

export interface Random {
  /** Unpredictable bytes: ids and nonces are made of them. */
  bytes(count: number): Uint8Array
}

export type StorageWrite =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export interface StorageRange {
  /** First key, included. */
  readonly gte: Uint8Array
  /** First key behind the range. */
  readonly lt: Uint8Array
  /** Rows at most; default: all. */
  readonly limit?: number
  /** From the last key to the first. */
  readonly reverse?: boolean
}

export type StorageRow = readonly [key: Uint8Array, value: Uint8Array]

/** An ordered map of byte strings on a disk. Keys are in the order of their bytes. */
export interface Storage {
  /** The value, from the newest completed write. */
  get(key: Uint8Array): Uint8Array | undefined
  /**
   * All or nothing, and in the order of the calls.
   * @param sync wait until the disk has it, with everything written before
   */
  write(writes: readonly StorageWrite[], sync: boolean): Promise<void>
  /** The rows as they are at the first step, in chunks, whatever is written meanwhile. */
  scan(range: StorageRange): AsyncIterable<readonly StorageRow[]>
  close(): Promise<void>
}

export interface StorageEngine {
  /** @throws STORE_LOCKED, STORE_CORRUPT, STORE_FAILED */
  open(location: string): Promise<Storage>
}

/** What a connection tells its owner. `closed` comes exactly once, and nothing after it. */
export interface ConnectionHandler {
  /** The connection stands; `send` may be called from now on. */
  opened(): void
  received(frame: Uint8Array): void
  /** Some of what was buffered has left. */
  drained(): void
  /**
   * @param why for people: a reason that the other side gave, or what the system says
   * @param code what this side found wrong with the connection itself
   */
  closed(why: string, code?: ErrorCode): void
}

/** An ordered stream of frames to one peer. */
export interface Connection {
  send(frame: Uint8Array): void
  /** Bytes given to `send` that have not left this process. */
  readonly bufferedBytes: number
  /** Closes, telling the other side why (at most 100 characters); `closed` follows within a bounded time. */
  close(why: string): void
}

export interface Listener {
  readonly address: { readonly host: string; readonly port: number }
  close(): Promise<void>
}

export interface TransportOptions {
  readonly maxFrameBytes: number
  /** How long a connection may take to stand. */
  readonly connectTimeoutMs: number
}

export interface Transport {
  dial(url: string, handler: ConnectionHandler, options: TransportOptions): Connection
  /** @param accept is given each new connection, already open, and returns its handler. */
  listen(
    at: { readonly host: string; readonly port: number },
    accept: (connection: Connection) => ConnectionHandler,
    options: TransportOptions,
  ): Promise<Listener>
}
