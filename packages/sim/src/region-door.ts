/** A region's door for clients: the listener that its server would open, once the replica is ready, and what is seen of it. */
import type { Replica } from '@sojourn/replica'
import {
  type Bearer,
  type ClientListener,
  type ClientsStatus,
  DEFAULT_CLIENT_LIMITS,
  listenForClients,
  Readiness,
} from '@sojourn/server'
import { type AnswerFuse, simulatedSockets } from './client-sockets.js'
import type { Service } from './history.js'
import type { DoorPlan } from './plan.js'
import type { Prng } from './prng.js'
import type { Process } from './process.js'
import { Witness } from './witness.js'

export interface RegionDoorOptions {
  readonly region: string
  readonly replica: Replica
  readonly process: Process
  readonly plan: DoorPlan
  readonly random: Prng
  /** Milliseconds since the world began. */
  readonly now: () => number
  readonly fuse: AnswerFuse
  readonly served: (service: Service) => void
  readonly opened: () => void
  readonly complain: (what: string) => void
}

export const CLIENT_PORT = 7_200

/** As `sojourn serve` waits for peers, and looks whether it may let clients in. */
const PEER_WAIT_MS = 5_000
const READY_STEP_MS = 50

/** Everybody may read and write. */
const APPS: Bearer = { name: 'apps', scope: 'write' }

export class RegionDoor {
  readonly #options: RegionDoorOptions
  readonly #readiness: Readiness
  #listener: ClientListener | undefined
  #isClosing = false

  constructor(options: RegionDoorOptions) {
    this.#options = options
    const { replica, process } = options
    this.#readiness = new Readiness({
      clock: process.clock,
      replica: () => replica.status(),
      peerWaitMs: PEER_WAIT_MS,
      awaitsAll: false,
      isRemoved: () => false,
    })
    this.#openWhenReady()
  }

  #openWhenReady(): void {
    if (this.#isClosing) return
    if (this.#readiness.mayOpen) void this.#open()
    else this.#options.process.clock.after(READY_STEP_MS, () => this.#openWhenReady())
  }

  async #open(): Promise<void> {
    const { region, replica, process, plan, random, now, fuse, served, opened, complain } = this.#options
    const { incarnation } = process
    const listener = await listenForClients({
      replica,
      sessions: new Witness({
        sessions: replica,
        region,
        incarnation,
        now,
        isAlive: () => process.isAlive(),
        seen: served,
      }),
      tokens: { check: () => APPS },
      listen: { host: region, port: CLIENT_PORT },
      limits: plan.limits,
      ...(plan.maxVersion !== undefined && { maxVersion: plan.maxVersion }),
      clock: process.clock,
      random,
      listenForSockets: simulatedSockets(process, fuse),
      failed: (error) => complain(`${region}: ${error instanceof Error ? error.stack : String(error)}`),
    })
    this.#listener = listener
    if (this.#isClosing) await listener.close()
    else opened()
  }

  /** Takes nobody in any more, and answers what is owed for as long as the plan says. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#listener?.close({ drainMs: this.#options.plan.drainMs })
  }

  get status(): ClientsStatus | undefined {
    return this.#listener?.status()
  }

  /** What is kept for clients, and how much of it may be. */
  get kept(): { readonly [what: string]: readonly [value: number, bound: number] } | undefined {
    const status = this.status
    if (status === undefined) return undefined
    const { kept, connections, unauthenticated, remembered, watched } = status
    const limits = { ...DEFAULT_CLIENT_LIMITS, ...this.#options.plan.limits }
    const clients = limits.maxConnections + limits.maxAwayClients
    return {
      connections: [connections, limits.maxConnections],
      handshakes: [unauthenticated.connections, limits.maxHandshakes],
      'remembered answers': [remembered, clients * limits.maxRemembered],
      'watched sessions': [watched, limits.maxConnections * limits.maxWatched],
      'bytes of remembered answers': [kept.replies, limits.maxRememberedBytesInAll],
      'bytes of requests': [kept.requests, limits.maxInFlightBytesInAll],
      'bytes of watches': [kept.watches, limits.maxWatchedBytesInAll],
      'bytes of answers': [kept.answers, limits.maxBufferedBytesInAll],
      'bytes of frames': [kept.frames, limits.maxFrameBytesInAll],
    }
  }
}
