/** Listens for HTTP within bounds: how many connections there are, of whom, and how long each may take. */
import type { RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SojournError } from '@sojourn/core/internal'
import { ConnectionBudget, type CreateServer, listenOn, type UnauthenticatedStatus } from '@sojourn/net'
import type { HttpLimits } from './http-limits.js'

export interface HttpListenerOptions {
  /** What it is for, as its settings are called: `admin`. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly createServer: CreateServer
  readonly limits: HttpLimits
  readonly handle: (admitted: Admitted) => RequestListener
}

export interface HttpListener {
  readonly address: { readonly host: string; readonly port: number }
  /** Connections of who has shown no token yet. */
  readonly unauthenticated: UnauthenticatedStatus
  /** Takes no more requests, and cuts what is left of those under way. */
  close(): Promise<void>
  /** Takes no more requests, and answers those that came whole. */
  drain(): Promise<void>
}

/** How often Node.js looks for requests and connections that take too long. */
const CHECK_INTERVAL_MS = 1_000

/** @throws INVALID_OPTION where the address cannot be listened on */
export const listenForHttp = async (options: HttpListenerOptions): Promise<HttpListener> => {
  const { name, createServer, host, port, limits, handle } = options
  const { maxHeadersMs, maxRequestMs, maxIdleMs, maxUnauthenticated, maxUnauthenticatedPerAddress } = limits
  const budget = new ConnectionBudget({ max: maxUnauthenticated, maxPerAddress: maxUnauthenticatedPerAddress })
  const answer = handle(new Admitted(budget, limits.maxConnections, `${name}.limits.maxConnections`))
  /** Each is on a connection of its own, or waits behind another one there. */
  const unanswered = new Set<ServerResponse>()
  let isDraining = false
  const server = createServer(
    {
      headersTimeout: maxHeadersMs,
      requestTimeout: Math.max(maxHeadersMs, maxRequestMs),
      keepAliveTimeout: maxIdleMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    (request, response) => {
      unanswered.add(response)
      response.once('close', () => unanswered.delete(response))
      if (isDraining) endWith(response)
      answer(request, response)
    },
  )
  budget.watch(server)
  const address = await listenOn(server, { name, option: `${name}.port`, host, port })
  const closed = () => new Promise<void>((resolve) => void server.close(() => resolve()))
  return {
    address,
    get unauthenticated() {
      return budget.status
    },
    close() {
      const closing = closed()
      server.closeAllConnections()
      return closing
    },
    drain() {
      isDraining = true
      const closing = closed()
      for (const response of unanswered) endWith(response)
      server.closeIdleConnections()
      return closing
    },
  }
}

/** Ends the connection after this answer. */
const endWith = (response: ServerResponse): void => {
  if (!response.headersSent) response.setHeader('connection', 'close')
}

/** The connections of who has shown a good token: they are no longer closed to make room for others. */
export class Admitted {
  readonly #budget: ConnectionBudget
  readonly #max: number
  readonly #option: string
  readonly #sockets = new Set<Socket>()

  constructor(budget: ConnectionBudget, max: number, option: string) {
    this.#budget = budget
    this.#max = max
    this.#option = option
  }

  /** @throws OVERLOADED */
  add(socket: Socket): void {
    if (this.#sockets.has(socket)) return
    if (this.#sockets.size >= this.#max)
      throw new SojournError(
        'OVERLOADED',
        `${this.#max} connections with a valid token are open (${this.#option}). Close some, or raise the limit`,
        { limit: this.#max },
      )
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    this.#budget.authenticated(socket)
  }
}

const BASE = 'http://listener'

/**
 * What a request is for.
 * @param target of the request, `request.url`
 * @throws FRAME_INVALID where it is no path of this listener
 */
export const parseTarget = (target = ''): URL => {
  const url = target.startsWith('/') && URL.canParse(target, BASE) ? new URL(target, BASE) : undefined
  // `//name/path` names another host.
  if (url?.origin === BASE) return url
  throw new SojournError('FRAME_INVALID', 'the target of the request is not a path')
}
