import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock, Connection, ConnectionHandler, ErrorCode, Transport } from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { LINK_PROTOCOL } from '@sojourn/wire'
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws'

/** How long the other side may take to answer a close before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 1_000
/** A close code of RFC 6455's private range; the reason carries our own. */
const CLOSE_CODE = 4_000
/** How Node's codes of TLS and certificate faults begin. */
const TLS_FAULT = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA)/
/** RFC 6455 allows 123 bytes of reason. */
const MAX_REASON_BYTES = 123

const attach = (
  socket: WebSocket,
  clock: Clock,
): { connection: Connection; handle: (to: ConnectionHandler) => void } => {
  let handler: ConnectionHandler | undefined
  let failure: { readonly why: string; readonly code?: ErrorCode } | undefined
  const connection: Connection = {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, { binary: true }, () => handler?.drained())
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    close(why) {
      const reason = Buffer.from(why)
        .subarray(0, MAX_REASON_BYTES)
        .toString()
        .replace(/\uFFFD+$/, '')
      if (socket.readyState === WebSocket.CONNECTING) return socket.terminate()
      socket.close(CLOSE_CODE, reason)
      const timer = clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate())
      socket.once('close', () => timer.cancel())
    },
  }
  socket.on('error', (error: Error & { code?: string }) => {
    const code =
      error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
        ? 'FRAME_TOO_LARGE'
        : error.code?.startsWith('WS_ERR_')
          ? 'FRAME_INVALID'
          : error.code !== undefined && TLS_FAULT.test(error.code)
            ? 'LINK_TLS'
            : undefined
    failure ??= { why: error.message, ...(code && { code }) }
  })
  return {
    connection,
    handle(to) {
      handler = to
      socket.on('open', () => to.opened())
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) to.received(data)
        else {
          failure ??= { why: 'a text frame', code: 'FRAME_INVALID' }
          connection.close('FRAME_INVALID: a text frame')
        }
      })
      socket.on('close', (_code: number, reason: Buffer) => {
        handler = undefined
        to.closed(failure?.why ?? reason.toString(), failure?.code)
      })
    },
  }
}

/** What a process puts under the links: TLS, above all. */
export interface WebSocketOptions {
  /** Makes the server that takes links. Default: `createServer` of `node:http`, which is plain. */
  readonly createServer?: (options: ServerOptions, handler: RequestListener) => Server
  /** What a dialled connection gives `tls.connect`; asked for at each dial, so that a new certificate serves the next one. */
  readonly dialOptions?: () => Pick<ClientOptions, 'ca' | 'cert' | 'key'>
}

/** Links as WebSockets, through ws. Messages are not compressed: they are small, and compression costs memory for each link. */
export const webSocketTransport = (
  clock: Clock,
  { createServer: create = createServer, dialOptions }: WebSocketOptions = {},
): Transport => ({
  dial(url, handler, { maxFrameBytes, connectTimeoutMs }) {
    const socket = new WebSocket(url, LINK_PROTOCOL, {
      ...dialOptions?.(),
      perMessageDeflate: false,
      // Links have heartbeats of their own; answers to pings would queue without limit for a peer that does not read.
      autoPong: false,
      maxPayload: maxFrameBytes,
      handshakeTimeout: connectTimeoutMs,
      followRedirects: false,
    })
    const { connection, handle } = attach(socket, clock)
    handle(handler)
    return connection
  },

  async listen({ host, port }, accept, { maxFrameBytes, connectTimeoutMs }) {
    const http = create(
      {
        headersTimeout: connectTimeoutMs,
        requestTimeout: connectTimeoutMs,
        connectionsCheckingInterval: Math.ceil(connectTimeoutMs / 2),
      },
      (_request, response) => {
        response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' })
        response.end('This port takes links from Sojourn replicas (WebSocket).\n')
      },
    )
    const server = new WebSocketServer({
      server: http,
      perMessageDeflate: false,
      // Links have heartbeats of their own; answers to pings would queue without limit for a peer that does not read.
      autoPong: false,
      maxPayload: maxFrameBytes,
      handleProtocols: (protocols) => (protocols.has(LINK_PROTOCOL) ? LINK_PROTOCOL : false),
    })
    server.on('connection', (socket) => {
      const { connection, handle } = attach(socket, clock)
      handle(accept(connection))
    })
    // `http` reports its own errors; without a listener, ws would throw what it repeats.
    server.on('error', () => {})
    await new Promise<void>((resolve, reject) => {
      http.once('error', (cause: Error & { code?: string }) =>
        reject(
          new SojournError(
            'INVALID_OPTION',
            `listen: cannot listen on ${host}:${port} (${cause.code ?? cause.message}); choose another port, or 0 for any free one`,
            { option: 'listen', cause },
          ),
        ),
      )
      http.listen(port, host, resolve)
    })
    const address = http.address() as AddressInfo
    return {
      address: { host: address.address, port: address.port },
      close: () =>
        new Promise((resolve) => {
          for (const socket of server.clients) socket.terminate()
          server.close()
          http.close(() => resolve())
          http.closeAllConnections()
        }),
    }
  },
})
