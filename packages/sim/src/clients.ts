/** The apps of a world, the doors by which its regions let them in, and what is seen of both. */
import type { LinkChange } from '@sojourn/client'
import type { Replica } from '@sojourn/replica'
import type { ClientsStatus } from '@sojourn/server'
import { App } from './app.js'
import type { Door } from './calls.js'
import { ClientFaults } from './client-faults.js'
import type { AppState, ClientHistory, CommitsSeen, DoorState, LineSeen, Service } from './history.js'
import type { Network, Wire } from './network.js'
import type { ClientFaultStep, ClientsPlan, Plan } from './plan.js'
import type { Prng } from './prng.js'
import type { Process } from './process.js'
import type { Region } from './region.js'
import { RegionDoor } from './region-door.js'
import { MachineClock, type WorldTime } from './time.js'
import type { Trace } from './trace.js'

export interface ClientsOptions {
  readonly plan: Plan
  readonly clients: ClientsPlan
  readonly time: WorldTime
  readonly trace: Trace
  readonly network: Network
  readonly random: Prng
  readonly regions: ReadonlyMap<string, Region>
  readonly restart: (region: Region) => void
  readonly trouble: (region: string, ms: number) => void
  /** An app's process died. */
  readonly appGone: (app: string) => void
  readonly complain: (what: string) => void
}

/** Faults after which clocks are not what they were. */
const CLOCK_FAULTS: ReadonlySet<string> = new Set(['clock-step', 'clock-drift', 'clock-strobe'])

/** Limits that, where they are small, have a door forget what a client may yet ask. */
const FORGETFUL = [
  'maxRemembered',
  'maxRememberedBytes',
  'maxRememberedBytesInAll',
  'maxAwayClients',
  'maxAwayMs',
] as const

/** Frames that come twice make either side give up a connection, rightly: no transport of the product does that. */
const MISUNDERSTANDING = /^(FRAME|LINK_VERSION|CHANGE|RECORD)/

export class Clients {
  readonly apps = new Map<string, App>()
  readonly faults: ClientFaults
  readonly #options: ClientsOptions
  readonly #services: Service[] = []
  readonly #commits: CommitsSeen[] = []
  readonly #misunderstandings: string[] = []
  readonly #lines: LineSeen[] = []
  readonly #doors: RegionDoor[] = []
  readonly #isFaithful: boolean
  #connections = 0
  #settled: readonly AppState[] = []
  #left: readonly DoorState[] = []

