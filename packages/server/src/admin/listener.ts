/** The admin listener: who may ask what over HTTP, how many at a time, and how it is answered. */
import type { IncomingMessage, RequestListener } from 'node:http'
import { type ErrorCode, isSojournError, SojournError } from '@sojourn/core/internal'
import { answerHttp, type CreateServer, type HttpAnswer, parseJson, readBody } from '@sojourn/net'
import {
  ADMIN_ROUTES,
  type AdminAnswer,
  type AdminCall,
  type AdminLine,
  type AdminLines,
  type AdminRequest,
  type AdminRoute,
  adminRequest,
} from '@sojourn/wire'
import type { HttpLimits } from '../http-limits.js'
import { type Admitted, type HttpListener, listenForHttp, parseTarget } from '../http-listener.js'
import { allows, type TokenBook } from '../tokens.js'
import { isLoopback, namesThisMachine } from './hosts.js'

/** What each route answers: as its declaration in @sojourn/wire says. Text may have a type and a status of its own; lines come one by one. */
export type AdminHandlers = {
  readonly [N in AdminCall]: (request: AdminRequest<N>) => Promise<Answer<N>> | Answer<N>
}

type Answer<N extends AdminCall> = (typeof ADMIN_ROUTES)[N]['answer'] extends infer A
  ? A extends 'text'
    ? Extract<HttpAnswer, { readonly text: string }>
    : A extends 'bytes'
      ? Extract<HttpAnswer, { readonly stream: unknown }>
      : N extends AdminLines
        ? AsyncIterable<AdminLine<N>>
        : AdminAnswer<N>
  : never

/** Who called what, for the log: no id, no subject, no token. */
export interface AdminCallMade {
  readonly call: AdminCall
  /** Which of the calls under that name. */
  readonly what: string | undefined
  /** The name of the token; undefined: it came without one, which the settings allow. */
  readonly by: string | undefined
  readonly address: string | undefined
  /** Why it was refused or failed. */
  readonly code: string | undefined
}

export interface AdminOptions {
  readonly handlers: AdminHandlers
  readonly tokens: TokenBook
  readonly host: string
  readonly port: number
  readonly createServer: CreateServer
  readonly allowAnyone: boolean
  /** Names, beside those of loopback, under which it may be asked without a token. */
  readonly allowedHosts: readonly string[]
  readonly limits: HttpLimits
  /** A call was answered that the log names. */
  readonly called: (made: AdminCallMade) => void
  /** Something was thrown that ought not to be. */
  readonly failed: (error: unknown) => void
}

/** What it takes to answer, whatever is listened with. */
type Answering = Omit<AdminOptions, 'createServer' | 'port' | 'limits'>

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
export const listenForAdmin = ({ createServer, host, port, limits, ...options }: AdminOptions): Promise<HttpListener> =>
  listenForHttp({
    name: 'admin',
    createServer,
    host,
    port,
    limits,
    handle: (admitted) => serve({ ...options, host }, admitted, options.failed),
  })

type NamedRoute = AdminRoute & { readonly name: AdminCall }

const ROUTES = new Map<string, NamedRoute>(
  Object.entries(ADMIN_ROUTES).map(([name, route]) => [route.path, { ...route, name: name as AdminCall }]),
)

