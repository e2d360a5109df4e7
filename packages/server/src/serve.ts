import { existsSync, rmSync } from 'node:fs'
import { type Clock, isSojournError, systemClock, type Timer } from '@sojourn/core/internal'
import { openReplica, type Replica, webSocketTransport } from '@sojourn/replica'
import { levelEngine, makePrivateDirectory } from '@sojourn/store'
import { isLoopback } from './admin/hosts.js'
import { listenForAdmin } from './admin/listener.js'
import { type AdminStatus, adminRoutes } from './admin/routes.js'
import { type ClientListener, listenForClients } from './clients/listener.js'
import type { Config } from './config/load.js'
import { givenMemory } from './given-memory.js'
import type { Logger } from './log.js'
import { LogThrottle } from './log-throttle.js'
import { Gossip } from './members/gossip.js'
import { Members } from './members/members.js'
import { describeMemory, memoryNeed, memoryShortages } from './memory.js'
import { MeteredSessions } from './metered.js'
import { Metrics } from './metrics.js'
import { placesIn } from './places.js'
import { Readiness } from './readiness.js'
import { logReplica } from './replica-log.js'
import { timedEngine } from './timed-storage.js'
import { TlsFiles } from './tls.js'
import { type TokenBook, Tokens } from './tokens.js'
import { VERSION } from './version.js'

const READY_STEP_MS = 20
/** Of the time that a stop may take, what is kept for the peers to take the tail and the store to close. */
const FAREWELL_SHARE = 0.3

export interface ServeOptions {
  readonly config: Config
  readonly log: Logger
  readonly clock?: Clock
  /** The server cannot go on: what it serves clients with could not be opened. */
  readonly failed?: (error: unknown) => void
}

export interface Running {
  status(): AdminStatus
  /** Takes in certificate and token files as they are now; what is wrong with them is logged, and what was goes on. */
  reload(): void
  /** Takes no more, answers what is in flight, hands the tail to the peers, closes. `cut`: shutdownTimeout was not enough. */
  stop(): Promise<'done' | 'cut'>
}

/**
 * Runs a replica as `sojourn serve` does. Resolves when the store is open and peers and probes are listened to; clients are let in
 * once it is ready.
 * @throws INVALID_OPTION, STORE_LOCKED, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED
 */
