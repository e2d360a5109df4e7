/** Whose session it is: logins, devices and logouts everywhere, on the session API itself, without express-session. */
import { isSojournError, type Session, type SessionApi } from '@sojourn/core'
import { checkOrigin, type SessionCookie, sessionCookie } from '@sojourn/identity'
import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import { say } from './say.js'

export interface AccountOptions {
  /** The name of the region that it stands in. */
  readonly region: string
  /** A replica, or a client of a server. */
  readonly sessions: SessionApi
  /** Where browsers see the app. */
  readonly port: number
  /** Signs the cookie, the same in all regions: 32 characters or more. */
  readonly cookieSecret: string
  readonly log: (line: string) => void
}

/** How long a request waits for a write that its browser made in another region. */
const FOLLOW = '2s'
const USER = /^[\w-]{1,32}$/
const DEVICE = /^[\w][\w -]{0,31}$/

/** What `/account` answers. */
export const account = ({ region, sessions, port, cookieSecret, log }: AccountOptions): Router => {
  // The shop's cookie is `sid`. This one gets its name without the prefix, because it goes over http://localhost.
  const cookie = sessionCookie({ name: '__Host-account', url: `http://localhost:${port}`, keys: [cookieSecret] })
  const router = Router()
  router.use(ownPages(port))

  // The demo believes everybody. A real app checks a password, or better a passkey, before this.
  router.post('/login', async (req, res) => {
    const { user, device } = req.query
    if (typeof user !== 'string' || !USER.test(user) || typeof device !== 'string' || !DEVICE.test(device))
      return say(res.status(400), { error: 'say who you are, and where: POST /account/login?user=ada&device=Laptop' })
    const found = await sessionOf(req, cookie, sessions)
    const login = { subject: user, device }
    // The session goes on under a new id: whoever knew the old one, perhaps because he planted it, is not logged in by this.
    const session = await (found ? sessions.elevate(found.id, login) : sessions.create({}, login))
    keep(res, cookie, session)
    log(`${user} logged in on ${device}`)
    say(res, { region, user, device })
  })

  router.get('/', async (req, res) => {
    const found = await sessionOf(req, cookie, sessions)
    // A use renews the session, and so the cookie, which must not expire before it.
    const session = found && (await sessions.touch(found.id))
    if (session?.subject === undefined) return refuse(res, region)
    keep(res, cookie, session)
    const { subject: user, device } = session
    say(res, { region, user, device, devices: await devicesOf(user, session.handle, sessions) })
  })

  router.post('/password', async (req, res) => {
    const { id, subject, device } = (await sessionOf(req, cookie, sessions)) ?? {}
    if (id === undefined || subject === undefined) return refuse(res, region)
    // A new password is a new login of this device, too: a copy of its cookie ends with the other sessions.
    const session = await sessions.elevate(id, { subject, device })
    keep(res, cookie, session)
    // It waits for all regions that are linked. The receipt says who holds the end, and who gets it when it is back.
    const { ended, regions } = await sessions.endOthers(session.id, { reason: 'revoked' })
    log(`${subject} has a new password`)
    say(res, { region, ended, regions })
  })

  router.post('/logout', async (req, res) => {
    const { id, subject } = (await sessionOf(req, cookie, sessions)) ?? {}
    if (id === undefined) return refuse(res, region)
    await sessions.end(id, { reason: 'logout' })
    res.set('set-cookie', cookie.clear())
    log(`${subject} logged out`)
    say(res, { region, user: null })
  })

  router.use((_req, res) =>
    say(res.status(404), { error: 'there is GET /account, POST /account/login, /password, /logout' }),
  )
  router.use(onError)
  return router
}

/** Refuses what a page of another site writes. */
const ownPages = (port: number): RequestHandler => {
  const origins = [`http://localhost:${port}`, `http://127.0.0.1:${port}`]
  return (req, res, next) => {
    // Browsers say which page makes a write. curl says nothing, and that is safe: no page of another site can have it send a cookie.
    checkOrigin(req, { origins, withoutOrigin: 'allow' })
    res.set('cache-control', 'no-store')
    next()
  }
}

/** The session of a request, with what its browser wrote last, in whatever region. */
const sessionOf = async (req: Request, cookie: SessionCookie, sessions: SessionApi): Promise<Session | undefined> => {
  const { id, after } = cookie.read(req.headers.cookie) ?? {}
  if (id === undefined) return undefined
  try {
    return await sessions.get(id, { after, timeout: FOLLOW })
  } catch (error) {
    // The region of that write is cut off. What is here is better than nothing.
    if (isSojournError(error, 'QUORUM_UNMET')) return await sessions.get(id, { read: 'local' })
    throw error
  }
}

const keep = (res: Response, cookie: SessionCookie, session: Session): void => {
  res.set('set-cookie', cookie.serialize(session, { after: session.written }))
}

/** Where a user is logged in, the oldest session first. Handles open nothing, so they may be shown. */
const devicesOf = async (user: string, mine: string, sessions: SessionApi): Promise<object[]> => {
  const found = []
  for await (const session of sessions.sessionsOf(user)) found.push(session)
  found.sort((a, b) => a.createdAt - b.createdAt || (a.handle < b.handle ? -1 : 1))
  return found.map(({ handle, device, region, lastUsedAt }) => ({
    handle: handle.slice(0, 8),
    device,
    region,
    lastUsed: new Date(lastUsedAt).toISOString(),
    mine: handle === mine,
  }))
}

/** The cookie stays: the session may be one that has not arrived in this region yet. */
const refuse = (res: Response, region: string): void => say(res.status(401), { region, user: null })

const onError: ErrorRequestHandler = (error, _req, res, next) => {
  if (isSojournError(error, 'CSRF_REFUSED')) say(res.status(403), { error: error.message })
  // Another request ended it while this one was under way.
  else if (isSojournError(error, 'SESSION_NOT_FOUND')) say(res.status(401), { error: error.message })
  else next(error)
}
