/** Faults of networks, disks, clocks and processes. */
import type { Timer } from '@sojourn/core/internal'
import type { Part } from './disk.js'
import type { Loss, Trouble } from './history.js'
import type { Network, Wire } from './network.js'
import { FAULTS_BETWEEN, type FaultKind, type FaultStep, MAX_CLOCK_ERROR_MS } from './plan.js'
import type { Prng } from './prng.js'
import type { Region } from './region.js'
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

/** Which parts of a disk are full at one time. */
const FULL: readonly (readonly Part[])[] = [['journal', 'rows'], ['journal'], ['rows']]

/** Brings faults into a world, and takes them back. */
export class Faults {
  readonly #options: FaultsOptions
  /** What is to be taken back, and when. */
  readonly #active = new Map<Timer, () => void>()
  readonly injected = new Map<FaultKind, number>()
  readonly troubles: Trouble[] = []
  clocksStepped = false

  constructor(options: FaultsOptions) {
    this.#options = options
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
    const { network, regions, members, time } = this.#options
    for (const [timer, undo] of [...this.#active]) {
      timer.cancel()
      undo()
    }
    this.#active.clear()
    network.unblockAll()
    for (const [way, wire] of Object.entries(this.#options.wires)) this.#setWire(way, wire)
    network.resetLossy()
    for (const region of regions.values()) {
      const { disk, clock } = region.machine
      disk.full.clear()
      disk.stalledUntil = 0
      clock.drift(1)
      this.#bound(region)
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
    for (const region of this.#options.regions.values()) this.#bound(region)
  }

  #bound(region: Region): void {
    const { clock } = region.machine
    const { error } = clock
    if (Math.abs(error) > MAX_CLOCK_ERROR_MS) this.#step(region, Math.sign(error) * MAX_CLOCK_ERROR_MS * 0.5 - error)
  }

  #step(region: Region, byMs: number): void {
    this.#options.clockMoved(region)
    region.machine.clock.step(byMs)
    this.clocksStepped = true
    this.#options.clockMoved(region)
  }

  #later(ms: number, undo: () => void): void {
    const timer = this.#options.time.schedule(ms, () => {
      this.#active.delete(timer)
      undo()
    })
    this.#active.set(timer, undo)
  }