export const serve = async ({
  config,
  log,
  clock = systemClock,
  failed = () => {},
}: ServeOptions): Promise<Running> => {
  const { settings, secret } = config
  const { region, links, clients, admin } = settings
  const startedAt = clock.monotonic()
  const tls = {
    links: new TlsFiles('links', links.tls),
    clients: new TlsFiles('clients', clients.tls),
    admin: new TlsFiles('admin', admin.tls),
  }
  const tokens = new Tokens(config.readTokens())
  const places = placesIn(settings.data)
  if (places.members !== undefined) makePrivateDirectory(settings.data)
  warn(config, log)
  tellMemory(config, log)

  let gossip: Gossip | undefined
  const members = new Members({
    own: region,
    peers: settings.peers,
    adminPeers: admin.peers,
    file: places.members,
    changed: (entries) => {
      for (const { region: name, present, version } of entries)
        log.info({ peer: name, version }, present ? 'region added' : 'region removed')
      // Who goes is told, too: else it would try for ever.
      for (const { region: name, present, url } of entries)
        if (!present && name !== region) void gossip?.tell(name, url)
      void gossip?.tellAll()
    },
  })
  let listener: ClientListener | undefined
  const throttle = new LogThrottle(log, clock)
  const bug = (error: unknown) =>
    throttle.write({ name: placeOf(error), level: 'error', body: { err: error }, message: 'unexpected' })
  const metrics = new Metrics({
    region,
    version: VERSION,
    regions: () => members.list().length + 1,
    directory: places.members === undefined ? undefined : places.store,
    clients: () => listener?.status(),
    certificates: () => Object.entries(tls).map(([name, { expiresAt }]) => ({ listener: name, expiresAt })),
    isReady: () => readiness.reasons().length === 0,
    unauthenticated: () => unauthenticated(),
  })

  const replica = await openReplica({
    ...replicaOptions(config),
    location: places.store,
    peers: members.peers,
    ports: {
      clock,
      storage: timedEngine(levelEngine, clock, (write) => metrics.wrote(write)),
      transport: webSocketTransport(clock, {
        name: 'links',
        option: 'links.port',
        allowedOrigins: links.allowedOrigins,
        createServer: (options, handler) =>
          tls.links.createServer(options, (request, response) => {
            if (!gossip?.handle(request, response)) handler(request, response)
          }),
        dialOptions: () => tls.links.credentials,
      }),
    },
  })
  const isRestored = places.restored !== undefined && existsSync(places.restored)
  const readiness = new Readiness({
    clock,
    replica: () => replica.status(),
    peerWaitMs: settings.readyPeerWait,
    awaitsAll: isRestored && !settings.restoredDangerouslyServeAtOnce,
    isRemoved: () => members.isRemoved,
  })
  const replicaLog = logReplica(replica, log, clock)
  replica.on('fault', ({ code }) => metrics.fault(code))
  metrics.watch(replica)
  members.serve(replica)
  if (secret !== undefined) gossip = startGossip({ members, secret, replica, tls: tls.links, clock, throttle })
  const sessions = new MeteredSessions({
    sessions: replica,
    clock,
    read: settings.consistency.read,
    write: settings.consistency.write,
    seen: (call) => metrics.called(call),
  })

  const unauthenticated = () => ({
    ...(replica.address && { links: replica.status().unauthenticated }),
    ...(listener && { clients: listener.status().unauthenticated }),
    ...(adminListener && { admin: adminListener.unauthenticated }),
  })
  const status = (): AdminStatus => {
    const reasons = readiness.reasons()
    return {
      region,
      version: VERSION,
      ready: reasons.length === 0,
      reasons,
      uptimeSeconds: Math.round((clock.monotonic() - startedAt) / 1_000),
      calls: { ...metrics.totals },
      members: members.list(),
      replica: replica.status(),
      clients: listener?.status(),
      unauthenticated: unauthenticated(),
      listeners: { links: replica.address, clients: listener?.address, admin: adminListener?.address },
      certificates: Object.fromEntries(
        Object.entries(tls).flatMap(([name, { expiresAt }]) => (expiresAt === undefined ? [] : [[name, expiresAt]])),
      ),
    }
  }
  let adminListener: Awaited<ReturnType<typeof listenForAdmin>> | undefined
  const closeReplica = async () => {
    gossip?.close()
    await replica.close()
    replicaLog.close()
    throttle.close()
  }
  try {
    adminListener = await listenForAdmin({
      host: admin.host,
      port: admin.port,
      tokens,
      createServer: tls.admin.createServer,
      allowAnyone: admin.dangerouslyAllowAnyone,
      allowedHosts: admin.allowedHosts,
      limits: admin.limits,
      failed: bug,
      routes: adminRoutes({
        replica,
        sessions,
        now: () => clock.now(),
        version: VERSION,
        status,
        metrics: async () => ({ type: metrics.registry.contentType, text: await metrics.registry.metrics() }),
        members,
        tellMembers: async () => (await gossip?.tellAll()) ?? {},
      }),
    })
  } catch (error) {
    await closeReplica()
    throw error
  }
  log.info({ version: VERSION, listeners: status().listeners }, 'open')

  // Clients are let in when the replica is ready for the first time: who asked earlier would miss sessions that there are.
  let stopping: Promise<'done' | 'cut'> | undefined
  const openClients = async (): Promise<void> => {
    while (!readiness.mayOpen && !stopping) await pause(clock, READY_STEP_MS)
    if (stopping) return
    if (isRestored) rmSync(places.restored!, { force: true })
    if (clients.port !== undefined) {
      const opened = await listenForClients({
        replica,
        sessions,
        tokens: clients.dangerouslyAllowAnyone ? anyone(tokens) : tokens,
        listen: { host: clients.host, port: clients.port },
        createServer: tls.clients.createServer,
        allowedOrigins: clients.allowedOrigins,
        limits: clients.limits,
        maxVersion: clients.maxVersion,
        clock,
        failed: bug,
      })
      if (stopping) return opened.close()
      listener = opened
    }
    log.info({ listeners: status().listeners }, 'ready')
  }
  const opening = openClients().catch((error: unknown) => failed(error))

  let tokenText = JSON.stringify(config.readTokens())
  const reload = (): void => {
    for (const [name, files] of Object.entries(tls))
      attempt(name, () => {
        if (!files.reload()) return
        log.info({ listener: name, expiresAt: files.expiresAt }, 'certificates reloaded')
        metrics.reloaded(name)
      })
    attempt('tokens', () => {
      const entries = config.readTokens()
      const text = JSON.stringify(entries)
      if (text === tokenText) return
      tokenText = text
      tokens.replace(entries)
      listener?.recheck()
      log.info({ count: tokens.size }, 'tokens reloaded')
      metrics.reloaded('tokens')
    })
  }
  const attempt = (file: string, work: () => void): void => {
    try {
      work()
    } catch (error) {
      metrics.reloaded(file, error)
      log.error({ file, why: isSojournError(error) ? error.message : String(error) }, 'not reloaded')
    }
  }
  let reloading: Timer | undefined
  const reloadLater = (): void => {
    reloading = clock.after(settings.reloadInterval, () => {
      reload()
      reloadLater()
    })
  }
  reloadLater()

  const close = async (): Promise<void> => {
    await opening
    await listener?.close({ drainMs: Math.round(settings.shutdownTimeout * (1 - FAREWELL_SHARE)) })
    await closeReplica()
  }
  const stop = async (): Promise<'done' | 'cut'> => {
    readiness.stop()
    reloading?.cancel()
    log.info('stopping')
    const outcome = await Promise.race([
      close().then(() => 'done' as const),
      pause(clock, settings.shutdownTimeout).then(() => 'cut' as const),
    ])
    // Last, so that probes and metrics are answered to the end, and something keeps the process alive until then.
    await adminListener?.close()
    log.info({ outcome }, 'stopped')
    return outcome
  }
  return {
    status,
    reload,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve))

