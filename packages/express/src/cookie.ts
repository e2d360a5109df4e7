import type { SessionData } from 'express-session'

/** What express-session keeps of a cookie. `expires` is not stored: the session's own deadline says it, in every region. */
type StoredCookie = Record<string, unknown> & { originalMaxAge?: number | null }

/** The cookie as it goes into the session's data. */
export const storedCookie = (cookie: SessionData['cookie']): StoredCookie => {
  const json: unknown = (cookie as { toJSON?: () => unknown }).toJSON?.() ?? cookie
  const { expires: _, ...rest } = json as StoredCookie & { expires?: unknown }
  return rest
}

/** The cookie as express-session expects it from a store: it expires with the session, unless it lasts as long as the browser. */
export const revivedCookie = (stored: StoredCookie | undefined, expiresAt: number): SessionData['cookie'] => {
  const originalMaxAge = stored?.originalMaxAge ?? null
  const expires = originalMaxAge === null ? null : new Date(expiresAt)
  return { ...stored, originalMaxAge, expires } as SessionData['cookie']
}

/** How long a session may be idle: the cookie's lifetime, or the store's default for a cookie that lasts as long as the browser. */
export const idleTimeoutOf = (session: SessionData): number | undefined => {
  const maxAge = session.cookie?.originalMaxAge
  return typeof maxAge === 'number' ? Math.max(1, maxAge) : undefined
}
