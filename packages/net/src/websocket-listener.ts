/** Listens for WebSockets: who may connect, how many at a time, and how much they may say before it is known who they are. */
import { createServer as createPlainServer, type Server } from 'node:http'
import { type Clock, SojournError } from '@sojourn/core/internal'
import { WebSocketServer } from 'ws'
import { Admission } from './admission.js'
import { ConnectionBudget, type ConnectionBudgetOptions, type UnauthenticatedStatus } from './connection-budget.js'
import { type ListeningAddress, listenOn } from './listening.js'
import type { CreateServer } from './tls.js'
import { AttachedSocket, type SocketConnection, type SocketHandler } from './websocket.js'

export interface WebSocketListenerOptions extends ListeningAddress {
  /** The subprotocol; who offers others only gets none. */
  readonly protocol: string
  /** What is answered to requests that ask for no WebSocket. */
  readonly notice: string
  readonly maxFrameBytes: number
  /** How long a connection may take to become a WebSocket, milliseconds. */
  readonly upgradeTimeoutMs: number
  /** Connections whose other side is not known yet. */
  readonly unauthenticated: ConnectionBudgetOptions
  /** Web pages that may connect, by their origin (`https://app.example.net`). Browsers name it; who names none is no browser. */
  readonly allowedOrigins: readonly string[]
  readonly clock: Clock
  /** Default: `createServer` of `node:http`, which is plain. */
  readonly createServer?: CreateServer | undefined
}

export interface WebSocketListener {
  readonly address: { readonly host: string; readonly port: number }
  readonly unauthenticated: UnauthenticatedStatus
  /** Takes no more connections; those that stand stay. */
  stop(): void
  /** Ends all connections; resolves when they have. */
  close(): Promise<void>
}

const TOO_MANY = 'too many unauthenticated connections (maxHandshakes, maxHandshakesPerAddress)'

/**
 * Listens for WebSockets. Messages are not compressed: they are small, and compression costs memory for each connection.
 *
 * @example
 * const listener = await listenForWebSockets(options, (connection) => new EchoHandler(connection))
 * console.log(listener.address.port)
 * await listener.close()
 * @param accept is given each connection, already open, and returns its handler; it calls `authenticated` when it knows the other side
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForWebSockets = async (
  options: WebSocketListenerOptions,
  accept: (connection: SocketConnection) => SocketHandler,
): Promise<WebSocketListener> => {
  const { clock } = options
  const budget = new ConnectionBudget(options.unauthenticated)
  const http = httpServer(options)
  budget.watch(http)
  const server = webSocketServer(http, options)
  server.on('connection', (socket, { socket: raw }) => {
    const admission = new Admission(socket, raw, clock)
    admission.onAuthenticated(() => budget.authenticated(raw))
    budget.refuseWith(raw, () => admission.refuse(new SojournError('OVERLOADED', TOO_MANY)))
    const connection = new AttachedSocket(socket, clock)
    connection.guard(admission)
    connection.attach(accept(connection), raw)
  })
  const address = await listenOn(http, options)
  const closed = new Promise<void>((resolve) => http.once('close', resolve))
  const stop = () => {
    if (!http.listening) return
    server.close()
    http.close()
    http.closeIdleConnections()
  }
  return {
    address,
    get unauthenticated() {
      return budget.status
    },
    stop,
    async close() {
      stop()
      for (const socket of server.clients) socket.terminate()
      http.closeAllConnections()
      await closed
    },
  }
}

const httpServer = ({ notice, upgradeTimeoutMs, createServer = createPlainServer }: WebSocketListenerOptions): Server =>
  createServer(
    {
      headersTimeout: upgradeTimeoutMs,
      requestTimeout: upgradeTimeoutMs,
      keepAliveTimeout: upgradeTimeoutMs,
      connectionsCheckingInterval: Math.ceil(upgradeTimeoutMs / 2),
    },
    (_request, response) => {
      response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket', connection: 'close' })
      response.end(notice)
    },
  )

const webSocketServer = (
  http: Server,
  { protocol, maxFrameBytes, allowedOrigins }: WebSocketListenerOptions,
): WebSocketServer => {
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    // Our protocols ping by messages of their own; answers to these would queue without limit for who does not read.
    autoPong: false,
    maxPayload: maxFrameBytes,
    handleProtocols: (protocols) => (protocols.has(protocol) ? protocol : false),
    // A page that somebody's browser shows reaches what the browser reaches; no policy of browsers keeps WebSockets from it.
    verifyClient: ({ origin }, done) => {
      if (origin === undefined || allowedOrigins.includes(origin)) done(true)
      else done(false, 403, 'the origin of this web page is not in allowedOrigins')
    },
  })
  // `http` reports its own errors; without a listener, ws would throw what it repeats.
  server.on('error', () => {})
  return server
}
