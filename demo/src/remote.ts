import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Client, type ClientOptions, connect, isSojournError } from '@sojourn/client'
import type { RequestHandler } from 'express'
import { readRemoteSettings } from './remote-settings.js'
import { say } from './say.js'
import { shop } from './shop.js'

/** The shop as one of a cluster: its sessions are in a server, of its region or, while that one is away, of the next. */

const log = (line: string) => console.log(line)

/** What a stop may take: the requests that are under way. */
const STOP_MS = 5_000

/** For a balancer: whether a server answers, and whose. */
const health =
  (region: string, sessions: Client): RequestHandler =>
  (_req, res) => {
    const { region: server } = sessions.status()
    say(res.status(server === undefined ? 503 : 200), { region, sessions: server ?? null })
  }

/** A server may come up after the shop. */
const connected = async (options: ClientOptions): Promise<Client> => {
  for (;;)
    try {
      return await connect(options)
    } catch (error) {
      if (!isSojournError(error, 'UNAVAILABLE')) throw error
      log(error.message)
    }
}

const start = async () => {
  const { region, host, port, urls, token, cookieSecret } = readRemoteSettings(process.env)
  const sessions = await connected({
    urls,
    token,
    linkChanged: ({ state, region: server, url, why }) =>
      log(`${state === 'up' ? 'sessions from' : state} ${server ?? url}${why === undefined ? '' : ` (${why})`}`),
  })
  const app = shop({ region, sessions, besides: { '/healthz': health(region, sessions) }, cookieSecret, log })
  const server = app.listen(port, host)
  await once(server, 'listening')
  log(`listens on ${(server.address() as AddressInfo).port}`)
  const stop = async () => {
    log('stopping')
    server.close()
    setTimeout(() => server.closeAllConnections(), STOP_MS).unref()
    await once(server, 'close')
    await sessions.close()
  }
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      // Who asks twice does not want to wait.
      if (isStopping) process.exit(1)
      isStopping = true
      void stop()
    })
}

start().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
