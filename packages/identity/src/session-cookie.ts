/** The cookie that carries a session between a browser and the app. */
import { checkId, refuseOption, settingsReader, systemClock } from '@sojourn/core/internal'
import { type CookieAttributes, setCookie, valuesIn } from './cookie-header.js'
import { type CookieValue, readValue, writeValue } from './cookie-value.js'
import type { SerializeOptions, SessionCookieOptions } from './options.generated.js'
import { COOKIE_OPTIONS, SERIALIZE_OPTIONS } from './options.js'

/** Browsers drop a cookie whose name and value are longer together (RFC 6265bis). */
const MAX_COOKIE_BYTES = 4_096
/** The last millisecond that a Date can be. */
const MAX_TIME_MS = 8_640_000_000_000_000

/** What is made of a session's cookie, and read of it. */
export interface SessionCookie {
  /** As browsers know it. */
  readonly name: string
  /**
   * The value of a Set-Cookie header. The cookie lives as long as the session, which each use may renew: so send it again then.
   * @example response.setHeader('set-cookie', cookie.serialize(session))
   * @throws INVALID_OPTION for what no browser would keep
   */
  serialize(session: { readonly id: string; readonly expiresAt: number }, options?: SerializeOptions): string
  /**
   * The value of a Set-Cookie header that has the browser forget the cookie.
   * @example response.setHeader('set-cookie', cookie.clear())
   */
  clear(): string
  /**
   * What a Cookie header says of the session. Undefined: nothing, nothing that can be read, nothing that is signed, or several sessions.
   * It throws nothing, whatever the header holds.
   * @example
   * const found = cookie.read(request.headers.cookie)
   * const session = found && (await sessions.get(found.id))
   */
  read(cookieHeader: string | null | undefined): CookieValue | undefined
}

const readOptions = settingsReader(COOKIE_OPTIONS, 'sessionCookie', {
  maxAge: 'The cookie lives as long as the session: set session.idleTimeout',
  expires: 'The cookie lives as long as the session: set session.idleTimeout',
  secret: 'Give a list of secrets as `keys`',
})
const readSerialize = settingsReader(SERIALIZE_OPTIONS, 'serialize')

/**
 * A cookie that only this host gets, over HTTPS, which no script reads, and which lives as long as its session.
 *
 * @example
 * const cookie = sessionCookie({ keys: [process.env.COOKIE_KEY] })
 * response.setHeader('set-cookie', cookie.serialize(await sessions.create({ cart: {} })))
 * const { id } = cookie.read(request.headers.cookie) ?? {}
 * @throws INVALID_OPTION for options that are unsafe, or contradict each other
 */
export const sessionCookie = (options: SessionCookieOptions = {}): SessionCookie => {
  const { clock = systemClock, keys, limits, ...settings } = readOptions(options)
  const isLocal = settings.insecureLocalhost ?? (settings.url !== undefined && isHttpLocalhost(settings.url))
  checkTogether(settings, isLocal)
  const name = isLocal ? settings.name.replace(PREFIX, '') : settings.name
  const attributes: CookieAttributes = { ...settings, isSecure: !isLocal }
  if (isLocal) warnOnce(name)
  return {
    name,
    serialize(session, given = {}) {
      const { after, now = clock.now() } = readSerialize(given)
      // What `get` gives for an id that is gone.
      if (typeof session !== 'object' || session === null)
        refuseOption('session', 'there is none. Clear the cookie instead')
      checkId(session.id)
      const livesForMs = checkExpiry(session.expiresAt) - now
      const value = writeValue(name, { id: session.id, ...(after !== undefined && { after }) }, keys)
      checkSize(name, value)
      return livesForMs > 0
        ? setCookie(name, value, attributes, livesForMs, now)
        : setCookie(name, '', attributes, 0, now)
    },
    clear: () => setCookie(name, '', attributes, 0, 0),
    read(header) {
      if (typeof header !== 'string' || header.length > limits.maxHeaderBytes) return undefined
      const values = valuesIn(header, name, limits.maxSameName) ?? []
      const found = values.flatMap((value) => readValue(name, value, keys) ?? [])
      // Another host of the domain may have put one beside ours, and nothing says which is which: so it logs nobody in as somebody else.
      return found.every(({ id }) => id === found[0]!.id) ? found[0] : undefined
    },
  }
}

const PREFIX = /^__(?:Host|Secure)-/

interface Together {
  readonly name: string
  readonly domain: string | undefined
  readonly path: string
  readonly sameSite: string
  readonly url: string | undefined
}

/** @throws INVALID_OPTION */
const checkTogether = ({ name, domain, path, sameSite, url }: Together, isLocal: boolean): void => {
  const isHostOnly = name.startsWith('__Host-')
  if (domain !== undefined && isLocal) refuseOption('domain', 'localhost has no domain; leave it out in development')
  if (domain !== undefined && isHostOnly)
    refuseOption('domain', `a __Host- cookie has no domain; leave it out, or name the cookie __Secure-${bare(name)}`)
  if (path !== '/' && isHostOnly)
    refuseOption('path', `a __Host- cookie has the path /; leave it out, or name the cookie __Secure-${bare(name)}`)
  if (sameSite === 'none' && isLocal)
    refuseOption('sameSite', "browsers take SameSite=None with Secure only; give 'lax' or 'strict' on http://localhost")
  if (url === undefined || isLocal === isHttpLocalhost(url)) {
    if (url !== undefined && !isLocal && new URL(url).protocol !== 'https:')
      refuseOption('url', 'browsers take the cookie over HTTPS only; give an https:// address, or http://localhost')
    return
  }
  refuseOption('insecureLocalhost', 'it contradicts url; leave one of them out. It is for http://localhost only')
}

const bare = (name: string): string => name.replace(PREFIX, '')

/** Of the app's own address: a proxy may send localhost as Host for anybody, so no request decides. */
const isHttpLocalhost = (url: string): boolean => {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
}

const checkExpiry = (expiresAt: number): number => {
  if (typeof expiresAt !== 'number' || !(Math.abs(expiresAt) < MAX_TIME_MS / 2))
    refuseOption('expiresAt', "it is no time; give the session's, in milliseconds since the epoch")
  return expiresAt
}

const checkSize = (name: string, value: string): void => {
  const bytes = name.length + value.length
  if (bytes > MAX_COOKIE_BYTES)
    refuseOption('id', `the cookie would have ${bytes} bytes, and browsers keep ${MAX_COOKIE_BYTES}; give a shorter id`)
}

let warned = false

/** Once in a process: a development server makes one cookie, and tests make many. */
const warnOnce = (name: string): void => {
  if (warned) return
  warned = true
  process.emitWarning(
    `the session cookie ${name} goes over plain HTTP, for http://localhost. Leave insecureLocalhost and url out, or give an https:// url, before others use the app`,
    { type: 'SojournWarning', code: 'SOJOURN_INSECURE_COOKIE' },
  )
}