const serve = (options: Answering, admitted: Admitted, failed: AdminOptions['failed']): RequestListener => {
  const answer = async (request: IncomingMessage): Promise<HttpAnswer> => {
    const url = parseTarget(request.url)
    const route = ROUTES.get(url.pathname)
    if (route === undefined || (request.method === 'HEAD' ? 'GET' : request.method) !== route.method)
      return { status: 404, json: { error: { code: 'NOT_FOUND', message: 'no page has this path' } } }
    // A page that somebody's browser shows can reach what the browser can. Browsers say so; the command line and scrapers are none.
    if (request.headers.origin !== undefined)
      throw new SojournError('SCOPE_REFUSED', 'the admin listener refuses requests from web pages')
    const { by, isAdmitted } = admit(route, options, request)
    if (isAdmitted) admitted.add(request.socket)
    const body = route.method === 'POST' ? parseJson(await readBody(request), 'the body') : undefined
    const asked = adminRequest(route, url.searchParams, body)
    const answering = call(route, asked)
    if (route.isLogged) {
      const made = {
        call: route.name,
        what: (asked as { call?: string }).call,
        by,
        address: request.socket.remoteAddress,
      }
      answering.then(
        () => options.called({ ...made, code: undefined }),
        (error: unknown) => options.called({ ...made, code: isSojournError(error) ? error.code : 'BUG' }),
      )
    }
    return answering
  }
  const call = async (route: NamedRoute, asked: unknown): Promise<HttpAnswer> => {
    const answer = options.handlers[route.name] as (request: unknown) => unknown
    const made = await answer(asked)
    if (typeof route.answer === 'string') return made as HttpAnswer
    return 'line' in route.answer ? answerLines(made as AsyncIterable<unknown>, failed) : { json: made }
  }
  return (request, response) => {
    answer(request)
      .catch((error: unknown) => refusal(error, failed))
      .then((reply) => answerHttp(response, reply, request.method === 'HEAD'))
      // Who asked is gone, or what was streamed could not be read to its end; half of it is no answer.
      .catch(() => response.destroy())
  }
}

/** Who may ask: `isAdmitted` by a token or the settings, or for that the route is open to them. `by`: the name of the token. */
interface Admission {
  readonly isAdmitted: boolean
  readonly by?: string
}

/** @throws TOKEN_REFUSED, SCOPE_REFUSED */
const admit = (route: AdminRoute, options: Answering, { headers }: IncomingMessage): Admission => {
  const { tokens, allowAnyone, host } = options
  if (route.scope === 'open') return { isAdmitted: false }
  const { authorization = '' } = headers
  const token = /^Bearer (\S+)$/i.exec(authorization)?.[1]
  const bearer = token === undefined ? undefined : tokens.check(token)
  if (bearer !== undefined && allows(bearer.scope, route.scope)) return { isAdmitted: true, by: bearer.name }
  if (allowAnyone || (route.scope === 'read' && isLoopback(host))) {
    checkHost(headers.host, options)
    return { isAdmitted: allowAnyone }
  }
  if (bearer !== undefined)
    throw new SojournError(
      'SCOPE_REFUSED',
      `the token of ${bearer.name} has the scope ${bearer.scope}. This request needs ${route.scope}`,
    )
  if (token !== undefined) throw new SojournError('TOKEN_REFUSED', 'the server does not know the token')
  throw new SojournError(
    'TOKEN_REFUSED',
    'the request has no token. Send one in the header `Authorization: Bearer <token>`',
  )
}

/**
 * A page can have a name of its own lead to this machine (DNS rebinding); then its requests come without an `Origin`, and from
 * here. What it cannot have is a name of this machine. Beyond loopback, this listener has names that it does not know.
 * @throws SCOPE_REFUSED
 */
const checkHost = (header: string | undefined, { host, allowedHosts }: Answering): void => {
  if (!isLoopback(host) || namesThisMachine(header, allowedHosts)) return
  throw new SojournError(
    'SCOPE_REFUSED',
    'without a token, this listener answers only for localhost, 127.0.0.1, [::1] and the names in admin.allowedHosts',
  )
}

/**
 * Lines as they come. What fails before the first one is answered as any other call is; what fails later is the last line.
 * @throws what the lines throw before the first one
 */
const answerLines = async (lines: AsyncIterable<unknown>, failed: AdminOptions['failed']): Promise<HttpAnswer> => {
  const source = lines[Symbol.asyncIterator]()
  const first = await source.next()
  const encode = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (let at = first; !at.done; at = await source.next()) yield Buffer.from(`${JSON.stringify(at.value)}\n`)
    } catch (error) {
      yield Buffer.from(`${JSON.stringify(refusal(error, failed).json)}\n`)
    } finally {
      await source.return?.()
    }
  }
  return { stream: encode(), type: 'application/x-ndjson' }
}

const refusal = (error: unknown, failed: AdminOptions['failed']): HttpAnswer & { readonly json: unknown } => {
  if (!isSojournError(error)) {
    failed(error)
    return { status: 500, json: { error: { code: 'BUG', message: 'the server failed. Its log has the error' } } }
  }
  const { name: _, cause: __, ...fields } = error
  return { status: STATUS[error.code] ?? 500, json: { error: { ...fields, code: error.code, message: error.message } } }
}
