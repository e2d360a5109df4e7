/** What a session's cookie says of its life, what of it is stored, and what is sent to the browser. */
import { types } from 'node:util'
import { type Data, isPlainObject } from '@sojourn/core/internal'
import { toPlain } from './plain.js'

type Fields = { readonly [name: string]: unknown }

/**
 * How much `originalMaxAge` may be off without having been changed, in milliseconds: express-session computes it anew at each request, by two looks
 * at the clock.
 */
const JITTER_MS = 10

/**
 * The cookie as it goes into the session's data; undefined where there is none. When a session expires, its own deadline says, in every region; so
 * `expires` is stored only where nothing else says how the cookie lives.
 *
 * @param before what is stored now: a lifetime that differs by no more than clocks jitter is the same
 */
export const storedCookie = (cookie: unknown, before: unknown): unknown => {
  const plain = toPlain(cookie)
  if (!isPlainObject(plain)) return plain
  // `originalExpires` is @fastify/session's note of what `expires` was when it read the session.
  const { expires, originalExpires: _, ...rest } = plain as Fields
  const { originalMaxAge } = rest
  if (typeof originalMaxAge !== 'number') return { ...rest, ...((expires ?? null) !== null && { expires }) }
  const known = isPlainObject(before) ? before.originalMaxAge : undefined
  const isSame = typeof known === 'number' && Math.abs(known - originalMaxAge) <= JITTER_MS
  return { ...rest, originalMaxAge: isSame ? known : originalMaxAge }
}

/** The cookie as middleware expects it from a store: it expires with the session, unless it lasts as long as the browser, or to a fixed time. */
export const revivedCookie = (stored: unknown, expiresAt: number): unknown => {
  if (!isPlainObject(stored)) return stored
  const { originalMaxAge = null, expires = null } = stored
  return { ...stored, originalMaxAge, expires: typeof originalMaxAge === 'number' ? new Date(expiresAt) : expires }
}

/** Whether a session's cookie has a fixed time at which it expires, and that has passed. */
export const isCookieOver = ({ cookie }: Data, now: number): boolean => {
  const expires = isPlainObject(cookie) ? timeOf(cookie.expires) : undefined
  return expires !== undefined && expires <= now
}

/**
 * How long the cookie asks its session to live, in milliseconds; 0 or less: no longer. Undefined where it lasts as long as the browser, or says nothing
 * that could be understood.
 */
export const askedMs = (cookie: unknown, now: number): number | undefined => {
  if (typeof cookie !== 'object' || cookie === null) return undefined
  const { originalMaxAge, maxAge, expires } = cookie as Fields
  if (isNumber(originalMaxAge)) return originalMaxAge
  const time = timeOf(expires)
  if (time !== undefined) return time - now
  return isNumber(maxAge) ? maxAge : undefined
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const timeOf = (expires: unknown): number | undefined => {
  if (!types.isDate(expires) && typeof expires !== 'string') return undefined
  const time = new Date(expires).getTime()
  return Number.isNaN(time) ? undefined : time
}

/** By what express-session and @fastify/session ask a cookie for what goes to the browser: a getter, and a method. */
type Sent = { data?: Fields; toJSON?: () => Fields }

/** When the session of a cookie is gone at the latest, in milliseconds since the epoch. */
type Latest = () => number

/** Not seen where a cookie is printed, or copied. */
const LATEST = Symbol('sojourn.latest')

type Capped = object & { readonly [LATEST]: Latest }

const capped = (cookie: Capped, sent: Fields): Fields => {
  const { expires } = sent
  if (!(expires instanceof Date)) return sent
  const latest = cookie[LATEST]()
  return expires.getTime() > latest ? { ...sent, expires: new Date(latest) } : sent
}

const sentBy = (cookie: object): Sent => Object.getPrototypeOf(cookie) ?? {}

// One getter and one method for all cookies: with others for each, the engine would give every cookie a hidden class of its own.
const CAPPED_DATA: PropertyDescriptor = {
  configurable: true,
  get(this: Capped) {
    return capped(this, Reflect.get(sentBy(this), 'data', this) as Fields)
  },
}
const CAPPED_JSON: PropertyDescriptor = {
  configurable: true,
  value(this: Capped) {
    return capped(this, sentBy(this).toJSON!.call(this))
  },
}

/**
 * From now on the cookie sends the browser no later `expires` than its session can live to. The object stays what it is, because the middleware
 * made it.
 * @param latest milliseconds since the epoch
 */
export const capCookie = (cookie: unknown, latest: Latest): void => {
  if (typeof cookie !== 'object' || cookie === null || Object.hasOwn(cookie, 'toJSON') || !Object.isExtensible(cookie))
    return
  const prototype = sentBy(cookie)
  Object.defineProperty(cookie, LATEST, { configurable: true, value: latest })
  if ('data' in prototype) Object.defineProperty(cookie, 'data', CAPPED_DATA)
  if (typeof prototype.toJSON === 'function') Object.defineProperty(cookie, 'toJSON', CAPPED_JSON)
}

/**
 * The same for koa-session, which sends its cookie after the save, by options that it made for this one request.
 * @param leftMs how long the session can live at most, from now on
 */
export const capKoaCookie = (context: object, leftMs: number): void => {
  const { sessionOptions } = context as { sessionOptions?: { maxAge?: unknown } }
  if (isNumber(sessionOptions?.maxAge) && sessionOptions.maxAge > leftMs) sessionOptions.maxAge = leftMs
}
