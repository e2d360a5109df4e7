/** The client listener's sockets: what a connection hears of its WebSocket, and what it may do with it. */
import type { Socket } from 'node:net'
import type { Clock, ErrorCode } from '@sojourn/core'
import {
  type Admission,
  type CreateServer,
  closeWebSocket,
  frameFault,
  listenForWebSockets,
  type WebSocketListener,
} from '@sojourn/replica'
import { CLIENT_PROTOCOL } from '@sojourn/wire'
import { WebSocket } from 'ws'
import type { ClientLimits } from './limits.js'

/** How long a connection may take to become a WebSocket. */
const UPGRADE_TIMEOUT_MS = 5_000

export interface ClientSocket {
  send(frame: Uint8Array): void
  /** Bytes given to `send` that have not left this process. */
  readonly bufferedBytes: number
  /** Takes no more of what the client sends, until `resume`. */
  pause(): void
  resume(): void
  /** Closes, telling the client why. */
  close(why: string): void
  /** The client is known: its connection counts no more as one of which it is not known who it is. */
  authenticated(): void
  /** Closes at once. */
  destroy(): void
}

export interface ClientSocketHandler {
  received(frame: Uint8Array): void
  /** So many bytes have come of a frame that is not whole yet. */
  receiving(bytes: number): void
  /** Some of what was buffered has left. */
  drained(): void
  /**
   * Comes exactly once.
   * @param code what is wrong with the connection itself
   * @param why what the client gave for a reason
   */
  closed(code: ErrorCode | undefined, why: string): void
}

const attach = (
  socket: WebSocket,
  admission: Admission,
  raw: Socket,
  clock: Clock,
  accept: (socket: ClientSocket) => ClientSocketHandler,
): void => {
  let fault: ErrorCode | undefined
  const client: ClientSocket = {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, { binary: true }, () => handler.drained())
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: (why) => closeWebSocket(socket, clock, why),
    authenticated: () => admission.authenticated(),
    destroy: () => socket.terminate(),
  }
  const handler = accept(client)
  admission.onRefused(({ code }) => {
    fault ??= code
  })
  socket.on('error', (error: Error & { code?: string }) => {
    fault ??= frameFault(error)
  })
  const part = countPart(socket, raw, (bytes) => handler.receiving(bytes))
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    part.whole(data.length)
    if (isBinary) return handler.received(data)
    fault ??= 'FRAME_INVALID'
    client.close('FRAME_INVALID: a text frame')
  })
  socket.on('close', (_code: number, reason: Buffer) => handler.closed(fault, reason.toString()))
}

/** Bytes of a frame's header from a client, with its mask (RFC 6455, 5.2). */
const headerBytes = (length: number): number => (length < 126 ? 6 : length < 65_536 ? 8 : 14)

/** Counts what a connection has sent of a frame that ws keeps until it is whole. Counted before ws gets it, so that it is known in time. */
const countPart = (socket: WebSocket, raw: Socket, changed: (bytes: number) => void) => {
  let bytes = 0
  const whole = (length: number) => {
    bytes = Math.max(0, bytes - length - headerBytes(length))
    changed(bytes)
  }
  raw.prependListener('data', (chunk: Buffer) => {
    bytes += chunk.length
    changed(bytes)
  })
  socket.on('ping', (data: Buffer) => whole(data.length))
  socket.on('pong', (data: Buffer) => whole(data.length))
  return { whole }
}

export interface SocketListenerOptions {
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly limits: Pick<ClientLimits, 'maxFrameBytes' | 'maxHandshakes' | 'maxHandshakesPerAddress'>
  readonly allowedOrigins: readonly string[]
  readonly createServer?: CreateServer | undefined
}

/**
 * Where clients' connections come from: a port, so that a simulator can bring its own.
 * @param accept is given each connection, already open, and returns its handler
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export type ListenForSockets = (
  options: SocketListenerOptions,
  accept: (socket: ClientSocket) => ClientSocketHandler,
) => Promise<WebSocketListener>

/** Listens for WebSockets. */
export const listenForSockets: ListenForSockets = (
  { host, port, clock, limits, allowedOrigins, createServer },
  accept,
) =>
  listenForWebSockets(
    {
      host,
      port,
      protocol: CLIENT_PROTOCOL,
      notice: 'This port takes Sojourn clients (WebSocket).\n',
      name: 'clients',
      option: 'clients.port',
      maxFrameBytes: limits.maxFrameBytes,
      upgradeTimeoutMs: UPGRADE_TIMEOUT_MS,
      unauthenticated: { max: limits.maxHandshakes, maxPerAddress: limits.maxHandshakesPerAddress },
      allowedOrigins,
      clock,
      createServer,
    },
    (socket, admission, raw) => attach(socket, admission, raw, clock, accept),
  )