const anyone = (tokens: TokenBook): TokenBook => ({
  check: (presented) => tokens.check(presented) ?? { name: 'anyone', scope: 'write' },
})

/** Where a bug was met: it is the same one as often as it is met there. */
const placeOf = (error: unknown): string =>
  error instanceof Error ? `bug ${error.name} ${error.stack?.split('\n    at ')[1]}` : 'bug'

const replicaOptions = ({ settings, secret }: Config) => {
  const { region, links, session, consistency, fsync, maxClockSkew, purgeGrace, limits } = settings
  const { heartbeat, timeout, maxReconnectDelay, digestInterval, maxVersion } = links
  return {
    region,
    ...(links.port !== undefined && { listen: { host: links.host, port: links.port } }),
    ...(secret !== undefined && { secret }),
    session,
    consistency,
    fsync,
    maxClockSkew,
    purgeGrace,
    links: { heartbeat, timeout, maxReconnectDelay, digestInterval, maxVersion },
    limits,
  }
}

const startGossip = (options: {
  members: Members
  secret: string
  replica: Replica
  tls: TlsFiles
  clock: Clock
  throttle: LogThrottle
}): Gossip => {
  const { members, secret, replica, tls, clock, throttle } = options
  const gossip = new Gossip({
    members,
    secret,
    clock,
    credentials: () => tls.credentials,
    failed: ({ code, message }) => throttle.write({ name: `regions ${code}`, level: 'warn', body: { code }, message }),
  })
  gossip.start()
  // Whoever was away hears of what was missed at once.
  replica.on('link', ({ region, state }) => {
    const member = state === 'up' ? members.list().find((each) => each.region === region) : undefined
    if (member) void gossip.tell(region, member.url)
  })
  return gossip
}

/** How much memory the limits allow, added up, and whether there is as much. */
const tellMemory = ({ settings }: Config, log: Logger): void => {
  const { limits, clients, peers } = settings
  const served = clients.port === undefined ? undefined : clients.limits
  const need = memoryNeed({ limits, clients: served, peers: Object.keys(peers).length })
  log.info(describeMemory(need), 'memory')
  for (const shortage of memoryShortages(need, givenMemory())) log.warn({}, shortage)
}

/** What is allowed, and better not so. */
const warn = ({ settings }: Config, log: Logger): void => {
  const { links, clients, admin, restoredDangerouslyServeAtOnce } = settings
  for (const [name, { host, port, tls }] of Object.entries({ links, clients, admin }))
    if (port !== undefined && tls.certFile === undefined && !isLoopback(host))
      log.warn(
        { listener: name },
        'listens beyond this machine without TLS: who can hear the network hears what is said',
      )
  for (const [name, { dangerouslyAllowAnyone }] of Object.entries({ clients, admin }))
    if (dangerouslyAllowAnyone) log.warn({ listener: name }, 'lets in anyone, without a token')
  if (restoredDangerouslyServeAtOnce) log.warn('serves a restored backup at once: sessions that ended may show again')
}
