/** Faults of networks, disks, clocks and processes. */
import type { Loss, Trouble } from './history.js'
import { isMachineFault, MachineFaults, type MachineFaultsOptions } from './machine-faults.js'
import type { Network, Wire } from './network.js'
import { isNetworkFault, NetworkFaults } from './network-faults.js'
import { FAULTS_BETWEEN, type FaultKind, type FaultStep } from './plan.js'
import type { Prng } from './prng.js'
import type { Region } from './region.js'
import { Remedies } from './remedies.js'
import type { WorldTime } from './time.js'
import type { Trace } from './trace.js'

export interface FaultsOptions {
  readonly time: WorldTime
  readonly trace: Trace
  readonly random: Prng
  readonly network: Network
  readonly regions: ReadonlyMap<string, Region>
  /** The regions that belong to the store now. */
  readonly members: Set<string>
  readonly wires: { readonly [way: string]: Wire }
  readonly lost: (loss: Loss) => void
  readonly clockMoved: (region: Region) => void
}

/** Faults of what lies between regions. */
const BETWEEN: ReadonlySet<FaultKind> = new Set(FAULTS_BETWEEN)

/** Faults of a region whose end is not known when they begin. */
const LASTING: ReadonlySet<FaultKind> = new Set(['crash-in-call', 'restore', 'rot', 'old-row', 'fence'])

/** Brings faults into a world, and takes them back. */
export class Faults {
  readonly #options: FaultsOptions
  readonly #remedies: Remedies
  readonly #network: NetworkFaults
  readonly #machines: MachineFaults
  readonly injected = new Map<FaultKind, number>()
  readonly troubles: Trouble[] = []

  constructor(options: FaultsOptions) {
    this.#options = options
    this.#remedies = new Remedies(options.time)
    this.#network = new NetworkFaults(options, this.#remedies)
    const { time, clockMoved } = options
    const lost: MachineFaultsOptions['lost'] = (...loss) => this.#lost(...loss)
    this.#machines = new MachineFaults({ time, clockMoved, lost }, this.#remedies)
  }

  get clocksStepped(): boolean {
    return this.#machines.clocksStepped
  }

