/** An app of a world: a process with the real client in it, on a machine of its own, which comes and goes. */
import { type Client, type ClientOptions, connect, type LinkChange } from '@sojourn/client'
import type { Answerer, Door } from './calls.js'
import { type Place, RunningHost } from './host.js'
import type { Dialed } from './network.js'
import { type AppPlan, MAX_CLOCK_ERROR_MS } from './plan.js'
import type { Prng } from './prng.js'
import type { Process } from './process.js'
import { CLIENT_PORT } from './region-door.js'

export interface AppHost {
  readonly random: Prng
  /** Numbers connections, over all apps. */
  readonly nextConnection: () => number
  /** Regions that a region's running replica knows, itself included. */
  readonly membersOf: (region: string) => number
  /** What each region's wall clock shows now. */
  readonly walls: () => ReadonlyMap<string, number>
  /** Whether wall clocks step in this world, or drift more than all clocks do. */
  readonly clocksStep: boolean
  readonly linked: (app: App, change: LinkChange) => void
  /** A process of the app is gone, however it went. */
  readonly gone: (app: App) => void
}

/** A connection, from when it is dialed. */
interface Line {
  readonly number: number
  readonly dialed: Dialed
}

/** How long an app whose client found no server waits before it tries again, as whatever supervises it would. */
const RETRY_MS = 1_000
/** How long an app that closes its client lives on. */
const LAST_WORDS_MS = 100

const urlOf = (region: string): string => `ws://${region}:${CLIENT_PORT}`

export class App {
  readonly name: string
  readonly plan: AppPlan
  readonly place: Place
  readonly #host: AppHost
  #process: RunningHost | undefined
  #client: Client | undefined
  #incarnation = 0
  /** The last connection to each address. */
  #lines = new Map<string, Line>()
  /** Which connection brought a frame last, and in which happening. */
  #heard: { readonly line: Line; readonly happened: number } | undefined
  /** How long its processes stood still, and since when one does, milliseconds of the world. */
  #pausedMs = 0
  #pausedAt: number | undefined
  #repeated = 0

  constructor(place: Place, plan: AppPlan, host: AppHost) {
    this.name = place.name
    this.place = place
    this.plan = plan
    this.#host = host
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** The client, while there is one that was let in. */
  get client(): Client | undefined {
    return this.#client
  }

  get process(): RunningHost | undefined {
    return this.#process
  }

  /** The longest that its near cache may lag, milliseconds of the world. */
  get maxStaleMs(): number {
    const { nearCache } = this.plan.options
    return typeof nearCache === 'object' ? this.place.clock.toWorld(nearCache.maxStale as number) : 0
  }

  /** A server says with each ping what its clock shows; from then on a client goes by its own. */
  get #clockSlackMs(): number {
    return this.#host.clocksStep ? this.maxStaleMs + 2 * MAX_CLOCK_ERROR_MS : this.maxStaleMs * 0.03 + 5
  }

  start(): void {
    if (this.#process) return
    const process = new RunningHost(this.place)
    this.#process = process
    this.#connect(process, this.#host.random.fork(`${this.name}.${++this.#incarnation}`))
  }

  #connect(process: RunningHost, random: Prng): void {
    const options: ClientOptions = {
      ...this.plan.options,
      urls: this.plan.regions.map(urlOf),
      linkChanged: (change) => process.isAlive() && this.#host.linked(this, change),
      ports: {
        clock: process.clock,
        random,
        dial: (url, handler, { connectTimeoutMs }) => {
          const heard = (line: Line) => {
            this.#heard = { line, happened: this.place.time.happened }
          }
          const { opened, drained, closed } = handler
          const on = {
            opened,
            drained,
            closed,
            received: (frame: Uint8Array) => {
              heard(line)
              handler.received(frame)
            },
          }
          const line = {
            number: this.#host.nextConnection(),
            dialed: this.place.network.dial(process, url, on, connectTimeoutMs),
          }
          this.#lines.set(url, line)
          return line.dialed
        },
      },
    }
    connect(options).then(
      (client) => {
        if (this.#process === process) this.#client = client
      },
      () => {
        if (this.#process === process) process.clock.after(RETRY_MS, () => this.#connect(process, random))
      },
    )
  }

  /** Who answers what comes about in this happening; undefined: no server does. */
  #answerer(): Answerer | undefined {
    const heard = this.#heard
    return heard?.happened === this.place.time.happened ? this.#at(heard.line) : undefined
  }

  /** At whose server the client is. */
  #current(): Answerer | undefined {
    const url = this.#client?.status().url
    const line = url === undefined ? undefined : this.#lines.get(url)
    return line && this.#at(line)
  }

  #at({ number, dialed }: Line): Answerer | undefined {
    const far = dialed.far as Process | undefined
    if (far === undefined) return undefined
    const { machine: region, incarnation } = far
    return { region, incarnation, connection: number, members: this.#host.membersOf(region) }
  }

  /** How users call through it; undefined while it has no client. */
  door(members: number): Door | undefined {
    const [client, process] = [this.#client, this.#process]
    if (client === undefined || process === undefined) return undefined
    const { walls } = this.#host
    return {
      region: '',
      incarnation: 0,
      members,
      wall: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      api: client,
      vouches: () => process.isAlive(),
      client: {
        app: this.name,
        answerer: () => this.#answerer(),
        current: () => this.#current(),
        hits: () => client.status().nearCache?.hits ?? 0,
        walls,
        maxStaleMs: this.maxStaleMs,
        clockSlackMs: this.#clockSlackMs,
        patienceMs: (timeoutMs) => this.place.clock.toWorld(client.answersWithinMs + timeoutMs),
        pausedMs: () => this.pausedMs,
      },
    }
  }

  /** Calls that its clients asked again after a connection had ended. */
  get repeated(): number {
    return this.#repeated + (this.#client?.status().totals.repeated ?? 0)
  }

  get pausedMs(): number {
    return this.#pausedMs + (this.#pausedAt === undefined ? 0 : this.place.time.now - this.#pausedAt)
  }

  pause(): boolean {
    if (!this.#process || this.#process.isPaused) return false
    this.#pausedAt = this.place.time.now
    this.#process.pause()
    return true
  }

  resume(): void {
    if (!this.#process?.isPaused) return
    this.#pausedMs = this.pausedMs
    this.#pausedAt = undefined
    this.#process.resume()
  }

  /** As by SIGKILL. */
  kill(): void {
    const process = this.#process
    if (process === undefined) return
    this.#pausedMs = this.pausedMs
    this.#pausedAt = undefined
    this.#repeated = this.repeated
    process.kill(true)
    this.#process = undefined
    this.#client = undefined
    this.#lines = new Map()
    this.#host.gone(this)
  }

  /** Closes the client, as an app does that ends in order, and then ends. */
  close(): void {
    const [client, process] = [this.#client, this.#process]
    if (client === undefined || process === undefined) {
      this.kill()
      return
    }
    process.deliver(() => {
      void client.close()
      process.clock.after(LAST_WORDS_MS, () => this.#process === process && this.kill())
    })
  }
}
