/** Runs a replica as a process: the list of its parts, and what passes between them. */
import { existsSync, rmSync } from 'node:fs'
import { type Clock, type SessionApi, systemClock, type Transport } from '@sojourn/core/internal'
import type { TlsFiles } from '@sojourn/net'
import { openReplica, type Replica, webSocketTransport } from '@sojourn/replica'
import { levelEngine, makePrivateDirectory } from '@sojourn/store'
import type { AdminStatus } from '@sojourn/wire'
import { listenForAdmin } from './admin/listener.js'
import { adminHandlers } from './admin/routes.js'
import { certificatesOf, hostsOf, type ListenerName } from './certificates.js'
import { ClientDoor } from './clients/door.js'
import { type ClientListener, listenForClients } from './clients/listener.js'
import type { Config } from './config/load.js'
import type { HttpListener } from './http-listener.js'
import { Identity } from './identity/part.js'
import type { Logger } from './log.js'
import { LogThrottle } from './log-throttle.js'
import { Regions } from './members/regions.js'
import { MeteredSessions } from './metered.js'
import { Metrics } from './metrics.js'
import { type Part, startParts } from './part.js'
import { type Places, placesIn } from './places.js'
import { Readiness } from './readiness.js'
import { Reloader } from './reloader.js'
import { logReplica } from './replica-log.js'
import { timedEngine } from './timed-storage.js'
import { type TokenBook, Tokens } from './tokens.js'
import { VERSION } from './version.js'
import { reportMemory, warnOf } from './warnings.js'

/** Of the time that a stop may take, what is kept for the peers to take the tail and the store to close. */
const CLOSING_SHARE = 0.3

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
 *
 * @example
 * const config = loadConfig({ file: 'sojourn.yaml', env: process.env, flags: new Map() })
 * const running = await serve({ config, log: openLog('info', config.settings.region) })
 * process.once('SIGTERM', () => void running.stop())
 * @throws INVALID_OPTION, STORE_LOCKED, STORE_CORRUPT, STORE_FORMAT, STORE_FAILED, ENCRYPTION_KEY
 */
