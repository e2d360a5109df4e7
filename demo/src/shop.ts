import { isSojournError, type SessionApi } from '@sojourn/core'
import { SojournStore } from '@sojourn/express'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import session from 'express-session'
import { say } from './say.js'

declare module 'express-session' {
  interface SessionData {
    user?: string
    cart?: Record<string, number>
    views?: number
  }
}

export interface ShopOptions {
  /** The name of the region that the shop stands in. */
  readonly region: string
  /** A replica, or a client of a server. */
  readonly sessions: SessionApi
  /** What there is besides the shop, by its path; it gets no session. */
  readonly besides: { readonly [path: string]: RequestHandler }
  readonly cookieSecret: string
  readonly log: (line: string) => void
}

const HOUR_MS = 3_600_000

/** A shop with a cart in the session: an ordinary Express app, but for the store. */
export const shop = ({ region, sessions, besides, cookieSecret, log }: ShopOptions): Express => {
  const app = express()
  app.disable('x-powered-by')
  for (const [path, handler] of Object.entries(besides)) app.use(path, handler)
  app.use(
    session({
      name: 'sid',
      secret: cookieSecret,
      // Views are counted in every region at once; as a counter, they add up.
      store: new SojournStore({ sessions, counters: ['/views'] }),
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: HOUR_MS, sameSite: 'lax' },
    }),
  )

  app.post('/login', async (req, res) => {
    const { user } = req.query
    if (typeof user !== 'string' || !/^[\w-]{1,32}$/.test(user))
      return say(res.status(400), { error: 'say who you are: POST /login?user=ada' })
    // A new id: whoever knew the old one, perhaps because he planted it, is not logged in by this.
    await done((callback) => req.session.regenerate(callback))
    req.session.user = user
    log(`${user} logged in`)
    say(res, { region, user })
  })

  app.get('/', (req, res) => {
    const { user, cart = {} } = req.session
    if (user === undefined) return say(res, { region, user: null })
    const views = (req.session.views ?? 0) + 1
    req.session.views = views
    say(res, { region, user, cart, views })
  })

  app.post('/cart/:item', needLogin, async (req, res) => {
    const item = String(req.params.item)
    const qty = Number(req.query.qty ?? 1)
    if (!/^[\w-]{1,32}$/.test(item) || !Number.isSafeInteger(qty) || qty < 1)
      return say(res.status(400), { error: 'add an item: POST /cart/tea?qty=2' })
    // Each item is a field of its own, so items that are added elsewhere at the same time stay.
    // In place: to assign another cart would be to put it in the place of this one, with what others add to it meanwhile.
    req.session.cart ??= {}
    req.session.cart[item] = qty
    await done((callback) => req.session.save(callback))
    say(res, { region, added: { [item]: qty } })
  })

  app.delete('/cart/:item', needLogin, (req, res) => {
    const item = String(req.params.item)
    const had = Object.hasOwn(req.session.cart ?? {}, item)
    if (had) delete req.session.cart?.[item]
    say(res, { region, removed: had ? item : null })
  })

  app.post('/logout', needLogin, async (req, res) => {
    const { user } = req.session
    await done((callback) => req.session.destroy(callback))
    log(`${user} logged out`)
    // The cookie is left with the client, so that it can try it in the other regions.
    say(res, { region, user: null })
  })

  app.use((_req, res) => say(res.status(404), { error: 'there is GET /, POST /login, /cart/:item, /logout' }))
  app.use(onError)
  return app
}

const needLogin: RequestHandler = (req, res, next) => {
  if (req.session.user === undefined) say(res.status(401), { error: 'log in first: POST /login?user=ada' })
  else next()
}

const onError: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  const status = isSojournError(error, 'INVALID_DATA') ? 400 : isSojournError(error) ? 503 : 500
  say(res.status(status), { error: error instanceof Error ? error.message : String(error) })
}

const done = (call: (callback: (error?: unknown) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => call((error) => (error ? reject(error) : resolve())))