  inject(step: FaultStep): void {
    const region = this.#options.regions.get(step.region)
    if (!region || !this.#apply(step, region)) return
    this.injected.set(step.fault, (this.injected.get(step.fault) ?? 0) + 1)
    this.troubles.push(this.#troubleOf(step))
    const { ways, ms, amount, reset } = step
    const details = [
      ways && `${ways.join(' ')}${reset ? ', reset' : ''}`,
      amount !== undefined && `(${Number(amount.toFixed(3))})`,
      ms > 0 && `for ${(ms / 1_000).toFixed(1)} s`,
    ]
    this.#options.trace.report(step.region, `*** ${[step.fault, ...details].filter(Boolean).join(' ')}`)
  }

  #troubleOf({ fault, region, ms, ways = [] }: FaultStep): Trouble {
    const { time, wires } = this.#options
    const from = time.now
    if (BETWEEN.has(fault)) return { ways, from, until: from + ms }
    // What was lost is not sent again, and who comes and goes is reported to the others one by one.
    if (fault === 'loss' || fault === 'duplication' || fault === 'membership')
      return { ways: Object.keys(wires), from, until: Number.POSITIVE_INFINITY }
    return { region, ways: [], from, until: LASTING.has(fault) ? Number.POSITIVE_INFINITY : from + ms }
  }

  /** Everything works again, and nothing goes wrong any more. */
  healAll(): void {
    const { regions, members, time } = this.#options
    this.#remedies.all()
    this.#network.heal()
    for (const region of regions.values()) {
      this.#machines.heal(region)
      region.process?.defuse()
      if (region.process?.isPaused) region.process.resume()
    }
    // Whoever starts what died also starts what closes at the moment.
    const startAll = () => {
      for (const name of members) regions.get(name)!.start()
    }
    startAll()
    time.schedule(2_500, startAll)
  }

  /** Called now and then: what keeps clocks near the truth. */
  disciplineClocks(): void {
    for (const region of this.#options.regions.values()) this.#machines.bound(region)
  }

  /** False where the fault finds nothing to go wrong. */
  #apply(step: FaultStep, region: Region): boolean {
    const { fault, ms, amount = 0 } = step
    if (isNetworkFault(fault)) return this.#network.apply(fault, step)
    if (isMachineFault(fault)) return this.#machines.apply(fault, step, region)
    const { disk } = region.machine
    switch (fault) {
      case 'kill':
        if (!region.process) return false
        this.#down(region, true, ms)
        return true
      case 'crash-in-call':
        if (!region.process) return false
        region.process.dieAfter(amount, () => {
          this.#options.trace.report(region.name, '*** dies in a call')
          this.#down(region, true, ms)
        })
        return true
      case 'power':
        this.#down(region, false, ms)
        this.#lost(region, disk.lostPower(), 'power')
        return true
      case 'restart':
      case 'reconfigure':
        if (region.replica === undefined) return false
        if (fault === 'reconfigure') this.#reconfigure(region, amount)
        region.stop()
        this.#remedies.later(ms, () => this.#start(region))
        return true
      case 'pause':
        if (!region.process || region.process.isPaused) return false
        region.process.pause()
        this.#remedies.later(ms, () => region.process?.isPaused && region.process.resume())
        return true
      case 'wipe':
        this.#down(region, true, ms)
        this.#lost(region, disk.wipe(), 'wipe')
        return true
      case 'restore':
        disk.copy()
        this.#remedies.at(ms, () => {
          this.#down(region, true, amount)
          this.#lost(region, disk.restore(), 'restore')
          this.#options.trace.report(region.name, '*** the old copy is in place')
        })
        return true
      case 'membership':
        return this.#leave(region, ms, Math.floor(step.at) % 2 === 0)
      default:
        return fault satisfies never
    }
  }

  #lost(region: Region, from: number | undefined, what: string, key?: string): void {
    if (from === undefined) return
    this.#options.lost({ region: region.name, at: this.#options.time.now, from, key, what })
  }

  #start(region: Region): void {
    if (!this.#options.members.has(region.name)) return
    // Still closing: whoever starts it tries again.
    if (region.state === 'closing') this.#remedies.later(200, () => this.#start(region))
    else region.start()
  }

  #down(region: Region, hasPower: boolean, ms: number): void {
    region.kill(hasPower)
    this.#remedies.later(ms, () => this.#start(region))
  }

  #reconfigure(region: Region, amount: number): void {
    const fsync = (['always', 'everysec', 'never'] as const)[amount % 3]!
    const limits = { ...region.options.limits, maxRecentCommits: 1 + (amount % 50), maxCacheEntries: 1 + (amount % 20) }
    region.options = { ...region.options, fsync, limits }
  }

  /**
   * A region leaves for good: the others are notified, or restarted without it. After a while it comes back with an empty disk.
   * @param whileRunning whether the others are notified while they run
   */
  #leave(region: Region, ms: number, whileRunning: boolean): boolean {
    const { members, regions } = this.#options
    if (members.size < 3 || !members.has(region.name)) return false
    members.delete(region.name)
    region.stop()
    this.#lost(region, Number.NEGATIVE_INFINITY, 'membership')
    this.#notifyOthers(region, whileRunning)
    this.#remedies.later(ms, () => {
      region.kill(true)
      region.machine.disk.wipe()
      members.add(region.name)
      this.#notifyOthers(region, whileRunning)
      this.#options.trace.report(region.name, '*** is a member again')
      for (const name of regions.keys()) if (name === region.name) this.#start(region)
    })
    return true
  }

  #notifyOthers(about: Region, whileRunning: boolean): void {
    let at = 0
    for (const region of this.#options.regions.values()) {
      if (region === about) continue
      at += 500
      const notify = () => {
        // It opens with the members that there were; it is notified when there is somebody to notify.
        if (region.state === 'opening') return this.#remedies.later(200, notify)
        if (whileRunning && region.replica && !region.process?.isPaused) {
          region.changeMembers()
          return
        }
        if (region.state === 'open') region.stop()
        this.#remedies.later(300, () => this.#start(region))
      }
      this.#remedies.later(at, notify)
    }
  }
}
