/** The listener for clients: who may connect, and what all connections come to. */
import type { Clock, Random, SessionApi, SessionKey, Timer } from '@sojourn/core/internal'
import { systemClock, systemRandom } from '@sojourn/core/internal'
import { type CreateServer, listenForWebSockets } from '@sojourn/net'
import type { Replica } from '@sojourn/replica'
import { CLIENT_DIALECT, CLIENT_PROTOCOL, type ClientsStatus, speechOf } from '@sojourn/wire'
import type { TokenBook } from '../tokens.js'
import { Budgets } from './budgets.js'
import { ClientConnection } from './connection.js'
import type { ConnectionHost } from './connection-host.js'
import { Connections } from './connections.js'
import { type ClientLimits, DEFAULT_CLIENT_LIMITS } from './limits.js'
import { ReplyCache } from './reply-cache.js'
import { noTotals } from './totals.js'
import { Watches } from './watches.js'

/** How long a connection may take to become a WebSocket. */
const UPGRADE_TIMEOUT_MS = 5_000

/** Where clients' connections come from: a port, so that a simulator can bring its own. */
export type ListenForSockets = typeof listenForWebSockets

export interface ListenForClientsOptions {
  readonly replica: Replica
  /** What calls are served on: the replica, or it with something around. Default: the replica. */
  readonly sessions?: SessionApi
  /** Asked at each connection, and again at `recheck`. */
  readonly tokens: TokenBook
  /** Host 127.0.0.1 unless given; port 0 picks a free one. */
  readonly listen: { readonly host?: string; readonly port: number }
  /** Called as `http.createServer` is, which is the default. */
  readonly createServer?: CreateServer
  /** Web pages that may connect, by their origin (`https://app.example.net`). Default: none. */
  readonly allowedOrigins?: readonly string[]
  readonly limits?: Partial<ClientLimits>
  /** The latest version of the client protocol to speak. Default: the latest of this build. */
  readonly maxVersion?: number
  readonly clock?: Clock
  readonly random?: Random
  /** What brings connections. Default: WebSockets. */
  readonly listenForSockets?: ListenForSockets
  /** Something was thrown that ought not to be: a bug. Says nothing of a session. */
  readonly failed?: (error: unknown) => void
}

export interface ClientListener {
  readonly address: { readonly host: string; readonly port: number }
  status(): ClientsStatus
  /** The tokens are others now: ends the connections of those that are gone, and gives the rest the scope that theirs has now. */
  recheck(): void
  /** Takes nobody in any more, asks every client to leave, and after `drainMs` at the latest (default: at once) ends what is left. */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/**
 * Serves the session API to clients over WebSockets.
 * @example
 * const clients = await listenForClients({ replica, tokens, listen: { port: 7401 }, clock: systemClock })
 * await clients.close({ drainMs: 5_000 })
 * @throws INVALID_OPTION where the address cannot be listened on
 */
export const listenForClients = async ({
  replica,
  sessions = replica,
  tokens,
  listen,
  createServer,
  allowedOrigins = [],
  limits: given = {},
  maxVersion,
  clock = systemClock,
  random = systemRandom,
  listenForSockets: listenFor = listenForWebSockets,
  failed = () => {},
}: ListenForClientsOptions): Promise<ClientListener> => {
  const limits: ClientLimits = { ...DEFAULT_CLIENT_LIMITS, ...given }
  const connections = new Connections(clock, limits)
  const budgets = new Budgets(limits, replica.limits)
  const abandon = (caller: object) => replica.abandon(caller)
  const replyCache = new ReplyCache({ limits, budgets, gone: abandon })
  const watches = new Watches(limits.maxWatched)
  const totals = noTotals()
  const host: ConnectionHost = {
    sessions,
    clock,
    limits,
    tokens,
    budgets,
    replyCache,
    watches,
    totals,
    server: Buffer.from(random.bytes(16)).toString('hex'),
    region: replica.region,
    speech: speechOf(CLIENT_DIALECT, maxVersion),
    levels: replica.levels,
    abandon,
    isDraining: () => connections.isDraining,
    admit: (connection) => connections.admit(connection),
    ended: (connection) => connections.ended(connection),
    failed,
  }
  const sockets = await listenFor(
    {
      host: listen.host ?? '127.0.0.1',
      port: listen.port,
      protocol: CLIENT_PROTOCOL,
      notice: 'This port takes Sojourn clients (WebSocket).\n',
      name: 'clients',
      option: 'clients.port',
      maxFrameBytes: limits.maxFrameBytes,
      upgradeTimeoutMs: UPGRADE_TIMEOUT_MS,
      unauthenticated: { max: limits.maxHandshakes, maxPerAddress: limits.maxHandshakesPerAddress },
      allowedOrigins,
      clock,
      createServer,
    },
    (socket) => connections.add(new ClientConnection(host, socket)),
  )
  return opened(host, replica, sockets, connections)
}

/** The listener, once it listens: hears what its replica commits, and sweeps until it is closed. */
const opened = (
  { clock, limits, budgets, replyCache, watches, totals }: ConnectionHost,
  replica: Replica,
  sockets: Awaited<ReturnType<ListenForSockets>>,
  connections: Connections,
): ClientListener => {
  let sweeping: Timer | undefined
  const sweepLater = () => {
    sweeping = clock.after(limits.maxSilenceMs / 4, () => {
      const now = clock.monotonic()
      replyCache.sweep(now)
      connections.refuseSilent(now)
      sweepLater()
    })
  }
  sweepLater()
  const changed = (keys: readonly SessionKey[]) => watches.changed(keys)
  replica.on('committed', changed)
  replica.on('refused', changed)

  let closing: Promise<void> | undefined
  const close = async (drainMs: number): Promise<void> => {
    connections.isDraining = true
    sockets.stop()
    await connections.drain(drainMs)
    replica.off('committed', changed)
    replica.off('refused', changed)
    sweeping?.cancel()
    await sockets.close()
  }

  return {
    address: sockets.address,
    status: () => ({
      connections: connections.known,
      unauthenticated: sockets.unauthenticated,
      inFlight: connections.inFlight,
      remembered: replyCache.size,
      watched: watches.count,
      kept: budgets.used,
      exceeded: budgets.exceeded,
      totals: structuredClone(totals),
    }),
    recheck: () => connections.recheck(),
    close: ({ drainMs = 0 } = {}) => {
      closing ??= close(drainMs)
      return closing
    },
  }
}
