/** Three regions in one process, for a first look: each has a replica, an Express app, and links to the other two. */
import { randomBytes } from 'node:crypto'
import express from 'express'
import session from 'express-session'
import { openReplica, SojournStore } from 'sojourn'

const REGIONS = ['eu', 'us', 'ap']
// Between machines, all regions are given the same secrets.
const linkSecret = randomBytes(32).toString('hex')
const cookieSecret = randomBytes(32).toString('hex')

const replicas = await Promise.all(
  REGIONS.map((region) =>
    openReplica({ region, location: `./data/${region}`, listen: { port: 0 }, secret: linkSecret }),
  ),
)
for (const replica of replicas)
  for (const { region, address } of replicas)
    if (region !== replica.region) replica.addPeer(region, `ws://127.0.0.1:${address.port}`)

const shop = (replica) => {
  const app = express()
  const store = new SojournStore({ sessions: replica, counters: ['/views'] })
  app.use(session({ store, secret: cookieSecret, resave: false, saveUninitialized: false }))
  app.get('/', (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1
    res.json({ region: replica.region, cart: req.session.cart ?? {}, views: req.session.views })
  })
  app.post('/cart/:item', (req, res) => {
    req.session.cart ??= {}
    req.session.cart[req.params.item] = 1
    res.json({ region: replica.region, cart: req.session.cart })
  })
  app.post('/logout', (req, res, next) => {
    req.session.destroy((error) => (error ? next(error) : res.json({ region: replica.region })))
  })
  return app
}

const firstPort = Number(process.env.PORT ?? 3001)
const servers = replicas.map((replica, index) => {
  const server = shop(replica).listen(firstPort && firstPort + index, () => {
    console.log(`${replica.region} http://localhost:${server.address().port}`)
  })
  return server
})

process.once('SIGTERM', async () => {
  for (const server of servers) server.close()
  for (const replica of replicas) await replica.close()
})
