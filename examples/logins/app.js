/** Logins over three regions: each browser has a session of its own, and its user sees and ends those on other devices. */
import { randomBytes } from 'node:crypto'
import express from 'express'
import { isSojournError, openReplica, PROFILES } from 'sojourn'
import { checkOrigin, sessionCookie } from 'sojourn/identity'

const REGIONS = ['eu', 'us', 'ap']
// Between machines, all regions are given the same secrets. Set a subjectKey, too, before you ever change the link secret.
const linkSecret = randomBytes(32).toString('hex')
const cookieKey = randomBytes(32).toString('hex')

const replicas = await Promise.all(
  REGIONS.map((region) =>
    openReplica({
      region,
      location: `./data/${region}`,
      listen: { port: 0 },
      secret: linkSecret,
      session: { ...PROFILES.aal1, maxPerSubject: 5 },
    }),
  ),
)
for (const replica of replicas)
  for (const { region, address } of replicas)
    if (region !== replica.region) replica.addPeer(region, `ws://127.0.0.1:${address.port}`)

// On http://localhost the cookie has no __Host- prefix and no Secure, and a warning says so.
const cookie = sessionCookie({ url: 'http://localhost', keys: [cookieKey] })

/** Sends the session's id, and where its last write is. */
const keep = (res, session) => {
  res.setHeader('set-cookie', cookie.serialize(session, { after: session.written }))
  return session
}

/** What this browser wrote in another region shows here, unless that region is away. */
const sessionOf = async (replica, req) => {
  const { id, after } = cookie.read(req.headers.cookie) ?? {}
  if (id === undefined) return undefined
  try {
    return await replica.get(id, { after, timeout: '1s' })
  } catch (error) {
    if (isSojournError(error, 'QUORUM_UNMET')) return replica.get(id, { read: 'local' })
    throw error
  }
}

// Whose pages may write: the app's own. Not what a request says of its Host, for whoever makes it chooses that.
const origins = []

const shop = (replica) => {
  const app = express()
  app.use(express.json())
  app.use(async (req, _res, next) => {
    // Browsers say which page makes a write, and other programs need not.
    checkOrigin(req, { origins, withoutOrigin: 'allow' })
    req.session = await sessionOf(replica, req)
    next()
  })

  app.get('/', async (req, res) => {
    const session = keep(res, req.session ? await replica.touch(req.session.id) : await replica.create({ cart: {} }))
    res.json({ region: replica.region, user: session.subject ?? null, cart: session.data.cart })
  })
  app.post('/cart/:item', async (req, res) => {
    const session = req.session ?? (await replica.create({ cart: {} }))
    const { data } = keep(res, await replica.update(session.id, { cart: { [req.params.item]: 1 } }))
    res.json({ region: replica.region, cart: data.cart })
  })

  // Check the password first: this example believes everybody.
  app.post('/login', async (req, res) => {
    const guest = req.session ?? (await replica.create({ cart: {} }))
    const { user, device } = req.body
    const session = await replica.elevate(guest.id, { subject: user, device, auth: { amr: ['pwd'] } })
    keep(res, session)
    res.json({ region: replica.region, user: session.subject })
  })

  app.use((req, res, next) => (req.session?.subject ? next() : res.status(401).json({ error: 'log in' })))

  app.get('/devices', async (req, res) => {
    const devices = []
    for await (const { handle, device, lastUsedAt, region } of replica.sessionsOf(req.session.subject))
      devices.push({ handle, device, lastUsedAt, region, isThis: handle === req.session.handle })
    res.json(devices)
  })
  app.delete('/devices/:handle', async (req, res) => {
    // A handle opens nothing; but users may end their own sessions only.
    for await (const { handle } of replica.sessionsOf(req.session.subject))
      if (handle === req.params.handle) return res.json(await replica.endHandle(handle, { reason: 'revoked' }))
    res.status(404).json({ error: 'no such device' })
  })
  app.post('/password', async (req, res) => {
    const { subject, device } = req.session
    const session = keep(res, await replica.elevate(req.session.id, { subject, device, auth: { amr: ['pwd'] } }))
    res.json(await replica.endOthers(session.id, { reason: 'revoked' }))
  })
  app.post('/logout', async (req, res) => {
    await replica.end(req.session.id, { reason: 'logout' })
    res.setHeader('set-cookie', cookie.clear())
    res.json({ region: replica.region, user: null })
  })
  app.post('/logout-everywhere', async (req, res) => {
    const receipt = await replica.endSubject(req.session.subject, { reason: 'logout' })
    res.setHeader('set-cookie', cookie.clear())
    res.json(receipt)
  })

  app.use((error, _req, res, _next) => {
    const status = isSojournError(error, 'CSRF_REFUSED') ? 403 : isSojournError(error, 'SESSION_NOT_FOUND') ? 401 : 503
    res.status(status).json({ error: isSojournError(error) ? error.code : 'unknown' })
  })
  return app
}

const firstPort = Number(process.env.PORT ?? 3001)
const servers = replicas.map((replica, index) => {
  const server = shop(replica).listen(firstPort && firstPort + index, () => {
    const { port } = server.address()
    origins.push(`http://localhost:${port}`, `http://127.0.0.1:${port}`)
    console.log(`${replica.region} http://localhost:${port}`)
  })
  return server
})

process.once('SIGTERM', async () => {
  for (const server of servers) server.close()
  for (const replica of replicas) await replica.close()
})
