/** The identity listener: what is asked of tokens over HTTP, by whom, and how it is answered. */
import { hash } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import { isSojournError, SojournError } from '@sojourn/core/internal'
import { answerHttp, type CreateServer, type HttpAnswer, readBody } from '@sojourn/net'
import { type Admitted, type HttpListener, listenForHttp, parseTarget } from '../http-listener.js'
import type { Scope, TokenBook } from '../tokens.js'
import { callerOf } from './callers.js'
import type { Endpoints } from './endpoints.js'
import type { IdentityLimits } from './limits.js'
import { refusalOf, refuse } from './oauth-errors.js'

export interface IdentityListenerOptions {
  readonly host: string
  readonly port: number
  readonly createServer: CreateServer
  readonly limits: IdentityLimits
  readonly tokens: TokenBook
  readonly endpoints: Endpoints
  /** The public keys; undefined: no JWT is known here. */
  readonly jwks: (() => object) | undefined
  /** Whether logout tokens are taken. */
  readonly takesLogouts: boolean
  /** Whether the replica holds what its peers had. Before that, a session may be missing that lives. */
  readonly isReady: () => boolean
  /** What came of a request. */
  readonly answered: (endpoint: EndpointName, outcome: string) => void
  /** Something was thrown that ought not to be. */
  readonly failed: (error: unknown) => void
}

export type EndpointName = 'jwks' | 'introspect' | 'revoke' | 'logout'

interface Answered {
  readonly outcome: string
  readonly answer: HttpAnswer
}

interface Endpoint {
  readonly name: EndpointName
  readonly method: 'GET' | 'POST'
  /** What the caller's token must allow; undefined: who asks need not be known. */
  readonly scope?: Scope
  readonly answer: (request: IncomingMessage) => Promise<Answered>
}

/** How long a key set may be kept: as long as a token lives that nobody set otherwise. Seconds. */
const JWKS_MAX_AGE = 300
/** RFC 7009 and Back-Channel Logout answer with nothing but a status. */
const DONE: HttpAnswer = { text: '' }

/** @throws INVALID_OPTION where the address cannot be listened on */
export const listenForIdentity = (options: IdentityListenerOptions): Promise<HttpListener> => {
  const { host, port, createServer, limits } = options
  return listenForHttp({
    name: 'identity',
    host,
    port,
    createServer,
    limits,
    handle: (admitted) => serve(options, endpointsOf(options), admitted),
  })
}

/** By path. */
const endpointsOf = ({
  endpoints,
  jwks,
  takesLogouts,
  limits,
}: IdentityListenerOptions): ReadonlyMap<string, Endpoint> => {
  const form = (request: IncomingMessage, name: string) => parameterOf(request, name, limits.maxBodyBytes)
  const offered: [path: string, endpoint: Endpoint][] = [
    [
      '/introspect',
      {
        name: 'introspect',
        method: 'POST',
        scope: 'read',
        answer: async (request) => {
          const json = await endpoints.introspect(await form(request, 'token'))
          return { outcome: json.active ? 'active' : 'inactive', answer: { json } }
        },
      },
    ],
    [
      '/revoke',
      {
        name: 'revoke',
        method: 'POST',
        scope: 'write',
        answer: async (request) => ({ outcome: await endpoints.revoke(await form(request, 'token')), answer: DONE }),
      },
    ],
  ]
  if (jwks) {
    const answer = async (request: IncomingMessage) => ({ outcome: 'ok', answer: answerJwks(request, jwks()) })
    offered.push(['/.well-known/jwks.json', { name: 'jwks', method: 'GET', answer }])
  }
  if (takesLogouts) {
    const answer = async (request: IncomingMessage) => ({
      outcome: await endpoints.logout(await form(request, 'logout_token')),
      answer: DONE,
    })
    offered.push(['/backchannel-logout', { name: 'logout', method: 'POST', answer }])
  }
  return new Map(offered)
}

const serve = (
  options: IdentityListenerOptions,
  endpoints: ReadonlyMap<string, Endpoint>,
  admitted: Admitted,
): RequestListener => {
  const answer = async (request: IncomingMessage): Promise<HttpAnswer> => {
    const endpoint = endpoints.get(parseTarget(request.url).pathname)
    if (endpoint === undefined) return refuse(404, 'invalid_request', 'no endpoint has this path')
    const { method, name } = endpoint
    if ((request.method === 'HEAD' ? 'GET' : request.method) !== method)
      return { ...refuse(405, 'invalid_request', `this endpoint takes ${method}`), headers: { allow: method } }
    try {
      const { outcome, answer } = await answerAt(endpoint, request, options, admitted)
      options.answered(name, outcome)
      return answer
    } catch (error) {
      options.answered(name, outcomeOf(error))
      throw error
    }
  }
  return (request, response) => {
    answer(request)
      .catch((error: unknown) => refusalOf(error, options.failed))
      .then((reply) => answerHttp(response, reply, request.method === 'HEAD'))
      // Who asked is gone.
      .catch(() => response.destroy())
  }
}

const answerAt = async (
  { method, scope, answer }: Endpoint,
  request: IncomingMessage,
  { tokens, isReady }: IdentityListenerOptions,
  admitted: Admitted,
): Promise<Answered> => {
  // What is asked here is asked by services. Browsers say when a page asks.
  if (request.headers.origin !== undefined)
    throw new SojournError('SCOPE_REFUSED', 'the identity listener refuses requests from web pages')
  if (scope !== undefined) {
    callerOf(request.headers, tokens, scope)
    admitted.add(request.socket)
  }
  if (method === 'POST' && !isReady())
    throw new SojournError('OVERLOADED', 'the region is catching up with the others. Try again later')
  return answer(request)
}

/** One parameter of a form. @throws FRAME_INVALID, FRAME_TOO_LARGE */
const parameterOf = async (request: IncomingMessage, name: string, maxBytes: number): Promise<string> => {
  const { 'content-type': type = '' } = request.headers
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type))
    throw new SojournError('FRAME_INVALID', 'send a form: Content-Type: application/x-www-form-urlencoded')
  const values = new URLSearchParams(await readBody(request, maxBytes)).getAll(name)
  if (values.length === 1 && values[0] !== '') return values[0]!
  throw new SojournError('FRAME_INVALID', `the form must have the parameter ${name} once`)
}

const answerJwks = ({ headers }: IncomingMessage, jwks: object): HttpAnswer => {
  const text = JSON.stringify(jwks)
  const etag = `"${hash('sha256', text, 'base64url')}"`
  const kept = { 'cache-control': `public, max-age=${JWKS_MAX_AGE}`, etag }
  const isKnown = headers['if-none-match']?.split(',').some((each) => each.trim().replace(/^W\//, '') === etag)
  return isKnown ? { status: 304, text: '', headers: kept } : { text, type: 'application/jwk-set+json', headers: kept }
}

/** A few words: a code, or why a token was refused. Nothing that a caller chose. */
const outcomeOf = (error: unknown): string => {
  if (!isSojournError(error)) return 'BUG'
  return error.code === 'TOKEN_INVALID' && error.reason !== undefined ? error.reason : error.code
}
