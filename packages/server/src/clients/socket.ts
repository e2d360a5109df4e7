import type { Clock, ErrorCode } from '@sojourn/core'
import {
  type CreateServer,
  closeWebSocket,
  frameFault,
  listenForWebSockets,
  type WebSocketListener,
} from '@sojourn/replica'
import { CLIENT_PROTOCOL } from '@sojourn/wire'
import { WebSocket } from 'ws'

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

const attach = (socket: WebSocket, clock: Clock, accept: (socket: ClientSocket) => ClientSocketHandler): void => {
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
    destroy: () => socket.terminate(),
  }
  const handler = accept(client)
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

/**
 * Listens for WebSockets.
 * @param accept is given each connection, already open, and returns its handler
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForSockets = (
  { host, port }: { readonly host: string; readonly port: number },
  accept: (socket: ClientSocket) => ClientSocketHandler,
  {
    clock,
    maxFrameBytes,
    createServer,
  }: { readonly clock: Clock; readonly maxFrameBytes: number; readonly createServer?: CreateServer | undefined },
): Promise<WebSocketListener> =>
  listenForWebSockets(
    {
      host,
      port,
      protocol: CLIENT_PROTOCOL,
      notice: 'This port takes Sojourn clients (WebSocket).\n',
      name: 'clients',
      option: 'clients.port',
      maxFrameBytes,
      upgradeTimeoutMs: UPGRADE_TIMEOUT_MS,
      createServer,
    },
    (socket) => attach(socket, clock, accept),
  )
