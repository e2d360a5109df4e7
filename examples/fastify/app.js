/** A Fastify app in one region: @fastify/session takes the same store as express-session. */
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import fastify from 'fastify'
import { openReplica, SojournStore } from 'sojourn'

const sessions = await openReplica({ region: 'eu', location: './data/eu' })

const app = fastify()
await app.register(cookie)
await app.register(session, {
  secret: process.env.COOKIE_SECRET ?? 'for development only: 32 characters or more',
  store: new SojournStore({ sessions, counters: ['/views'] }),
  saveUninitialized: false,
  cookie: { secure: process.env.NODE_ENV === 'production', maxAge: 30 * 60_000 },
})

app.get('/', async (request) => {
  request.session.views = (request.session.views ?? 0) + 1
  return { cart: request.session.cart ?? {}, views: request.session.views }
})

app.post('/cart/:item', async (request) => {
  // In place: a new cart would replace what another request adds meanwhile.
  request.session.cart ??= {}
  request.session.cart[request.params.item] = 1
  return { cart: request.session.cart }
})

app.post('/logout', async (request) => {
  await request.session.destroy()
  return {}
})

app.addHook('onClose', () => sessions.close())
await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`eu http://localhost:${app.server.address().port}`)

process.once('SIGTERM', () => app.close())
