import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@sojourn/core/internal'
import { loadConfig, openLog, type Running, serve } from '@sojourn/server'
import { openProxy, type TcpProxy } from './proxy.js'
import { SECRET } from './region.js'
import { until } from './until.js'

/** Servers in this process, as `sojourn serve` runs them: real stores, real sockets; their peers reach them through proxies. */

export const TOKENS = {
  admin: 'an-admin-token-of-the-tests',
  write: 'a-write-token-of-the-tests',
  read: 'a-read-token-of-the-tests',
}
const TOKEN_LIST = Object.entries(TOKENS).map(([scope, token]) => `${scope}-bearer:${scope}:${token}`)

export type Flags = { readonly [path: string]: string }

export interface Server extends Running {
  readonly region: string
  readonly data: string
  /** Its log, a line each. */
  readonly log: readonly string[]
  /** Of a listener, by the protocol given. */
  url(listener: 'links' | 'clients' | 'admin' | 'identity', protocol?: string): string
  /** Asks the admin listener; without a token unless one is given. */
  ask(
    path: string,
    options?: { readonly token?: string | undefined; readonly body?: unknown; readonly method?: string },
  ): Promise<Response>
}

export interface StartOptions {
  readonly flags?: Flags
  readonly env?: NodeJS.ProcessEnv
  readonly clock?: Clock
  /** What the listener of clients could not be opened for. */
  readonly failed?: (error: unknown) => void
}

/** Every link is quick, and digests come only when they are asked for. */
const QUICK: Flags = {
  'links.heartbeat': '50ms',
  'links.timeout': '1s',
  'links.maxReconnectDelay': '100ms',
  'links.digestInterval': '1h',
  'admin.port': '0',
}

export const startServer = async (
  region: string,
  data: string,
  { flags = {}, env = {}, clock = systemClock, failed }: StartOptions = {},
): Promise<Server> => {
  const log: string[] = []
  const config = loadConfig({
    file: undefined,
    env: { SOJOURN_SECRET: SECRET, SOJOURN_TOKENS: TOKEN_LIST.join(' '), ...env },
    flags: new Map(Object.entries({ region, data, ...QUICK, ...flags })),
  })
  const write = (line: string) => void log.push(line.trim())
  const running = await serve({
    config,
    log: openLog(config.settings.log.level, region, { write }),
    clock,
    ...(failed && { failed }),
  })
  const url = (listener: string, protocol: string) =>
    `${protocol}://127.0.0.1:${running.status().listeners[listener]!.port}`
  return {
    ...running,
    region,
    data,
    log,
    url: (listener, protocol = listener === 'admin' || listener === 'identity' ? 'http' : 'ws') =>
      url(listener, protocol),
    ask: (path, { token, body, method = body === undefined ? 'GET' : 'POST' } = {}) =>
      fetch(`${url('admin', 'http')}${path}`, {
        method,
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
  }
}

export interface Servers<N extends string> {
  /** The one that is open under a name. */
  get(name: N): Server
  /** The link address of one, which outlives its restarts. */
  link(name: N): TcpProxy
  data(name: N): string
  start(name: N, options?: StartOptions): Promise<Server>
  stop(name: N): Promise<void>
  /** Resolves when those that are open hold what each other has, and let clients in. */
  settled(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts servers that have each other as peers. A name that is in `later` is a region that nobody has heard of. */
export const openServers = async <const N extends string>(
  names: readonly N[],
  { later = [], options = {} }: { readonly later?: readonly N[]; readonly options?: StartOptions } = {},
): Promise<Servers<N>> => {
  const directory = await mkdtemp(join(tmpdir(), 'sojourn-servers-'))
  const open = new Map<N, Server>()
  const links = new Map<N, TcpProxy>()
  for (const name of [...names, ...later])
    links.set(name, await openProxy(() => open.get(name)?.status().listeners.links))
  const get = (name: N): Server => {
    const server = open.get(name)
    if (server === undefined) throw new Error(`${name} is not open`)
    return server
  }
  const servers: Servers<N> = {
    get,
    link: (name) => links.get(name)!,
    data: (name) => join(directory, name),
    async start(name, more = {}) {
      const others = names.filter((other) => other !== name)
      const flags = {
        peers: others.map((other) => `${other}=${links.get(other)!.url}`).join(','),
        'links.port': '0',
        'clients.port': '0',
        ...options.flags,
        ...more.flags,
      }
      const server = await startServer(name, join(directory, name), { ...options, ...more, flags })
      open.set(name, server)
      return server
    },
    async stop(name) {
      const server = get(name)
      await server.stop()
      open.delete(name)
    },
    async settled() {
      await until(() => {
        const statuses = [...open.values()].map((server) => server.status())
        return statuses.every(
          ({ ready, listeners, replica }) =>
            ready &&
            listeners.clients !== undefined &&
            statuses.every(
              ({ region, replica: other }) =>
                replica.links[region] === undefined ||
                (replica.links[region].state === 'live' && (replica.vector[other.replica] ?? 0) >= other.head),
            ),
        )
      }, 'the servers to settle')
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.values()].map((server) => server.stop()))
      await Promise.all([...links.values()].map((proxy) => proxy.close()))
      await rm(directory, { recursive: true, force: true })
    },
  }
  try {
    for (const name of names) await servers.start(name)
    await servers.settled()
    return servers
  } catch (error) {
    await servers[Symbol.asyncDispose]()
    throw error
  }
}
