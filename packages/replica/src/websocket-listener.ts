/** Listens for WebSockets: who may connect, how many at a time, and how much they may say before it is known who they are. */
import { createServer as createPlainServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Clock, SojournError } from '@sojourn/core/internal'
import { type WebSocket, WebSocketServer } from 'ws'
import { Admission } from './admission.js'
import { ConnectionBudget, type ConnectionBudgetOptions, type UnauthenticatedStatus } from './connection-budget.js'
import { cannotListen } from './listening.js'

/** Called as `http.createServer` is: makes the server that is listened with, plain or with TLS. */
export type CreateServer = (options: ServerOptions, handler: RequestListener) => Server

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

const TOO_MANY = 'too many connections of which it is not known who they are (maxHandshakes, maxHandshakesPerAddress)'

/**
 * Listens for WebSockets. Messages are not compressed: they are small, and compression costs memory for each connection.
 * @param accept is given each connection, already open, and says to the admission when it knows the other side; and what it stands on
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForWebSockets = async (
  options: WebSocketListenerOptions,
  accept: (socket: WebSocket, admission: Admission, raw: Socket) => void,
): Promise<WebSocketListener> => {
  const { host, port, name, option, clock } = options
  const budget = new ConnectionBudget(options.unauthenticated)
  const http = httpServer(options)
  budget.watch(http)
  const server = webSocketServer(http, options)
  server.on('connection', (socket, { socket: raw }) => {
    const admission = new Admission(socket, raw, clock)
    admission.onAuthenticated(() => budget.authenticated(raw))
    budget.refuseWith(raw, () => admission.refuse(new SojournError('OVERLOADED', TOO_MANY)))
    accept(socket, admission, raw)
  })
  await new Promise<void>((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen({ name, option, host, port }, cause)))
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
      else done(false, 403, 'this is not for web pages (allowedOrigins)')
    },
  })
  // `http` reports its own errors; without a listener, ws would throw what it repeats.
  server.on('error', () => {})
  return server
}
