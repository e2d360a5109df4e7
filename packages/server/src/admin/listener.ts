/** The admin listener: who may ask what over HTTP, how many at a time, and how it is answered. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ErrorCode, isSojournError, SojournError } from '@sojourn/core/internal'
import { ConnectionBudget, type CreateServer, cannotListen, type UnauthenticatedStatus } from '@sojourn/replica'
import { readBody } from '../http.js'
import { allows, type Scope, type TokenBook } from '../tokens.js'
import { isLoopback, namesThisMachine } from './hosts.js'
import type { AdminLimits } from './limits.js'

/** What a route answers with. */
export type Answer =
  | { readonly json: unknown; readonly status?: number }
  | { readonly text: string; readonly type?: string; readonly status?: number }
  | { readonly stream: AsyncIterable<Uint8Array> }

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `open`: for anyone, because a probe has no token; it tells whether, and why not. */
  readonly scope: Scope | 'open'
  /** Whether somebody on this machine may ask without a token. */
  readonly openOnLoopback?: boolean
  readonly answer: (input: { readonly query: URLSearchParams; readonly body: unknown }) => Promise<Answer> | Answer
}

export type Routes = { readonly [path: string]: Route }

export interface AdminOptions {
  readonly routes: Routes
  readonly tokens: TokenBook
  readonly host: string
  readonly port: number
  readonly createServer: CreateServer
  readonly allowAnyone: boolean
  /** Names, beside those of loopback, under which it may be asked without a token. */
  readonly allowedHosts: readonly string[]
  readonly limits: AdminLimits
  /** Something was thrown that ought not to be. */
  readonly failed: (error: unknown) => void
}

export interface AdminListener {
  readonly address: { readonly host: string; readonly port: number }
  /** Connections of who has shown no token yet. */
  readonly unauthenticated: UnauthenticatedStatus
  /** Takes no more requests, and cuts what is left of those under way. */
  close(): Promise<void>
}

/** How often Node.js looks for requests and connections that take too long. */
const CHECK_INTERVAL_MS = 1_000

const STATUS: { readonly [code in ErrorCode]?: number } = {
  INVALID_OPTION: 400,
  INVALID_DATA: 400,
  FRAME_INVALID: 400,
  TOKEN_REFUSED: 401,
  SCOPE_REFUSED: 403,
  SESSION_NOT_FOUND: 404,
  FRAME_TOO_LARGE: 413,
  QUORUM_UNMET: 503,
  OVERLOADED: 503,
  REPLICA_CLOSED: 503,
}

