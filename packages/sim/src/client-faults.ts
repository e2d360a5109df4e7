/** Brings faults between apps and servers, and takes them back. */
import type { Timer } from '@sojourn/core/internal'
import type { App } from './app.js'
import type { AppTrouble } from './history.js'
import type { Network, Wire } from './network.js'
import type { ClientFaultKind, ClientFaultStep } from './plan.js'
import type { Region } from './region.js'
import type { WorldTime } from './time.js'
import type { Trace } from './trace.js'

/** How long a process that closes its client may take to end. */
const RESTART_MS = 1_000

export interface ClientFaultsOptions {
  readonly time: WorldTime
  readonly trace: Trace
  readonly network: Network
  readonly apps: ReadonlyMap<string, App>
  readonly regions: ReadonlyMap<string, Region>
  /** Starts a region, if it belongs to the store. */
  readonly restart: (region: Region) => void
  /** A region is away for so long. */
  readonly trouble: (region: string, ms: number) => void
  /** As the plan has them. */
  readonly wires: { readonly [way: string]: Wire }
}

/** Answers that a region's process may still send, and whether the last one leaves. */
interface Fuse {
  left: number
  readonly before: boolean
  readonly ms: number
}

export class ClientFaults {
  readonly #options: ClientFaultsOptions
  /** What is to be taken back, and when. */
  readonly #active = new Map<Timer, () => void>()
  readonly #fuses = new Map<string, Fuse>()
  readonly troubles: AppTrouble[] = []
  readonly injected = new Map<ClientFaultKind, number>()

  constructor(options: ClientFaultsOptions) {
    this.#options = options
  }

  inject(step: ClientFaultStep): void {
    const app = this.#options.apps.get(step.app)!
    if (!this.#apply(step, app)) return
    this.injected.set(step.fault, (this.injected.get(step.fault) ?? 0) + 1)
    const { region, ways, ms, amount } = step
    const { now } = this.#options.time
    this.troubles.push({ app: step.app, region, from: now, until: now + ms })
    this.#options.trace.report(
      step.app,
      `*** ${step.fault} ${region} ${ways}${amount ? ` (${amount})` : ''} for ${(ms / 1_000).toFixed(1)} s`,
    )
  }

  /** False where the fault finds nothing to go wrong. */
  #apply(step: ClientFaultStep, app: App): boolean {
    const { network } = this.#options
    const { fault, region, ms, amount = 0 } = step
    switch (fault) {
      case 'app-cut':
        this.#cut(step)
        return true
      case 'app-reset':
        network.reset(app.name, region)
        return true
      case 'app-slow':
        return this.#worsen(step, (wire) => ({ ...wire, bytesPerMs: amount }))
      case 'app-spike':
        return this.#worsen(step, (wire) => ({ ...wire, latencyMs: wire.latencyMs + amount }))
      case 'app-duplication':
        return this.#worsen(step, (wire) => ({ ...wire, duplication: amount }))
      case 'app-pause':
        if (!app.pause()) return false
        this.#later(ms, () => app.resume())
        return true
      case 'app-kill':
      case 'app-close':
        if (!app.isRunning) return false
        if (fault === 'app-kill') app.kill()
        else app.close()
        this.#later(ms + 200, () => app.start())
        return true
      case 'answer-crash':
        this.#fuses.set(region, { left: amount, before: step.before ?? false, ms })
        return true
      default:
        return fault satisfies never
    }
  }

  /** A region is about to send a frame to a client, or has sent it. */
  burn(region: string, isSent: boolean): void {
    const fuse = this.#fuses.get(region)
    if (fuse === undefined || fuse.before === isSent || --fuse.left > 0) return
    this.#fuses.delete(region)
    this.#options.trace.report(region, `*** dies ${isSent ? 'after' : 'before'} an answer`)
    const of = this.#options.regions.get(region)!
    of.kill(true)
    this.#options.trouble(region, fuse.ms)
    this.#later(fuse.ms, () => this.#options.restart(of))
  }

  #later(ms: number, undo: () => void): void {
    const timer = this.#options.time.schedule(ms, () => {
      this.#active.delete(timer)
      undo()
    })
    this.#active.set(timer, undo)
  }

  #waysOf({ app, region, ways = 'both' }: ClientFaultStep): [string, string][] {
    return [
      ...(ways === 'from' ? [] : [[app, region] as [string, string]]),
      ...(ways === 'to' ? [] : [[region, app] as [string, string]]),
    ]
  }

  #cut(step: ClientFaultStep): void {
    const { network } = this.#options
    const ways = this.#waysOf(step)
    for (const [from, to] of ways) network.block(from, to)
    if (step.reset) network.reset(step.app, step.region)
    this.#later(step.ms, () => {
      for (const [from, to] of ways) network.unblock(from, to)
    })
  }

  #worsen(step: ClientFaultStep, change: (wire: Wire) => Wire): boolean {
    const { network, wires } = this.#options
    const ways = this.#waysOf(step)
    for (const [from, to] of ways) network.setWire(from, to, change(network.wire(from, to)))
    this.#later(step.ms, () => {
      for (const [from, to] of ways) network.setWire(from, to, wires[`${from}>${to}`]!)
    })
    return true
  }

  /** Everything works again, and nothing goes wrong any more. To be called when the network has unblocked all directions. */
  healAll(): void {
    for (const [timer, undo] of [...this.#active]) {
      timer.cancel()
      undo()
    }
    this.#active.clear()
    this.#fuses.clear()
    const { apps, time } = this.#options
    for (const app of apps.values()) app.resume()
    const startAll = () => {
      for (const app of apps.values()) app.start()
    }
    startAll()
    // One that is closing at the moment is started when it has ended.
    time.schedule(RESTART_MS, startAll)
  }
}
