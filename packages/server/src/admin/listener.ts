import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ErrorCode, isSojournError, SojournError } from '@sojourn/core'
import type { CreateServer } from '@sojourn/replica'
import { readBody } from '../http.js'
import { allows, type Scope, type TokenBook } from '../tokens.js'

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
  /** Something was thrown that ought not to be. */
  readonly failed: (error: unknown) => void
}

export interface AdminListener {
  readonly address: { readonly host: string; readonly port: number }
  /** Takes no more requests, and cuts what is left of those under way. */
  close(): Promise<void>
}

const MAX_CONNECTIONS = 256
const HEADERS_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000

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

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)

/** @throws INVALID_OPTION where the address cannot be listened on */
export const listenForAdmin = async (options: AdminOptions): Promise<AdminListener> => {
  const { createServer, host, port, failed } = options
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    serve(options, failed),
  )
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, host, port)
  const address = server.address() as AddressInfo
  return {
    address: { host: address.address, port: address.port },
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
      reject(
        new SojournError(
          'INVALID_OPTION',
          `admin: cannot listen on ${host}:${port} (${cause.code ?? cause.message}); choose another address, or port 0 for any free one`,
          { option: 'listen', cause },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })

const serve = (options: AdminOptions, failed: AdminOptions['failed']): RequestListener => {
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://admin')
    const route = Object.hasOwn(options.routes, url.pathname) ? options.routes[url.pathname] : undefined
    if (route === undefined || (request.method === 'HEAD' ? 'GET' : request.method) !== route.method)
      return { status: 404, json: { error: { code: 'NOT_FOUND', message: 'there is nothing here' } } }
    // A page that somebody's browser shows can reach what the browser can. Browsers say so; the command line and scrapers are none.
    if (request.headers.origin !== undefined) throw new SojournError('SCOPE_REFUSED', 'this is not for web pages')
    admit(route, options, request.headers.authorization)
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

/** @throws TOKEN_REFUSED, SCOPE_REFUSED */
const admit = (route: Route, { tokens, allowAnyone, host }: AdminOptions, authorization: string | undefined): void => {
  if (route.scope === 'open' || allowAnyone || (route.openOnLoopback && isLoopback(host))) return
  const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
  const bearer = token === undefined ? undefined : tokens.check(token)
  if (bearer === undefined)
    throw new SojournError('TOKEN_REFUSED', 'give a token that this server knows (Authorization: Bearer)')
  if (!allows(bearer.scope, route.scope))
    throw new SojournError(
      'SCOPE_REFUSED',
      `the token of ${bearer.name} has the scope ${bearer.scope}; this takes ${route.scope}`,
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
    await pipeline(Readable.from(answer.stream), response)
    return
  }
  const [type, text] =
    'text' in answer
      ? [answer.type ?? 'text/plain; charset=utf-8', answer.text]
      : ['application/json', `${JSON.stringify(answer.json, withBytes)}\n`]
  response.writeHead(answer.status ?? 200, { 'content-type': type })
  response.end(headOnly ? undefined : text)
}
