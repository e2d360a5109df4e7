/** A Koa app in one region: koa-session takes the same store as express-session. */
import Koa from 'koa'
import session from 'koa-session'
import { openReplica, SojournStore } from 'sojourn'

const sessions = await openReplica({ region: 'eu', location: './data/eu' })

const app = new Koa()
app.keys = [process.env.COOKIE_SECRET ?? 'for development only']
app.use(session({ store: new SojournStore({ sessions, counters: ['/views'] }), maxAge: 30 * 60_000 }, app))

app.use(async (context) => {
  const [, item] = context.path.match(/^\/cart\/(\w+)$/) ?? []
  if (context.method === 'POST' && context.path === '/logout') {
    context.session = null
    context.body = {}
  } else if (context.method === 'POST' && item) {
    // In place: a new cart would replace what another request adds meanwhile.
    context.session.cart ??= {}
    context.session.cart[item] = 1
    context.body = { cart: context.session.cart }
  } else {
    context.session.views = (context.session.views ?? 0) + 1
    context.body = { cart: context.session.cart ?? {}, views: context.session.views }
  }
})

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`eu http://localhost:${server.address().port}`)
})

process.once('SIGTERM', () => server.close(() => sessions.close()))
