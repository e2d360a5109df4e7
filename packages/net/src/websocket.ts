/** WebSockets as connections of frames: dialed, or taken by a listener, and attached to who hears them in one way. */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Clock, Connection, ConnectionFault, ConnectionHandler, ErrorCode } from '@sojourn/core/internal'
import { WebSocket } from 'ws'
import { Admission } from './admission.js'
import { verifiedCertificate } from './certificate.js'
import { PartialFrame } from './partial-frame.js'
import type { TlsOptions } from './tls.js'
import { CLOSE_TIMEOUT_MS, closeWebSocket, frameFault } from './websocket-closing.js'
import { faultOf, textOf } from './websocket-faults.js'

/** The code of a close that nobody announced (RFC 6455, section 7.1.5). */
const ABNORMAL_CLOSE = 1006

/** A connection that can also be slowed down, and ended at once. */
export interface SocketConnection extends Connection {
  authenticated(): void
  /** What the other side showed, where TLS verified it. Undefined before the connection stands, and once it is gone. */
  readonly certificate?: X509Certificate | undefined
  /** Takes no more of what the other side sends, until `resume`. */
  pause(): void
  resume(): void
  /** Closes at once; the other side is given no reason. */
  destroy(): void
}

export interface SocketHandler extends Omit<ConnectionHandler, 'opened'> {
  /** A connection that was dialed stands; that of a listener does from the beginning. */
  opened?(): void
  /** So many bytes have come of a frame that is not whole yet. Heard by those of a listener only. */
  receiving?(bytes: number): void
}

interface Failure {
  readonly why: string
  readonly code?: ErrorCode | undefined
  readonly fault?: ConnectionFault
}

/** A WebSocket of ws, as a connection. */
export class AttachedSocket implements SocketConnection {
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #closeTimeoutMs: number
  #admission: Admission | undefined
  /** What the WebSocket is on, once that is known. */
  #raw: Socket | undefined
  /** Undefined once `closed` was called, after which nothing is. */
  #handler: SocketHandler | undefined
  /** The first one: what follows is its consequence. */
  #failure: Failure | undefined

  constructor(socket: WebSocket, clock: Clock, closeTimeoutMs = CLOSE_TIMEOUT_MS) {
    this.#socket = socket
    this.#clock = clock
    this.#closeTimeoutMs = closeTimeoutMs
    socket.on('error', (error: Error & { code?: string }) => {
      this.#failure ??= { why: textOf(error), code: frameFault(error), fault: faultOf(error) }
    })
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(frame, { binary: true }, () => this.#handler?.drained())
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  get certificate(): X509Certificate | undefined {
    return verifiedCertificate(this.#raw)
  }

  /** @param raw what the WebSocket is on */
  standsOn(raw: Socket): void {
    this.#raw = raw
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(why: string): void {
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate()
    else closeWebSocket(this.#socket, this.#clock, why, this.#closeTimeoutMs)
  }

  destroy(): void {
    this.#socket.terminate()
  }

  authenticated(): void {
    this.#admission?.authenticated()
  }

  /** Takes little of the other side until it is known. */
  guard(admission: Admission): void {
    this.#admission = admission
    admission.onRefused(({ message, code }) => {
      this.#failure ??= { why: message, code }
    })
  }

  /** @param raw what the WebSocket is on, where it is known already */
  attach(handler: SocketHandler, raw?: Socket): void {
    const socket = this.#socket
    if (raw) this.standsOn(raw)
    const partial = raw && handler.receiving && new PartialFrame(socket, raw, (bytes) => handler.receiving?.(bytes))
    this.#handler = handler
    socket.on('open', () => handler.opened?.())
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      partial?.whole(data.length)
      if (isBinary) handler.received(data)
      else {
        this.#failure ??= { why: 'a text frame', code: 'FRAME_INVALID' }
        this.close('FRAME_INVALID: a text frame')
      }
    })
    socket.on('close', (closeCode: number, reason: Buffer) => {
      this.#handler = undefined
      if (closeCode === ABNORMAL_CLOSE) this.#failure ??= { why: 'the connection was cut', fault: 'reset' }
      handler.closed(this.#failure?.why ?? reason.toString(), this.#failure?.code, this.#failure?.fault)
    })
  }
}

export interface DialOptions {
  /** The subprotocol that the listener must take. */
  readonly protocol: string
  /** Bytes of one frame from the other side; a longer one ends the connection with `FRAME_TOO_LARGE`. */
  readonly maxFrameBytes: number
  /** How long the connection may take to stand, milliseconds. */
  readonly connectTimeoutMs: number
  /** How long the other side may take to answer a close, milliseconds; 0: it is not waited for. Default 1,000. */
  readonly closeTimeoutMs?: number
  /** Whether little is taken of the other side until `authenticated`: see `Admission`. Default: no. */
  readonly isGuarded?: boolean
  /** Of `wss://`. Default: the authorities that Node.js trusts, and no certificate to show. */
  readonly tls?: TlsOptions | undefined
  readonly clock: Clock
}

/**
 * Dials a listener of WebSockets. Never throws for what the network does: `handler.closed` says why there is no connection.
 *
 * @example
 * const connection = dialWebSocket('wss://eu.example.net:7400', handler, {
 *   protocol: 'sojourn-link', maxFrameBytes: 1024 * 1024, connectTimeoutMs: 3_000, clock: systemClock,
 * })
 * @throws SyntaxError where the address is none of `ws:` or `wss:`
 */
export const dialWebSocket = (url: string, handler: ConnectionHandler, options: DialOptions): SocketConnection => {
  const { protocol, maxFrameBytes, connectTimeoutMs, closeTimeoutMs, isGuarded = false, tls = {}, clock } = options
  const { ca, ...rest } = tls
  const socket = new WebSocket(url, protocol, {
    ...rest,
    ...(ca !== undefined && { ca: Array.isArray(ca) ? [...ca] : (ca as string | Buffer) }),
    perMessageDeflate: false,
    // Our protocols ping by messages of their own; answers to these would queue without limit for who does not read.
    autoPong: false,
    maxPayload: maxFrameBytes,
    handshakeTimeout: connectTimeoutMs,
    followRedirects: false,
  })
  const connection = new AttachedSocket(socket, clock, closeTimeoutMs)
  socket.once('upgrade', ({ socket: raw }) => {
    connection.standsOn(raw)
    // ws listens to it only after this returns, and is to hear of a frame first.
    if (isGuarded) socket.once('open', () => connection.guard(new Admission(socket, raw, clock)))
  })
  connection.attach(handler)
  return connection
}
