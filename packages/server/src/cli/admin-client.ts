/** What commands ask regions by: the admin listener of each, over HTTP. */
import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import { ERROR_CODES, type ErrorCode, SojournError } from '@sojourn/core/internal'
import type { AdminStatus } from '../admin/routes.js'
import { readText } from '../config/load.js'
import { MAX_BODY_BYTES, readBody } from '../http.js'
import type { Credentials } from '../tls.js'

export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:7402'
/** A digest of a large store takes its time; silence longer than this is none. */
const TIMEOUT_MS = 60_000
/** A status is there at once. Who asks all regions how they are must not wait long for the one that is not well. */
const STATUS_TIMEOUT_MS = 3_000

/** What a command takes to reach regions. */
export interface AdminFlags {
  readonly admin?: readonly string[]
  readonly tokenFile?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

/** One region's admin listener. */
export class AdminClient {
  readonly url: URL
  readonly #token: string | undefined
  readonly #credentials: Credentials

  constructor(url: URL, token: string | undefined, credentials: Credentials) {
    this.url = url
    this.#token = token
    this.#credentials = credentials
  }

  /** The same token and certificates, at another region. @throws INVALID_OPTION */
  at(url: string): AdminClient {
    return new AdminClient(parseUrl(url), this.#token, this.#credentials)
  }

  status(): Promise<AdminStatus> {
    return this.get('/status', STATUS_TIMEOUT_MS) as Promise<AdminStatus>
  }

  /** @throws UNAVAILABLE; what the region answers with */
  async get(path: string, timeoutMs = TIMEOUT_MS): Promise<unknown> {
    return parse(await readBody(await this.open('GET', path, undefined, timeoutMs), MAX_BODY_BYTES))
  }

  /** @throws UNAVAILABLE; what the region answers with */
  async post(path: string, body: unknown): Promise<unknown> {
    return parse(await readBody(await this.open('POST', path, JSON.stringify(body)), MAX_BODY_BYTES))
  }

  /** An answer whose status is 200. @throws UNAVAILABLE; what the region answers with */
  async open(method: string, path: string, body?: string, timeoutMs = TIMEOUT_MS): Promise<IncomingMessage> {
    const { url } = this
    const secure = url.protocol === 'https:'
    const options: RequestOptions = {
      method,
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port || (secure ? 443 : 80),
      path: `${url.pathname.replace(/\/$/, '')}${path}`,
      headers: {
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      timeout: timeoutMs,
      agent: false,
    }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = secure
        ? requestSecure({ ...options, ...this.#credentials }, resolve)
        : requestPlain(options, resolve)
      request.on('timeout', () => request.destroy(new Error(`silent for ${timeoutMs / 1_000} s`)))
      request.on('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new SojournError('UNAVAILABLE', `${url.origin} cannot be reached (${cause.code ?? cause.message})`, {
            cause,
          }),
        ),
      )
      request.end(body)
    })
    if (answer.statusCode === 200) return answer
    throw errorOf(await readBody(answer, MAX_BODY_BYTES), url, this.#token !== undefined)
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SojournError('FRAME_INVALID', 'the answer is no JSON', { cause })
  }
}

const NO_TOKEN = 'asks for a token, and none was given; set SOJOURN_TOKEN, or give --token-file'
const WRONG_TOKEN = 'does not know the token that was given (SOJOURN_TOKEN, --token-file)'

const errorOf = (text: string, { origin }: URL, hasToken: boolean): SojournError => {
  try {
    const { error } = JSON.parse(text) as { error: { code: ErrorCode; message: string } }
    const { code, message, ...details } = error
    if (code === 'TOKEN_REFUSED') return new SojournError(code, `${origin} ${hasToken ? WRONG_TOKEN : NO_TOKEN}`)
    if (Object.hasOwn(ERROR_CODES, code)) return new SojournError(code, message.replace(`${code}: `, ''), details)
    return new SojournError('UNAVAILABLE', `${origin} answers: ${message}`)
  } catch {
    return new SojournError('UNAVAILABLE', `${origin} is no admin listener of Sojourn`)
  }
}

/** @throws INVALID_OPTION */
const parseUrl = (text: string): URL => {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text)
  throw new SojournError(
    'INVALID_OPTION',
    `--admin is ${JSON.stringify(text)}; give an address such as ${DEFAULT_ADMIN_URL}`,
    {
      option: 'admin',
    },
  )
}

/** The regions that a command was given, the first one first. @throws INVALID_OPTION */
export const adminClients = (flags: AdminFlags, env: NodeJS.ProcessEnv): [AdminClient, ...AdminClient[]] => {
  const urls = flags.admin ?? env.SOJOURN_ADMIN_URL?.split(',') ?? [DEFAULT_ADMIN_URL]
  const token = flags.tokenFile === undefined ? env.SOJOURN_TOKEN : readText(flags.tokenFile, '--token-file').trim()
  const file = (path: string | undefined, flag: string) => (path === undefined ? undefined : readText(path, flag))
  const [ca, cert, key] = [
    file(flags.caFile, '--ca-file'),
    file(flags.certFile, '--cert-file'),
    file(flags.keyFile, '--key-file'),
  ]
  const credentials = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  const [first, ...rest] = urls.map((url) => new AdminClient(parseUrl(url.trim()), token || undefined, credentials))
  return [first!, ...rest]
}