export const serve = async ({
  config,
  log,
  clock = systemClock,
  failed = () => {},
}: ServeOptions): Promise<Running> => {
  const server = new Server(config, log, clock, failed)
  const parts = await startParts(server.parts())
  const stop = async (): Promise<'done' | 'cut'> => {
    log.info('stopping')
    const over = new Promise<void>((resolve) => clock.after(config.settings.shutdownTimeout, resolve))
    const outcome = await parts.stop(over)
    log.info({ outcome }, 'stopped')
    return outcome
  }
  let stopping: Promise<'done' | 'cut'> | undefined
  return {
    status: () => server.status(),
    reload: () => server.reload(),
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** What there is once the store is open. */
interface Opened {
  readonly replica: Replica
  readonly readiness: Readiness
  readonly sessions: SessionApi
}

/** The parts, and what they share. */
class Server {
  readonly #config: Config
  readonly #log: Logger
  readonly #clock: Clock
  readonly #startedAt: number
  readonly #tls: { readonly [name in ListenerName]: TlsFiles }
  readonly #tokens: Tokens
  readonly #places: Places
  readonly #isRestored: boolean
  readonly #throttle: LogThrottle
  readonly #regions: Regions
  readonly #metrics: Metrics
  readonly #door: ClientDoor
  readonly #identity: Identity
  readonly #reloader: Reloader
  #open: Opened | undefined
  #admin: HttpListener | undefined

  constructor(config: Config, log: Logger, clock: Clock, failed: (error: unknown) => void) {
    const { settings } = config
    this.#config = config
    this.#log = log
    this.#clock = clock
    this.#startedAt = clock.monotonic()
    const tls = (name: ListenerName) => certificatesOf(settings, name)
    this.#tls = { links: tls('links'), clients: tls('clients'), admin: tls('admin'), identity: tls('identity') }
    this.#tokens = new Tokens(config.readTokens())
    this.#places = placesIn(settings.data)
    const { members, restored } = this.#places
    if (members !== undefined) makePrivateDirectory(settings.data)
    this.#isRestored = restored !== undefined && existsSync(restored)
    warnOf(config, log)
    reportMemory(config, log)
    this.#throttle = new LogThrottle(log, clock)
    this.#regions = new Regions({
      config,
      file: members,
      clock,
      log,
      throttle: this.#throttle,
      credentials: () => this.#tls.links.credentials,
      hostOf: hostsOf(settings),
      replica: () => this.#opened.replica,
    })
    this.#metrics = this.#makeMetrics()
    this.#door = new ClientDoor({
      clock,
      mayOpen: () => this.#opened.readiness.mayOpen,
      open: () => this.#openClients(),
      opened: () => log.info({ listeners: this.status().listeners }, 'ready'),
      failed,
      drainMs: Math.round(settings.shutdownTimeout * (1 - CLOSING_SHARE)),
    })
    this.#identity = new Identity({
      settings: settings.identity,
      clock,
      tokens: this.#tokens,
      createServer: this.#tls.identity.createServer,
      replica: () => this.#opened.replica,
      sessions: () => this.#opened.sessions,
      mayOpen: () => this.#opened.readiness.mayOpen,
      metrics: this.#metrics,
      throttle: this.#throttle,
      failed: (error) => this.#bug(error),
    })
    this.#reloader = new Reloader({
      config,
      clock,
      log,
      metrics: this.#metrics,
      tls: this.#tls,
      tokens: this.#tokens,
      tokensChanged: () => this.#door.listener?.recheck(),
      keys: this.#identity.files,
    })
  }

  /** In the order in which they start. They stop in the reverse one. */
  parts(): readonly Part[] {
    return [
      { name: 'log', start: () => {}, stop: () => this.#throttle.close() },
      // Stops late, so that probes and metrics are answered to the end, and something keeps the process alive until then.
      { name: 'probes', start: () => {}, stop: () => this.#admin?.close() },
      this.#replicaPart(),
      this.#regions,
      { name: 'admin', start: () => this.#listenForAdmin(), stop: () => {} },
      this.#identity,
      this.#door,
      this.#reloader,
      // From the first moment of a stop on, requests should go elsewhere.
      { name: 'readiness', start: () => {}, stop: () => this.#opened.readiness.stop() },
    ]
  }

  reload(): void {
    this.#reloader.reload()
  }

  status(): AdminStatus {
    const { replica, readiness } = this.#opened
    const reasons = readiness.reasons()
    const listener = this.#door.listener
    return {
      region: replica.region,
      version: VERSION,
      ready: reasons.length === 0,
      reasons,
      uptimeSeconds: Math.round((this.#clock.monotonic() - this.#startedAt) / 1_000),
      calls: { ...this.#metrics.totals },
      members: this.#regions.members.list(),
      replica: replica.status(),
      clients: listener?.status(),
      unauthenticated: this.#unauthenticated(),
      listeners: {
        links: replica.address,
        clients: listener?.address,
        admin: this.#admin?.address,
        identity: this.#identity.listener?.address,
      },
      certificates: Object.fromEntries(this.#certificates().map(({ listener, expiresAt }) => [listener, expiresAt])),
    }
  }

  /** Only what starts after the store was opened asks for it. */
  get #opened(): Opened {
    return this.#open!
  }

  #replicaPart(): Part {
    let replicaLog: LogThrottle | undefined
    return {
      name: 'replica',
      start: async () => {
        this.#open = await this.#openStore()
        const { replica } = this.#open
        replicaLog = logReplica(replica, this.#log, this.#clock)
        replica.on('fault', ({ code }) => this.#metrics.fault(code))
        this.#metrics.watch(replica)
      },
      stop: async () => {
        await this.#opened.replica.close()
        replicaLog?.close()
      },
    }
  }

  async #openStore(): Promise<Opened> {
    const { settings } = this.#config
    const clock = this.#clock
    const replica = await openReplica({
      ...replicaOptions(this.#config),
      location: this.#places.store,
      peers: this.#regions.members.peers,
      ports: {
        clock,
        storage: timedEngine(levelEngine, clock, (write) => this.#metrics.wrote(write)),
        transport: this.#transport(),
      },
    })
    const readiness = new Readiness({
      clock,
      replica: () => replica.status(),
      peerWaitMs: settings.readyPeerWait,
      awaitsAll: this.#isRestored && !settings.restoredDangerouslyServeAtOnce,
      isRemoved: () => this.#regions.members.isRemoved,
    })
    const sessions = new MeteredSessions({
      sessions: replica,
      clock,
      read: settings.consistency.read,
      write: settings.consistency.write,
      seen: (call) => this.#metrics.called(call),
    })
    return { replica, readiness, sessions }
  }

  #transport(): Transport {
    const { links } = this.#config.settings
    const tls = this.#tls.links
    return webSocketTransport(this.#clock, {
      name: 'links',
      option: 'links.port',
      allowedOrigins: links.allowedOrigins,
      createServer: (options, handler) =>
        tls.createServer(options, (request, response) => {
          if (!this.#regions.handle(request, response)) handler(request, response)
        }),
      tls,
      hostOf: hostsOf(this.#config.settings),
    })
  }

  async #listenForAdmin(): Promise<void> {
    const { replica, sessions } = this.#opened
    const { admin } = this.#config.settings
    const { registry } = this.#metrics
    this.#admin = await listenForAdmin({
      host: admin.host,
      port: admin.port,
      tokens: this.#tokens,
      createServer: this.#tls.admin.createServer,
      allowAnyone: admin.dangerouslyAllowAnyone,
      allowedHosts: admin.allowedHosts,
      limits: admin.limits,
      called: (made) => this.#log.info(made, 'admin call'),
      failed: (error) => this.#bug(error),
      handlers: adminHandlers({
        replica,
        sessions,
        clock: this.#clock,
        receiptWaitMs: this.#config.settings.consistency.timeout,
        version: VERSION,
        status: () => this.status(),
        metrics: async () => ({ type: registry.contentType, text: await registry.metrics() }),
        members: this.#regions.members,
        sendMembers: () => this.#regions.sendAll(),
        readKeys: this.#config.readKeys,
        log: this.#log,
      }),
    })
    this.#log.info({ version: VERSION, listeners: this.status().listeners }, 'open')
  }

  async #openClients(): Promise<ClientListener | undefined> {
    if (this.#isRestored) rmSync(this.#places.restored!, { force: true })
    const { clients } = this.#config.settings
    if (clients.port === undefined) return undefined
    return listenForClients({
      replica: this.#opened.replica,
      sessions: this.#opened.sessions,
      tokens: clients.dangerouslyAllowAnyone ? anyone(this.#tokens) : this.#tokens,
      listen: { host: clients.host, port: clients.port },
      createServer: this.#tls.clients.createServer,
      allowedOrigins: clients.allowedOrigins,
      limits: clients.limits,
      maxVersion: clients.maxVersion,
      clock: this.#clock,
      failed: (error) => this.#bug(error),
    })
  }

  #makeMetrics(): Metrics {
    const { members, store } = this.#places
    return new Metrics({
      region: this.#config.settings.region,
      version: VERSION,
      regions: () => this.#regions.members.list().length + 1,
      directory: members === undefined ? undefined : store,
      clients: () => this.#door.listener?.status(),
      certificates: () => this.#certificates(),
      isReady: () => this.#opened.readiness.reasons().length === 0,
      unauthenticated: () => this.#unauthenticated(),
    })
  }

  #certificates() {
    return Object.entries(this.#tls).flatMap(([listener, { expiresAt }]) =>
      expiresAt === undefined ? [] : [{ listener, expiresAt }],
    )
  }

  #unauthenticated() {
    const { replica } = this.#opened
    const listener = this.#door.listener
    return {
      ...(replica.address && { links: replica.status().unauthenticated }),
      ...(listener && { clients: listener.status().unauthenticated }),
      ...(this.#admin && { admin: this.#admin.unauthenticated }),
      ...(this.#identity.listener && { identity: this.#identity.listener.unauthenticated }),
    }
  }

  #bug(error: unknown): void {
    this.#throttle.write({ name: placeOf(error), level: 'error', body: { err: error }, message: 'unexpected' })
  }
}

const anyone = (tokens: TokenBook): TokenBook => ({
  check: (presented) => tokens.check(presented) ?? { name: 'anyone', scope: 'write' },
})

/** Where a bug was met: it is the same one as often as it is met there. */
const placeOf = (error: unknown): string =>
  error instanceof Error ? `bug ${error.name} ${error.stack?.split('\n    at ')[1]}` : 'bug'

const replicaOptions = ({ settings, secret, subjectKey, readKeys }: Config) => {
  const encryption = readKeys()
  const { region, links, reuse, consistency, fsync, maxClockSkew, purgeGrace, limits } = settings
  const { heartbeat, timeout, maxReconnectDelay, digestInterval, maxVersion } = links
  // The timeouts that a profile stands for are among the others.
  const { profile: _, ...session } = settings.session
  return {
    region,
    ...(links.port !== undefined && { listen: { host: links.host, port: links.port } }),
    ...(secret !== undefined && { secret }),
    ...(subjectKey !== undefined && { subjectKey }),
    reuse,
    ...(encryption !== undefined && { encryption }),
    session,
    consistency,
    fsync,
    maxClockSkew,
    purgeGrace,
    links: { heartbeat, timeout, maxReconnectDelay, digestInterval, maxVersion },
    limits,
  }
}