  constructor(options: ClientsOptions) {
    this.#options = options
    const { plan, clients, time, network, random, regions, trace, appGone, restart, trouble } = options
    this.#isFaithful = plan.steps.every(
      (step) =>
        (step.do !== 'client-fault' || step.fault !== 'app-duplication') &&
        (step.do !== 'fault' || (step.fault !== 'loss' && step.fault !== 'duplication')),
    )
    for (const [way, wire] of Object.entries(clients.wires)) network.setWire(...ends(way), wire)
    for (const [name, app] of Object.entries(clients.apps)) {
      const clock = new MachineClock(time, app.clock)
      clock.drift(1 + app.drift)
      const made = new App({ name, clock, time, network }, app, {
        random: random.fork('apps'),
        nextConnection: () => ++this.#connections,
        membersOf: (region) => regions.get(region)!.members.length,
        walls: () => new Map([...regions].map(([region, { machine }]) => [region, machine.clock.wall])),
        clocksStep: plan.faults.some((fault) => CLOCK_FAULTS.has(fault)),
        linked: ({ name: of }, { state, region, url, why = '' }) => {
          trace.report(of, `${state} ${region ?? url} ${why}`)
          this.#noteLine(of, state, region)
          if (state !== 'up') this.misunderstood(`${of} and ${region ?? url}`, why)
        },
        gone: ({ name: of }) => {
          this.#endLine(of)
          appGone(of)
        },
      })
      this.apps.set(name, made)
    }
    const wires: { readonly [way: string]: Wire } = clients.wires
    this.faults = new ClientFaults({ time, trace, network, apps: this.apps, regions, wires, restart, trouble })
  }

  #noteLine(app: string, state: LinkChange['state'], region = ''): void {
    if (state === 'refused') return
    const { time, regions } = this.#options
    const open = this.#lines.findLast((line) => line.app === app)
    // Of two of which one takes the other's place the old one goes down last.
    if (state === 'down' && open?.region !== region) return
    this.#endLine(app)
    if (state === 'up')
      this.#lines.push({ app, region, incarnation: regions.get(region)!.incarnation, from: time.now, until: undefined })
  }

  #endLine(app: string): void {
    const open = this.#lines.findLast((line) => line.app === app)
    if (open) open.until ??= this.#options.time.now
  }

  /** Two sides ended a connection for this reason, whichever of them found it. */
  misunderstood(between: string, why: string): void {
    if (this.#isFaithful && MISUNDERSTANDING.test(why)) this.#misunderstandings.push(`${between}: ${why}`)
  }

  /** A region's replica is open: its door opens when it is ready. */
  openDoor(region: Region, replica: Replica, process: Process): RegionDoor {
    const { clients, time, random, trace, complain } = this.#options
    const { name } = region
    const { incarnation } = process
    replica.on('committed', (keys) => {
      if (process.isAlive()) this.#commits.push({ at: time.now, region: name, incarnation, keys })
    })
    const door = new RegionDoor({
      region: name,
      replica,
      process,
      plan: clients.doors[name]!,
      random: random.fork(`door ${name}.${incarnation}`),
      now: () => time.now,
      fuse: { burn: (isSent) => process.isAlive() && this.faults.burn(name, isSent) },
      served: (service) => this.#services.push(service),
      opened: () => trace.report(name, 'lets clients in'),
      complain,
    })
    this.#doors.push(door)
    return door
  }

  start(): void {
    for (const app of this.apps.values()) app.start()
  }

  inject(step: ClientFaultStep): void {
    this.faults.inject(step)
  }

  /** How a user calls through an app; undefined while it cannot. */
  call(name: string, perform: (door: Door) => void): void {
    const app = this.apps.get(name)!
    app.process?.deliver(() => {
      const door = app.door(this.#options.regions.size)
      if (door) perform(door)
    })
  }

  /** Everything works, and has for a while: notes where the clients are. */
  settle(): void {
    this.#settled = [...this.apps].map(([app, { client, plan }]) => {
      const status = client?.status()
      const [nearest] = plan.regions
      const hasRoom = this.#options.clients.doors[nearest!]!.limits.maxConnections === undefined
      return {
        app,
        region: status?.region,
        nearest: hasRoom ? nearest : undefined,
        inFlight: status?.inFlight ?? 0,
      }
    })
  }

  closeAll(): void {
    for (const app of this.apps.values()) app.close()
  }

  /** All clients are gone, for longer than anything is kept for them. */
  noteWhatIsLeft(): void {
    this.#left = [...this.#options.regions.values()].flatMap(({ name, door }) => {
      const status = door?.status
      if (status === undefined) return []
      const { connections, inFlight, remembered, watched, kept } = status
      return [{ region: name, left: { connections, inFlight, remembered, watched, ...kept } }]
    })
  }

  /** What happened how often, of what worlds with apps are for. */
  get totals(): { readonly [what: string]: number } {
    const doors = this.#doors.flatMap(({ status }) => status ?? [])
    const sum = (of: (status: ClientsStatus) => number) => doors.reduce((all, status) => all + of(status), 0)
    return {
      'connections of clients': this.#lines.length,
      'calls asked again': [...this.apps.values()].reduce((all, { repeated }) => all + repeated, 0),
      'writes answered from memory': sum(({ totals }) => totals.answeredFromMemory),
      'changes sent to near caches': sum(({ totals }) => totals.invalidations),
      'times that a budget was full': sum(({ exceeded }) =>
        Object.values(exceeded).reduce((all, each) => all + each, 0),
      ),
    }
  }

  get history(): ClientHistory {
    return {
      services: this.#services,
      lines: this.#lines,
      troubles: this.faults.troubles,
      commits: this.#commits,
      maxStaleMs: Object.fromEntries([...this.apps].map(([name, { maxStaleMs }]) => [name, maxStaleMs])),
      settled: this.#settled,
      left: this.#left,
      misunderstandings: this.#misunderstandings,
      speaksOld: this.#options.clients.speaksOld,
      remembering: Object.entries(this.#options.clients.doors).flatMap(([region, { limits }]) =>
        FORGETFUL.every((name) => limits[name] === undefined) ? region : [],
      ),
    }
  }
}

const ends = (way: string): [string, string] => way.split('>') as [string, string]
