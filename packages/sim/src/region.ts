/** A region of a world. */
import { openReplica, type Replica } from '@sojourn/replica'
import type { RegionOptions } from './plan.js'
import { MAX_CLOCK_SKEW_MS } from './plan.js'
import type { Prng } from './prng.js'
import { type Machine, Process } from './process.js'
import type { RegionDoor } from './region-door.js'

export type RegionState = 'down' | 'opening' | 'open' | 'closing'

export interface RegionHost {
  readonly random: Prng
  /** The regions that belong to the store now. */
  readonly members: ReadonlySet<string>
  opened(region: Region): void
  /** Opens the region's door for clients, in worlds that have any. */
  openDoor?(region: Region, replica: Replica, process: Process): RegionDoor
  /** A process of the region is gone, however it went. */
  gone(region: Region): void
  failedToOpen(region: Region, error: unknown): void
  linked(region: Region, change: { region: string; state: string; code?: string | undefined }): void
  faulted(region: Region, fault: { code: string; message: string }): void
}

const addressOf = (name: string): string => `ws://${name}:7100`

const SECRET = 'a secret for worlds only'

/** One region: a machine, and the process that runs there, if one does. */
export class Region {
  readonly name: string
  readonly machine: Machine
  readonly #host: RegionHost
  options: RegionOptions
  #process: Process | undefined
  #replica: Replica | undefined
  #door: RegionDoor | undefined
  #state: RegionState = 'down'
  #incarnation = 0
  /** As the running process was configured. */
  members: readonly string[] = []

  constructor(machine: Machine, options: RegionOptions, host: RegionHost) {
    this.name = machine.name
    this.machine = machine
    this.options = options
    this.#host = host
  }

  get state(): RegionState {
    return this.#state
  }

  get incarnation(): number {
    return this.#incarnation
  }

  /** The replica, while it takes calls. */
  get replica(): Replica | undefined {
    return this.#state === 'open' ? this.#replica : undefined
  }

  get process(): Process | undefined {
    return this.#process
  }

  /** Where clients come in, once the replica has opened. */
  get door(): RegionDoor | undefined {
    return this.#door
  }

  start(): void {
    if (this.#state !== 'down') return
    this.#state = 'opening'
    const incarnation = ++this.#incarnation
    const process = new Process(this.machine, this.#host.random.fork(`${this.name}.${incarnation}`), incarnation)
    this.#process = process
    this.members = [...this.#host.members].sort()
    const peers = this.members.filter((name) => name !== this.name)
    const opening = openReplica({
      ...this.options,
      region: this.name,
      location: this.name,
      listen: { host: this.name, port: 7_100 },
      peers: Object.fromEntries(peers.map((name) => [name, addressOf(name)])),
      secret: SECRET,
      maxClockSkew: MAX_CLOCK_SKEW_MS,
      ports: process.ports,
    })
    opening.then(
      (replica) => {
        if (this.#process !== process) return
        this.#replica = replica
        this.#state = 'open'
        replica.on('link', (change) => process.isAlive() && this.#host.linked(this, change))
        replica.on('fault', (fault) => process.isAlive() && this.#host.faulted(this, fault))
        this.#host.opened(this)
        this.#door = this.#host.openDoor?.(this, replica, process)
      },
      (error: unknown) => {
        if (this.#process !== process) return
        this.#end(process)
        this.#host.failedToOpen(this, error)
      },
    )
  }

  /** Gives the running replica the list of which regions there are now. */
  changeMembers(): void {
    const replica = this.replica
    if (!replica) return
    const now = [...this.#host.members].sort()
    for (const name of this.members) if (!now.includes(name)) replica.removePeer(name)
    for (const name of now)
      if (name !== this.name && !this.members.includes(name)) replica.addPeer(name, addressOf(name))
    this.members = now
  }

  /** Closes the replica, as SIGTERM would, and ends the process. */
  stop(): void {
    const process = this.#process
    const replica = this.#replica
    if (this.#state !== 'open' || !process || !replica) {
      this.kill(true)
      return
    }
    this.#state = 'closing'
    process.deliver(() => {
      const end = () => {
        if (this.#process === process) this.#end(process)
      }
      const door = this.#door
      const closing = door ? door.close().then(() => replica.close()) : replica.close()
      closing.then(end, end)
    })
  }

  kill(hasPower: boolean): void {
    const process = this.#process
    if (process === undefined) return
    this.#end(process, hasPower)
  }

  #end(process: Process, hasPower = true): void {
    process.kill(hasPower)
    this.#process = undefined
    this.#replica = undefined
    this.#door = undefined
    this.#state = 'down'
    this.#host.gone(this)
  }
}
