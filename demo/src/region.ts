import { once } from 'node:events'
import { type LinkChange, openReplica, type Replica } from '@sojourn/replica'
import { account } from './account.js'
import { explain } from './fault.js'
import { isLinked, linkSwitch } from './link-switch.js'
import { readSecret } from './secret.js'
import { HOST, type RegionSettings, readSettings } from './settings.js'
import { shop } from './shop.js'

/** One region, a process of its own: `region.js eu`. What it prints, the cluster marks with its name. */

/** What a region reports to the cluster: that it is linked with all others, or why it could not start. */
export type RegionMessage = { readonly kind: 'linked' } | { readonly kind: 'failed'; readonly why: string }

const log = (line: string) => console.log(line)
const report = (message: RegionMessage) => process.send?.(message)

/** Without the channel to the cluster, nothing keeps a stopped process alive. */
const hangUp = () => {
  if (process.connected) process.disconnect()
}
// Who would have printed it is gone; the region still has to stop in good order.
process.stdout.on('error', () => {})

/** Prints what happens; returns what ends the talk of links, for when they all go at the end. */
const follow = (replica: Replica): (() => void) => {
  const inStep = new Set<string>()
  const linkChanged = ({ region, state, code }: LinkChange) => {
    if (state === 'live') {
      // A link that lagged for a moment comes here again.
      if (!inStep.has(region)) log(`in step with ${region}`)
      inStep.add(region)
    } else if (state === 'down') {
      inStep.delete(region)
      log(`lost ${region}`)
    } else if (state === 'refused') log(`cannot link with ${region} (${code})`)
    if (state === 'live' && isLinked(replica)) report({ kind: 'linked' })
  }
  replica.on('link', linkChanged)
  const from = (origin: string) => (origin === 'local' ? 'here' : `in ${origin}`)
  // A key is a hash of the id; the id would let a reader of the log into the session.
  replica.on('created', ({ key, origin }) => log(`session ${key.slice(0, 8)} began ${from(origin)}`))
  replica.on('elevated', ({ key, origin }) => log(`session ${key.slice(0, 8)} has a new login ${from(origin)}`))
  replica.on('ended', ({ key, origin, reason }) => log(`session ${key.slice(0, 8)} ended ${from(origin)} (${reason})`))
  replica.on('expired', ({ key }) => log(`session ${key.slice(0, 8)} expired`))
  replica.on('fault', ({ code, message }) => log(`fault ${code}: ${message}`))
  return () => void replica.off('link', linkChanged)
}

const listen = async (app: ReturnType<typeof shop>, port: number) => {
  const server = app.listen(port, HOST)
  // `once` rejects with the error, where one comes first.
  await once(server, 'listening')
  return server
}

/** Resolves with what stops the region. */
const start = async (settings: RegionSettings, linkSecret: string, cookieSecret: string) => {
  const replica = await openReplica({
    region: settings.name,
    location: settings.location,
    listen: { host: HOST, port: settings.linkPort },
    peers: settings.peers,
    secret: linkSecret,
  })
  const unfollow = follow(replica)
  const app = shop({
    region: replica.region,
    sessions: replica,
    besides: {
      '/admin': linkSwitch(replica),
      '/account': account({ region: replica.region, sessions: replica, port: settings.appPort, cookieSecret, log }),
    },
    cookieSecret,
    log,
  })
  const server = await listen(app, settings.appPort).catch(async (error) => {
    unfollow()
    await replica.close()
    throw error
  })
  return async () => {
    unfollow()
    // First the requests that are under way, then what they write to.
    server.close()
    await once(server, 'close')
    await replica.close()
    log('stopped')
  }
}

const run = (settings: RegionSettings, linkSecret: string, cookieSecret: string): void => {
  const started = start(settings, linkSecret, cookieSecret)
  let isStopping = false
  const stop = async () => {
    if (isStopping) return
    isStopping = true
    // One that could not start has nothing to stop.
    const close = await started.catch(() => undefined)
    await close?.()
    hangUp()
  }
  process.on('message', stop)
  // The cluster is gone.
  process.on('disconnect', stop)
  process.on('SIGTERM', stop)
  // Ctrl-C reaches every process of the terminal; the cluster is the one that acts on it.
  process.on('SIGINT', () => {})
  started.catch((error: unknown) => {
    process.exitCode = 1
    report({ kind: 'failed', why: explain(error, settings) })
    hangUp()
  })
}

const demo = readSettings(process.env)
const settings = demo.regions.find(({ name }) => name === process.argv[2])
if (settings === undefined) throw new Error('give the name of a region: eu, us or ap')
run(settings, readSecret(demo.linkSecretFile), readSecret(demo.cookieSecretFile))
