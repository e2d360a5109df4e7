/** An Express app whose sessions are at a server of its region: several such apps share them. */
import express from 'express'
import session from 'express-session'
import { connect, SojournStore } from 'sojourn'

const sessions = await connect({
  urls: [process.env.SOJOURN_URL ?? 'ws://127.0.0.1:7401'], // the nearest first: name the next region's, too
  token: process.env.SOJOURN_TOKEN,
})

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
