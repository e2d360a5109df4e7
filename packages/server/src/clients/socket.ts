import { createServer as createHttpServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock, ErrorCode } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { CLIENT_PROTOCOL } from '@sojourn/wire'
import { WebSocket, WebSocketServer } from 'ws'

/** How long the other side may take to answer a close before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 1_000
/** A close code of RFC 6455's private range; the reason begins with one of our error codes. */
const CLOSE_CODE = 4_000
/** RFC 6455 allows 123 bytes of reason. */
const MAX_REASON_BYTES = 123
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

export interface SocketListener {
  readonly address: { readonly host: string; readonly port: number }
  /** Takes no more connections; those that stand stay. */
  stop(): void
  /** Resolves when all connections have ended. */
  close(): Promise<void>
}

/** Makes the server that is listened with: `http.createServer`, or one that speaks TLS. */
export type CreateServer = (options: ServerOptions, handler: RequestListener) => Server

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
    close(why) {
      socket.close(
        CLOSE_CODE,
        Buffer.from(why)
          .subarray(0, MAX_REASON_BYTES)
          .toString()
          .replace(/\uFFFD+$/, ''),
      )
      const timer = clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate())
      socket.once('close', () => timer.cancel())
    },
    destroy: () => socket.terminate(),
  }
  const handler = accept(client)
  socket.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') fault ??= 'FRAME_TOO_LARGE'
    else if (error.code?.startsWith('WS_ERR_')) fault ??= 'FRAME_INVALID'
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
export const listenForSockets = async (
  { host, port }: { readonly host: string; readonly port: number },
  accept: (socket: ClientSocket) => ClientSocketHandler,
  {
    clock,
    maxFrameBytes,
    createServer = createHttpServer,
  }: { readonly clock: Clock; readonly maxFrameBytes: number; readonly createServer?: CreateServer | undefined },
): Promise<SocketListener> => {
  const http = createServer(
    {
      headersTimeout: UPGRADE_TIMEOUT_MS,
      requestTimeout: UPGRADE_TIMEOUT_MS,
      connectionsCheckingInterval: UPGRADE_TIMEOUT_MS / 2,
    },
    (_request, response) => {
      response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' })
      response.end('This port takes Sojourn clients (WebSocket).\n')
    },
  )
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    // Clients ping by messages of their own; answers to these would queue without limit for a client that does not read.
    autoPong: false,
    maxPayload: maxFrameBytes,
    handleProtocols: (protocols) => (protocols.has(CLIENT_PROTOCOL) ? CLIENT_PROTOCOL : false),
  })
  server.on('connection', (socket) => attach(socket, clock, accept))
  // `http` reports its own errors; without a listener, ws would throw what it repeats.
  server.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause: Error & { code?: string }) =>
      reject(
        new SojournError(
          'INVALID_OPTION',
          `clients: cannot listen on ${host}:${port} (${cause.code ?? cause.message}); choose another port, or 0 for any free one`,
          { option: 'clients.port', cause },
        ),
      ),
    )
    http.listen(port, host, resolve)
  })
  const address = http.address() as AddressInfo
  const closed = new Promise<void>((resolve) => http.once('close', resolve))
  const stop = () => {
    if (!http.listening) return
    server.close()
    http.close()
    http.closeIdleConnections()
  }
  return {
    address: { host: address.address, port: address.port },
    stop,
    async close() {
      stop()
      for (const socket of server.clients) socket.terminate()
      http.closeAllConnections()
      await closed
    },
  }
}
