/** The four ports, by which the world comes in. */
import type { ErrorCode } from './errors.js'

/**
 * The four ports: where the world plugs in. Everything else in Sojourn is a function of what comes through them, so a
 * simulator that supplies them decides every order of events. The real clock and randomness are in `system.ts`, the
 * real storage in @sojourn/store (`engines/`), the real transport in @sojourn/replica (`websocket.ts`).
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
  /** Calls once, as soon as what runs now is through, before I/O: what is said in one turn is gathered by then. */
  endOfTurn(callback: () => void): void
}

export interface Random {
  /** Unpredictable bytes: ids and nonces are made of them. */
  bytes(count: number): Uint8Array
}

/** An entry of a journal, or the place of one that does not pass its checksum any more. */
export interface JournalEntry {
  /** One more than that of the entry before; the first one is 1. */
  readonly number: number
  /** Undefined: the entry is corrupt. */
  readonly bytes: Uint8Array | undefined
}

/** What was committed, in order: entries are appended, read from a place on, and dropped up to a place. */
export interface Journal {
  /** The number of the last entry; 0 where there was never one. */
  readonly head: number
  /** Bytes of the entries that were not dropped. */
  readonly bytes: number
  /**
   * Appends an entry after `after`, which must be the head: whoever else appends to the journal is noticed by that. All or nothing.
   * @returns a promise where the engine has yet to take it; nothing where it is taken. A taken entry outlives the process.
   * @throws STORE_FENCED where the head is another; STORE_FAILED
   */
  append(after: number, bytes: Uint8Array): Promise<void> | undefined
  /** Resolves when all that was appended before outlives a loss of power. @throws STORE_FAILED */
  sync(): Promise<void>
  /** The entries after a number, in order, in chunks. Only before the first append. */
  read(after: number): AsyncIterable<readonly JournalEntry[]>
  /** Entries through a number are not needed any more; some of them may be kept for a while. */
  drop(through: number): Promise<void>
}

export type RowWrite =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export type Row = readonly [key: Uint8Array, value: Uint8Array]

/** An ordered map of byte strings. */
export interface Rows {
  /** The value, from the newest completed write: at once, or as a promise. @throws STORE_FAILED */
  get(key: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>
  /**
   * All or nothing, and in the order of the calls.
   * @param sync wait until it outlives a loss of power, with everything written before
   * @throws STORE_FAILED, STORE_CORRUPT; a later write may succeed again
   */
  write(writes: readonly RowWrite[], sync: boolean): Promise<void>
  /** All rows, in the order of the bytes of their keys, in chunks. Only before the first write: see ADR 13. */
  scan(): AsyncIterable<readonly Row[]>
  /**
   * Removes from the files what was replaced or deleted until now, while reads and writes go on. Not there: the engine keeps nothing of that.
   * @throws STORE_FAILED
   */
  compact?(): Promise<void>
}

/**
 * What a store stands on: a journal that takes each commit, and rows that are written in the background. Bytes that are handed over,
 * either way, are not changed afterwards. `@sojourn/store/contract` tests what an engine must do.
 */
export interface Storage {
  readonly journal: Journal
  readonly rows: Rows
  close(): Promise<void>
}

export interface StorageEngine {
  /**
   * @param region whose store it is, noted there when it is opened first; undefined: whoever's
   * @throws STORE_LOCKED, STORE_FOREIGN where it is another region's, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED
   */
  open(location: string, region?: string): Promise<Storage>
}

/** How a connection failed, where neither side gave a code: by the network, by what answered, or by silence. */
export type ConnectionFault =
  | 'refused'
  | 'unknown-host'
  | 'unreachable'
  | 'reset'
  | 'timeout'
  | 'not-websocket'
  | 'http-status'
  | 'tls'
  | 'other'

/** What a connection reports to its owner. `closed` comes exactly once, and nothing after it. */
export interface ConnectionHandler {
  /** The connection stands; `send` may be called from now on. */
  opened(): void
  received(frame: Uint8Array): void
  /** Some of what was buffered has left. */
  drained(): void
  /**
   * @param why for people: a reason that the other side gave, or what the system says
   * @param code what this side found wrong with the connection itself
   * @param fault how it failed, where it was not closed in order
   */
  closed(why: string, code?: ErrorCode, fault?: ConnectionFault): void
}

/** An ordered stream of frames to one peer. */
export interface Connection {
  send(frame: Uint8Array): void
  /** Bytes given to `send` that have not left this process. */
  readonly bufferedBytes: number
  /** Closes, and sends the other side why (at most 100 characters); `closed` follows within a bounded time. */
  close(why: string): void
  /**
   * The other side has proven who it is. Until then a transport may take little of it, and close it to make room for others. A
   * transport on which nobody is unauthenticated has no such method.
   */
  authenticated?(): void
  /**
   * Why the other side may not speak as this region, as far as the transport knows who it is: by its certificate, say. Undefined: it may. A
   * transport that does not know has no such method.
   */
  refusalOf?(region: string): string | undefined
}

export interface Listener {
  readonly address: { readonly host: string; readonly port: number }
  /** Connections whose other side is not known yet, and how many of them were closed to make room for newer ones. */
  readonly unauthenticated?: { readonly connections: number; readonly evicted: number }
  close(): Promise<void>
}

export interface TransportOptions {
  readonly maxFrameBytes: number
  /** How long a connection may take to stand. */
  readonly connectTimeoutMs: number
  /** Connections of a listener, at a time, whose other side is not known yet. */
  readonly maxHandshakes: number
  /** Those of them that come from one address. */
  readonly maxHandshakesPerAddress: number
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
