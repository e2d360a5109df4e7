/** An Express app in one region. What two requests add to the cart at the same time is both there afterwards. */
import express from 'express'
import session from 'express-session'
import { openReplica, SojournStore } from 'sojourn'

const sessions = await openReplica({ region: 'eu', location: './data/eu' })

const app = express()
app.use(
  session({
    secret: process.env.COOKIE_SECRET ?? 'for development only',
    store: new SojournStore({ sessions, counters: ['/views'] }),
    resave: false,
    saveUninitialized: false,
  }),
)

app.get('/', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  res.json({ cart: req.session.cart ?? {}, views: req.session.views })
})

app.post('/cart/:item', (req, res) => {
  // In place: a new cart would replace what another request adds meanwhile.
  req.session.cart ??= {}
  req.session.cart[req.params.item] = 1
  res.json({ cart: req.session.cart })
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : res.json({})))
})

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`eu http://localhost:${server.address().port}`)
})

process.once('SIGTERM', () => server.close(() => sessions.close()))
