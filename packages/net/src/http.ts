/** Small HTTP: one request and its answer; bodies that are read whole, up to a bound; answers in JSON, as text, or as a stream. */
import { type IncomingMessage, type RequestOptions, request as requestPlain, type ServerResponse } from 'node:http'
import { request as requestSecure } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { SojournError } from '@sojourn/core/internal'
import type { TlsOptions } from './tls.js'

/** One line of an answer in lines: a session without its data, or an error. */
const MAX_LINE_BYTES = 64 * 1024
/** A session may have 64 kB; nothing that is asked or answered as a whole is longer than this. Backups are streamed. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024
/** What comes in is shorter. */
const MAX_REQUEST_BYTES = 64 * 1024

export interface HttpRequest {
  readonly method: string
  /** Follows the path of the address; may have a query. */
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body?: string | undefined
  /** Silence after which the request is given up, milliseconds. */
  readonly timeoutMs: number
  /** Of `https:` and `wss:`. Default: the authorities that Node.js trusts, and no certificate to show. */
  readonly tls?: TlsOptions | undefined
}

/**
 * Asks on a connection of its own.
 *
 * @example
 * const answer = await askHttp(new URL('http://127.0.0.1:7402'), { method: 'GET', path: '/status', headers: {}, timeoutMs: 3_000 })
 * const status = parseJson(await readBody(answer, MAX_BODY_BYTES), 'the answer')
 * @param url `http:` or `https:`, or the address of a listener of WebSockets, which answers requests, too
 * @returns the head of the answer, whatever its status; its body is yet to be read
 * @throws the system's error where there is no answer
 */
export const askHttp = (url: URL, request: HttpRequest): Promise<IncomingMessage> => {
  const { method, path, headers, body, timeoutMs, tls } = request
  const secure = url.protocol === 'https:' || url.protocol === 'wss:'
  const options: RequestOptions = {
    method,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port || (secure ? 443 : 80),
    path: `${url.pathname.replace(/\/$/, '')}${path}`,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    timeout: timeoutMs,
    agent: false,
  }
  return new Promise((resolve, reject) => {
    const asked = secure
      ? requestSecure({ ...options, ...(tls as RequestOptions) }, resolve)
      : requestPlain(options, resolve)
    asked.on('timeout', () => asked.destroy(new Error(`silent for ${timeoutMs / 1_000} s`)))
    asked.on('error', reject)
    asked.end(body)
  })
}

/**
 * The whole body of a request or an answer, as text.
 * @example const call = parseJson(await readBody(request), 'the body')
 * @param maxBytes default 64 KB
 * @throws FRAME_TOO_LARGE; FRAME_INVALID where it breaks off
 */
export const readBody = async (message: IncomingMessage, maxBytes = MAX_REQUEST_BYTES): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes)
        throw new SojournError('FRAME_TOO_LARGE', `a body of more than ${maxBytes} bytes`, { limit: maxBytes })
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof SojournError) throw cause
    throw new SojournError('FRAME_INVALID', 'the body is truncated', { cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * The lines of an answer, as they come: empty ones are left out.
 * @example for await (const line of readLines(answer)) console.log(parseJson(line, 'a line of the answer'))
 * @throws FRAME_TOO_LARGE for a line of more than 64 KB; FRAME_INVALID where the answer breaks off
 */
export const readLines = async function* (message: IncomingMessage): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let from = 0
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, from)) {
        if (end > from) yield rest.toString('utf8', from, end)
        from = end + 1
      }
      rest = rest.subarray(from)
      if (rest.length > MAX_LINE_BYTES)
        throw new SojournError('FRAME_TOO_LARGE', `a line of more than ${MAX_LINE_BYTES} bytes`, {
          limit: MAX_LINE_BYTES,
        })
    }
  } catch (cause) {
    if (cause instanceof SojournError) throw cause
    throw new SojournError('FRAME_INVALID', 'the answer is truncated', { cause })
  }
  if (rest.length > 0) throw new SojournError('FRAME_INVALID', 'the last line of the answer is truncated')
}

/**
 * @example parseJson('{"a":1}', 'the body') // { a: 1 }
 * @param what it is, for the error
 * @throws FRAME_INVALID
 */
export const parseJson = (text: string, what: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SojournError('FRAME_INVALID', `${what} is not JSON`, { cause })
  }
}

/** What a request is answered with; its status is 200 unless it has another one. Headers come beside the usual ones, or in their place. */
export type HttpAnswer = { readonly headers?: { readonly [name: string]: string } } & (
  | { readonly json: unknown; readonly status?: number }
  | { readonly text: string; readonly type?: string; readonly status?: number }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly type?: string }
)

/** What JSON lacks is written as it is in a session's arrays (SPEC, "Document"); dates as text. */
const withBytes = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString('base64') } : value

/**
 * Answers a request, and lets nobody keep the answer, unless its headers say so.
 * @example await answerHttp(response, { status: 404, json: { error: 'nothing here' } })
 * @param headOnly the request was `HEAD`. Default: no
 * @throws where who asked is gone, or a stream breaks off; then the response is to be destroyed: half an answer is none
 */
export const answerHttp = async (response: ServerResponse, answer: HttpAnswer, headOnly = false): Promise<void> => {
  response.setHeader('cache-control', 'no-store')
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value)
  if ('stream' in answer) {
    response.writeHead(200, { 'content-type': answer.type ?? 'application/octet-stream' })
    // What is asked for is only whether it is there; what is streamed need not be read for that.
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