  /** False where the fault finds nothing to go wrong. */
  #apply(step: FaultStep, region: Region): boolean {
    const { time, network } = this.#options
    const { ms, amount = 0, ways = [] } = step
    const { disk, clock } = region.machine
    const isOpen = region.replica !== undefined
    switch (step.fault) {
      case 'partition':
      case 'one-way':
        this.#cut(ways, step.reset ?? false, ms)
        return true
      case 'flapping':
        for (let at = 0; at < ms; at += 2 * amount) {
          const cut = () => this.#cut(ways, step.reset ?? false, amount)
          if (at === 0) cut()
          else this.#at(at, cut)
        }
        return true
      case 'swizzle':
        this.#swizzle(ways, ms)
        return true
      case 'disconnect':
        for (const way of ways) network.reset(...ends(way))
        return true
      case 'slow-reader':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, bytesPerMs: amount }))
      case 'spike':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, latencyMs: wire.latencyMs + amount, jitterMs: amount }))
      case 'loss':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, loss: amount }))
      case 'duplication':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, duplication: amount }))
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
        if (!isOpen) return false
        if (step.fault === 'reconfigure') this.#reconfigure(region, amount)
        region.stop()
        this.#later(ms, () => this.#start(region))
        return true
      case 'pause':
        if (!region.process || region.process.isPaused) return false
        region.process.pause()
        this.#later(ms, () => region.process?.isPaused && region.process.resume())
        return true
      case 'clock-step':
        this.#step(region, amount - clock.error)
        return true
      case 'clock-drift':
        clock.drift(1 + amount)
        this.#later(ms, () => clock.drift(1))
        return true
      case 'clock-strobe':
        for (let at = 0, turn = 1; at < ms; at += 200, turn = -turn)
          this.#at(at, () => this.#step(region, turn * amount - clock.error))
        return true
      case 'disk-full':
        for (const part of FULL[amount % FULL.length]!) disk.full.add(part)
        this.#later(ms, () => disk.full.clear())
        return true
      case 'disk-stall':
        disk.stalledUntil = time.now + ms
        return true
      case 'rot': {
        if (amount % 4 === 3) {
          if (disk.rotEntry() === undefined) return false
          // A commit that builds on the entry leaves its record unreadable, with all that this region alone had of it.
          this.#lost(region, Number.NEGATIVE_INFINITY, 'rot')
          return true
        }
        const key = disk.rotRow()
        if (key) this.#lost(region, Number.NEGATIVE_INFINITY, 'rot', key)
        return key !== undefined
      }
      case 'old-row': {
        const key = disk.bringBack()
        if (key) this.#lost(region, Number.NEGATIVE_INFINITY, 'old row', key)
        return key !== undefined
      }
      case 'fence':
        if (!isOpen) return false
        disk.intrude()
        return true
      case 'wipe':
        this.#down(region, true, ms)
        this.#lost(region, disk.wipe(), 'wipe')
        return true
      case 'restore':
        disk.copy()
        this.#at(ms, () => {
          this.#down(region, true, amount)
          this.#lost(region, disk.restore(), 'restore')
          this.#options.trace.report(region.name, '*** the old copy is in place')
        })
        return true
      case 'membership':
        return this.#leave(region, ms, Math.floor(step.at) % 2 === 0)
      default:
        return step.fault satisfies never
    }
  }

  /** Something that is left out when the world is healed first. */
  #at(ms: number, run: () => void): void {
    const timer = this.#options.time.schedule(ms, () => {
      this.#active.delete(timer)
      run()
    })
    this.#active.set(timer, () => {})
  }

  #lost(region: Region, from: number | undefined, what: string, key?: string): void {
    if (from === undefined) return
    this.#options.lost({ region: region.name, at: this.#options.time.now, from, key, what })
  }

  #start(region: Region): void {
    if (!this.#options.members.has(region.name)) return
    // Still closing: whoever starts it tries again.
    if (region.state === 'closing') this.#later(200, () => this.#start(region))
    else region.start()
  }

  #down(region: Region, hasPower: boolean, ms: number): void {
    region.kill(hasPower)
    this.#later(ms, () => this.#start(region))
  }

  #cut(ways: readonly string[], reset: boolean, ms: number): void {
    const { network } = this.#options
    for (const way of ways) {
      const [from, to] = ends(way)
      network.block(from, to)
      if (reset) network.reset(from, to)
    }
    this.#later(ms, () => {
      for (const way of ways) network.unblock(...ends(way))
    })
  }

  /** Directions are stopped one by one, and healed one by one in another order. */
  #swizzle(ways: readonly string[], ms: number): void {
    const { random } = this.#options
    const half = ms / 2
    const heals = new Map(random.shuffled(ways).map((way, index) => [way, half + (half * (index + 1)) / ways.length]))
    for (const [index, way] of random.shuffled(ways).entries()) {
      const at = (half * index) / ways.length
      this.#at(at, () => this.#cut([way], false, heals.get(way)! - at))
    }
  }

  #worsen(ways: readonly string[], ms: number, change: (wire: Wire) => Wire): boolean {
    for (const way of ways) this.#setWire(way, change(this.#options.network.wire(...ends(way))))
    this.#later(ms, () => {
      for (const way of ways) this.#setWire(way, this.#options.wires[way]!)
    })
    return true
  }

  #setWire(way: string, wire: Wire): void {
    this.#options.network.setWire(...ends(way), wire)
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
    this.#later(ms, () => {
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
        if (region.state === 'opening') return this.#later(200, notify)
        if (whileRunning && region.replica && !region.process?.isPaused) {
          region.changeMembers()
          return
        }
        if (region.state === 'open') region.stop()
        this.#later(300, () => this.#start(region))
      }
      this.#later(at, notify)
    }
  }
}

const ends = (way: string): [string, string] => way.split('>') as [string, string]