/** @throws INVALID_OPTION where the address cannot be listened on */
export const listenForAdmin = async (options: AdminOptions): Promise<AdminListener> => {
  const { createServer, host, port, limits, failed } = options
  const { maxHeadersMs, maxRequestMs, maxIdleMs, maxUnauthenticated, maxUnauthenticatedPerAddress } = limits
  const budget = new ConnectionBudget({ max: maxUnauthenticated, maxPerAddress: maxUnauthenticatedPerAddress })
  const server = createServer(
    {
      headersTimeout: maxHeadersMs,
      requestTimeout: Math.max(maxHeadersMs, maxRequestMs),
      keepAliveTimeout: maxIdleMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    serve(options, new Admitted(budget, limits.maxConnections), failed),
  )
  budget.watch(server)
  await listen(server, host, port)
  const address = server.address() as AddressInfo
  return {
    address: { host: address.address, port: address.port },
    get unauthenticated() {
      return budget.status
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(cannotListen({ name: 'admin', option: 'admin.port', host, port }, cause)),
    )
    server.listen(port, host, resolve)
  })

/** The connections of who has shown a good token: they are no longer closed to make room for others. */
class Admitted {
  readonly #budget: ConnectionBudget
  readonly #max: number
  readonly #sockets = new Set<Socket>()

  constructor(budget: ConnectionBudget, max: number) {
    this.#budget = budget
    this.#max = max
  }

  /** @throws OVERLOADED */
  add(socket: Socket): void {
    if (this.#sockets.has(socket)) return
    if (this.#sockets.size >= this.#max)
      throw new SojournError(
        'OVERLOADED',
        `${this.#max} connections have shown a token (admin.limits.maxConnections)`,
        {
          limit: this.#max,
        },
      )
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    this.#budget.authenticated(socket)
  }
}

const BASE = 'http://admin'

/** What a request is for. @throws FRAME_INVALID where its target is no path of this listener */
const parseTarget = (target = ''): URL => {
  const url = target.startsWith('/') && URL.canParse(target, BASE) ? new URL(target, BASE) : undefined
  // `//name/path` names another host.
  if (url?.origin === BASE) return url
  throw new SojournError('FRAME_INVALID', 'the target of the request is no path')
}

const serve = (options: AdminOptions, admitted: Admitted, failed: AdminOptions['failed']): RequestListener => {
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const url = parseTarget(request.url)
    const route = Object.hasOwn(options.routes, url.pathname) ? options.routes[url.pathname] : undefined
    if (route === undefined || (request.method === 'HEAD' ? 'GET' : request.method) !== route.method)
      return { status: 404, json: { error: { code: 'NOT_FOUND', message: 'there is nothing here' } } }
    // A page that somebody's browser shows can reach what the browser can. Browsers say so; the command line and scrapers are none.
    if (request.headers.origin !== undefined) throw new SojournError('SCOPE_REFUSED', 'this is not for web pages')
    if (admit(route, options, request) === 'admitted') admitted.add(request.socket)
    const body = route.method === 'POST' ? parseBody(await readBody(request)) : undefined
    return route.answer({ query: url.searchParams, body })
  }
  return (request, response) => {
    answer(request)
      .catch((error: unknown) => refusal(error, failed))
      .then((reply) => send(response, reply, request.method === 'HEAD'))
      // Who asked is gone, or what was streamed could not be read to its end; half of it is no answer.
      .catch(() => response.destroy())
  }
}

/**
 * Whether who asks may: because it is `open` to all, or because they are `admitted`.
 * @throws TOKEN_REFUSED, SCOPE_REFUSED
 */
const admit = (route: Route, options: AdminOptions, { headers }: IncomingMessage): 'open' | 'admitted' => {
  const { tokens, allowAnyone, host } = options
  if (route.scope === 'open') return 'open'
  const { authorization = '' } = headers
  const token = /^Bearer (\S+)$/i.exec(authorization)?.[1]
  const bearer = token === undefined ? undefined : tokens.check(token)
  if (bearer !== undefined && allows(bearer.scope, route.scope)) return 'admitted'
  if (allowAnyone || (route.openOnLoopback && isLoopback(host))) {
    checkHost(headers.host, options)
    return allowAnyone ? 'admitted' : 'open'
  }
  if (bearer !== undefined)
    throw new SojournError(
      'SCOPE_REFUSED',
      `the token of ${bearer.name} has the scope ${bearer.scope}; this takes ${route.scope}`,
    )
  if (token !== undefined) throw new SojournError('TOKEN_REFUSED', 'this server does not know the token that was given')
  throw new SojournError('TOKEN_REFUSED', 'no token was given; give one in the header `Authorization: Bearer <token>`')
}

/**
 * A page can have a name of its own lead to this machine (DNS rebinding); then its requests come without an `Origin`, and from
 * here. What it cannot have is a name of this machine. Beyond loopback, this listener has names that it does not know.
 * @throws SCOPE_REFUSED
 */
const checkHost = (header: string | undefined, { host, allowedHosts }: AdminOptions): void => {
  if (!isLoopback(host) || namesThisMachine(header, allowedHosts)) return
  throw new SojournError(
    'SCOPE_REFUSED',
    'without a token, this listener answers to localhost, 127.0.0.1, [::1] and the names in admin.allowedHosts only',
  )
}

const parseBody = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new SojournError('FRAME_INVALID', 'the body is no JSON')
  }
}

const refusal = (error: unknown, failed: AdminOptions['failed']): Answer => {
  if (!isSojournError(error)) {
    failed(error)
    return { status: 500, json: { error: { code: 'BUG', message: 'something went wrong; the log says what' } } }
  }
  const { name: _, cause: __, ...fields } = error
  return { status: STATUS[error.code] ?? 500, json: { error: { ...fields, code: error.code, message: error.message } } }
}

/** What JSON lacks is written as it is in a session's arrays (SPEC, "Document"); dates as text. */
const withBytes = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value

const send = async (response: ServerResponse, answer: Answer, headOnly: boolean): Promise<void> => {
  response.setHeader('cache-control', 'no-store')
  if ('stream' in answer) {
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    // What is asked for is only whether it is there; the store need not be read for that.
    if (headOnly) response.end()
    else await pipeline(Readable.from(answer.stream), response)
    return
  }
  const [type, text] =
    'text' in answer
      ? [answer.type ?? 'text/plain; charset=utf-8', answer.text]
      : ['application/json', `${JSON.stringify(answer.json, withBytes)}\n`]
  response.writeHead(answer.status ?? 200, { 'content-type': type })
  response.end(headOnly ? undefined : text)
}
