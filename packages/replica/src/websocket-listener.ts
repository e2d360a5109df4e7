import { createServer as createPlainServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock, ErrorCode } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { type WebSocket, WebSocketServer } from 'ws'

/** How long the other side may take to answer a close before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 1_000
/** A close code of RFC 6455's private range; the reason begins with one of our error codes. */
const CLOSE_CODE = 4_000
/** RFC 6455 allows 123 bytes of reason. */
const MAX_REASON_BYTES = 123

/** Called as `http.createServer` is: makes the server that is listened with, plain or with TLS. */
export type CreateServer = (options: ServerOptions, handler: RequestListener) => Server

const closing = new WeakSet<WebSocket>()

/** Closes, telling the other side why; tears the socket down where it does not answer that. The first call counts. */
export const closeWebSocket = (socket: WebSocket, clock: Clock, why: string): void => {
  // Who sends many bad frames has one timer, not one for each.
  if (closing.has(socket)) return
  closing.add(socket)
  const reason = Buffer.from(why)
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\uFFFD+$/, '')
  socket.close(CLOSE_CODE, reason)
  const timer = clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate())
  socket.once('close', () => timer.cancel())
}

/** The code of what the other side sent that is no WebSocket's frame; undefined for errors of another kind. */
export const frameFault = ({ code }: Error & { code?: string }): ErrorCode | undefined => {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'FRAME_TOO_LARGE'
  return code?.startsWith('WS_ERR_') ? 'FRAME_INVALID' : undefined
}

export interface WebSocketListenerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** The subprotocol; who offers others only gets none. */
  readonly protocol: string
  /** What is answered to requests that ask for no WebSocket. */
  readonly notice: string
  /** What the settings call this: where the message of an error begins, and the option that it names. */
  readonly name: string
  readonly option: string
  readonly maxFrameBytes: number
  /** How long a connection may take to become a WebSocket. */
  readonly upgradeTimeoutMs: number
  /** Default: `createServer` of `node:http`, which is plain. */
  readonly createServer?: CreateServer | undefined
}

export interface WebSocketListener {
  readonly address: { readonly host: string; readonly port: number }
  /** Takes no more connections; those that stand stay. */
  stop(): void
  /** Ends all connections; resolves when they have. */
  close(): Promise<void>
}

/**
 * Listens for WebSockets. Messages are not compressed: they are small, and compression costs memory for each connection.
 * @param accept is given each connection, already open, and what it stands on
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForWebSockets = async (
  {
    host,
    port,
    protocol,
    notice,
    name,
    option,
    maxFrameBytes,
    upgradeTimeoutMs,
    createServer = createPlainServer,
  }: WebSocketListenerOptions,
  accept: (socket: WebSocket, raw: Socket) => void,
): Promise<WebSocketListener> => {
  const http = createServer(
    {
      headersTimeout: upgradeTimeoutMs,
      requestTimeout: upgradeTimeoutMs,
      connectionsCheckingInterval: Math.ceil(upgradeTimeoutMs / 2),
    },
    (_request, response) => {
      response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' })
      response.end(notice)
    },
  )
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    // Our protocols ping by messages of their own; answers to these would queue without limit for who does not read.
    autoPong: false,
    maxPayload: maxFrameBytes,
    handleProtocols: (protocols) => (protocols.has(protocol) ? protocol : false),
  })
  server.on('connection', (socket, request) => accept(socket, request.socket))
  // `http` reports its own errors; without a listener, ws would throw what it repeats.
  server.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause: Error & { code?: string }) =>
      reject(
        new SojournError(
          'INVALID_OPTION',
          `${name}: cannot listen on ${host}:${port} (${cause.code ?? cause.message}); choose another port, or 0 for any free one`,
          { option, cause },
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
