/** The client listener's sockets: what a connection hears of its WebSocket, and what it may do with it. */
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
  /** Some of what was buffered has left. */
  drained(): void
  /** Comes exactly once. @param code what is wrong with the connection itself */
  closed(code?: ErrorCode): void
}

const attach = (
  socket: WebSocket,
  admission: Admission,
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
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) return handler.received(data)
    fault ??= 'FRAME_INVALID'
    client.close('FRAME_INVALID: a text frame')
  })
  socket.on('close', () => handler.closed(fault))
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
 * Listens for WebSockets.
 * @param accept is given each connection, already open, and returns its handler
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForSockets = (
  { host, port, clock, limits, allowedOrigins, createServer }: SocketListenerOptions,
  accept: (socket: ClientSocket) => ClientSocketHandler,
): Promise<WebSocketListener> =>
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
    (socket, admission) => attach(socket, admission, clock, accept),
  )
