/** What commands ask regions by: the admin listener of each, over HTTP. */
import type { IncomingMessage } from 'node:http'
import { ERROR_CODES, type ErrorCode, SojournError } from '@sojourn/core/internal'
import { askHttp, MAX_BODY_BYTES, parseJson, readBody, readLines, readText, type TlsOptions } from '@sojourn/net'
import {
  ADMIN_ROUTES,
  type AdminAnswer,
  type AdminCall,
  type AdminLine,
  type AdminLines,
  type AdminRequest,
  adminError,
  adminTarget,
  checkJson,
  type JsonShape,
} from '@sojourn/wire'

export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:7402'
/** A digest of a large store takes its time; silence longer than this is none. */
const TIMEOUT_MS = 60_000
/** A status is there at once. Who asks all regions how they are must not wait long for the one that is not well. */
const STATUS_TIMEOUT_MS = 3_000

/** What a command takes to reach regions. */
export interface AdminFlags {
  readonly admin?: readonly string[] | undefined
  readonly tokenFile?: string | undefined
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

/** One region's admin listener. */
export class AdminClient {
  readonly url: URL
  readonly #token: string | undefined
  readonly #credentials: TlsOptions

  constructor(url: URL, token: string | undefined, credentials: TlsOptions) {
    this.url = url
    this.#token = token
    this.#credentials = credentials
  }

  /** The same token and certificates, at another region. @throws INVALID_OPTION */
  at(url: string): AdminClient {
    return new AdminClient(parseUrl(url), this.#token, this.#credentials)
  }

  /**
   * What the region answers, as JSON.
   * @example const { region, ready } = await client.ask('status', {})
   * @throws UNAVAILABLE; what the region answers with
   */
  async ask<N extends AdminCall>(name: N, request: AdminRequest<N>): Promise<AdminAnswer<N>> {
    const { path, answer: shape } = ADMIN_ROUTES[name]
    const answer = parseJson(await readBody(await this.open(name, request), MAX_BODY_BYTES), 'the answer')
    return this.#checked(path, shape as JsonShape<unknown>, answer) as AdminAnswer<N>
  }

  /**
   * What the region answers in lines, as they come.
   * @example for await (const { handle } of client.lines('sessions', { subject })) console.log(handle)
   * @throws UNAVAILABLE; what the region answers with, in the place of the answer or of a line
   */
  async *lines<N extends AdminLines>(name: N, request: AdminRequest<N>): AsyncGenerator<AdminLine<N>> {
    const { path, answer: shape } = ADMIN_ROUTES[name]
    for await (const text of readLines(await this.open(name, request))) {
      const line = parseJson(text, 'a line of the answer')
      if (adminError.fault(line) === undefined) throw errorOf(text, this.url, this.#token !== undefined)
      yield this.#checked(path, shape.line, line) as AdminLine<N>
    }
  }

  #checked(path: string, shape: JsonShape<unknown>, answer: unknown): unknown {
    const fault = shape.fault(answer)
    if (fault === undefined) return answer
    const where = [path, ...fault.path].join(' ')
    throw new SojournError('UNAVAILABLE', `${this.url.origin} answers ${where} with something other than ${fault.give}`)
  }

  /** An answer whose status is 200, and whose body is yet to be read. @throws UNAVAILABLE; what the region answers with */
  async open<N extends AdminCall>(name: N, request: AdminRequest<N>): Promise<IncomingMessage> {
    const { url } = this
    const { method } = ADMIN_ROUTES[name]
    const answer = await askHttp(url, {
      method,
      path: adminTarget(name, request),
      headers: this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` },
      body: method === 'POST' ? JSON.stringify(request) : undefined,
      timeoutMs: name === 'status' ? STATUS_TIMEOUT_MS : TIMEOUT_MS,
      tls: this.#credentials,
    }).catch((cause: NodeJS.ErrnoException) => {
      const why = `${url.origin} cannot be reached (${cause.code ?? cause.message})`
      throw new SojournError('UNAVAILABLE', `${why}${adviceFor(cause.code ?? '', url)}`, { cause })
    })
    if (answer.statusCode === 200) return answer
    throw errorOf(await readBody(answer, MAX_BODY_BYTES), url, this.#token !== undefined)
  }
}

/** What to do about a mistake with TLS, by the code of Node.js. */
const adviceFor = (code: string, { protocol }: URL): string => {
  if (/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_)/.test(code))
    return '. Its certificate is not trusted here: give --ca-file'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return '. Its certificate has another name: use that one in --admin'
  if (protocol === 'https:' && /^(EPROTO|ERR_SSL_)/.test(code)) return '. Is it http:// rather than https://?'
  if (protocol === 'http:' && /^(ECONNRESET|HPE_)/.test(code)) return '. Is it https:// rather than http://?'
  return ''
}

const NO_TOKEN = 'needs a token. Set SOJOURN_TOKEN, or give --token-file'
const WRONG_TOKEN = 'does not know the token from SOJOURN_TOKEN or --token-file'

const errorOf = (text: string, { origin }: URL, hasToken: boolean): SojournError => {
  try {
    const { error } = checkJson(adminError, JSON.parse(text), 'FRAME_INVALID', 'the answer')
    const { code: given, message, ...details } = error
    const code = given as ErrorCode
    if (code === 'TOKEN_REFUSED') return new SojournError(code, `${origin} ${hasToken ? WRONG_TOKEN : NO_TOKEN}`)
    if (Object.hasOwn(ERROR_CODES, code)) return new SojournError(code, message.replace(`${code}: `, ''), details)
    if (given === 'NOT_FOUND')
      return new SojournError('UNAVAILABLE', `${origin} does not know this call: it is older, or --admin has a path`)
    return new SojournError('UNAVAILABLE', `${origin} answers: ${message}`)
  } catch {
    return new SojournError('UNAVAILABLE', `${origin} is not a Sojourn admin listener`)
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
