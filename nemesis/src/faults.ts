import type { Loss, Trouble } from '@sojourn/sim'
import { newSignal, pause } from './pause.js'
import type { Region } from './region.js'
import { type FaultKind, type FaultStep, showStep, USERS } from './schedule.js'
import type { Watch } from './watch.js'
import type { Wires } from './wires.js'

/** Brings the faults of a schedule into a run, and takes them back. */

export interface FaultsHost {
  readonly now: () => number
  readonly region: (name: string) => Region
  readonly wires: Wires
  readonly watch: Watch
  /** What the run has lost so far, and what was wrong when. */
  readonly losses: Loss[]
  readonly troubles: Trouble[]
  /** Why a kind cannot be brought about here. */
  readonly missing: ReadonlyMap<FaultKind, string>
  report(what: string): void
  /** A fault could not be brought about: the nemesis itself is at fault. */
  failed(error: unknown): void
}

/** What was done, and what was not. */
export interface Tally {
  readonly injected: Map<FaultKind, number>
  /** By why not. */
  readonly skipped: Map<string, number>
}

/** Faults that take a whole process: one at a time in each region. */
const OF_PROCESSES: ReadonlySet<FaultKind> = new Set(['stop', 'kill', 'terminate', 'empty', 'restore'])

export class Faults {
  readonly #host: FaultsHost
  readonly #tally: Tally
  readonly #healing = newSignal()
  readonly #active = new Map<FaultStep, Promise<void>>()
  #clocksStepped = false

  constructor(host: FaultsHost, tally: Tally) {
    this.#host = host
    this.#tally = tally
  }

  get clocksStepped(): boolean {
    return this.#clocksStepped
  }

  /** What is wrong now. */
  get active(): readonly string[] {
    return [...this.#active.keys()].map(({ fault, region, ways }) =>
      ways === undefined
        ? `${fault} ${region}`
        : `${fault} ${ways.length > 2 ? `${ways.length} ways` : ways.join(' ')}`,
    )
  }

  /** Plays a schedule. Resolves when all of it has begun, or everything is being healed. */
  async play(steps: readonly FaultStep[]): Promise<void> {
    const start = this.#host.now()
    for (const step of steps) {
      await pause(start + step.at - this.#host.now(), this.#healing.signal)
      if (this.#healing.signal.aborted) return
      this.#inject(step)
    }
  }

  /** Everything works again, and nothing goes wrong any more. Resolves when every process has been started. */
  async heal(): Promise<void> {
    this.#healing.abort()
    await Promise.all(this.#active.values())
  }

  #inject(step: FaultStep): void {
    const { now, missing, watch, troubles } = this.#host
    const region = this.#host.region(step.region)
    const why = missing.get(step.fault) ?? this.#whyNot(step, region, watch)
    if (why !== undefined) {
      this.#skip(step, why)
      return
    }
    this.#tally.injected.set(step.fault, (this.#tally.injected.get(step.fault) ?? 0) + 1)
    this.#host.report(`*** ${showStep({ ...step, at: now() })}`)
    const ways = (step.ways ?? []).filter((way) => !way.split('>').includes(USERS))
    const trouble = {
      region: step.ways === undefined ? step.region : undefined,
      ways,
      from: now(),
      until: Number.POSITIVE_INFINITY,
    }
    troubles.push(trouble)
    const done = this.#apply(step, region)
      .catch((error: unknown) => this.#host.failed(error))
      .finally(() => {
        trouble.until = now()
        this.#active.delete(step)
        this.#host.report(`*** over: ${step.fault} ${step.ways?.join(' ') ?? step.region}`)
      })
    this.#active.set(step, done)
  }

  #whyNot({ fault, region: name }: FaultStep, region: Region, watch: Watch): string | undefined {
    if (OF_PROCESSES.has(fault) && region.isBusy) return 'something else is done to the process'
    // Two losses in a row could take what a majority has; then hardly anything could be said of the rest.
    if (fault === 'empty' && !watch.isWhole) return 'a region has not caught up with an earlier loss'
    if (fault === 'fill' && region.isFull) return `the file system of ${name} is full already`
    if (fault === 'clock' && region.clock.isWrong) return `the clock of ${name} is off already`
    return undefined
  }

  #skip({ fault, region, at }: FaultStep, why: string): void {
    const name = `${fault}: ${why}`
    this.#tally.skipped.set(name, (this.#tally.skipped.get(name) ?? 0) + 1)
    this.#host.report(`skipped ${fault} of ${region} (${(at / 1_000).toFixed(1)} s): ${why}`)
  }

  #apply(step: FaultStep, region: Region): Promise<void> {
    const { wires } = this.#host
    const { ways = [], amount = 0 } = step
    switch (step.fault) {
      case 'cut':
        return this.#while(step, () => wires.cut(ways))
      case 'flap':
        return this.#flap(step, amount)
      case 'stall':
      case 'swallow':
        return this.#while(step, () => wires.spoil(ways, { kind: step.fault as 'stall' | 'swallow' }))
      case 'delay':
        return this.#while(step, () => wires.spoil(ways, { kind: 'delay', ms: amount }))
      case 'slow':
        return this.#while(step, () => wires.spoil(ways, { kind: 'slow', bytesPerMs: amount }))
      case 'half-open':
        wires.halfOpen(ways)
        // Until the silence is noticed.
        return this.#pause(step.ms)
      case 'fill':
        return this.#fill(step, region, amount)
      case 'clock':
        return this.#setClock(step, region, amount)
      default:
        return this.#alone(region, () => this.#ofProcess(step, region))
    }
  }

  #pause(ms: number): Promise<void> {
    return pause(ms, this.#healing.signal)
  }

  async #while({ ms }: FaultStep, begin: () => () => void): Promise<void> {
    const undo = begin()
    await this.#pause(ms)
    undo()
  }

  async #flap({ ms, ways = [] }: FaultStep, halfMs: number): Promise<void> {
    const until = this.#host.now() + ms
    do {
      const undo = this.#host.wires.cut(ways)
      await this.#pause(halfMs)
      undo()
      await this.#pause(halfMs)
    } while (this.#host.now() < until && !this.#healing.signal.aborted)
  }

  async #fill({ ms }: FaultStep, region: Region, left: number): Promise<void> {
    region.fill(left)
    await this.#pause(ms)
    region.free()
    // It may have ended for want of space, and is being started again.
    if (!region.isBusy && region.server.state !== 'ready') await region.server.start(this.#healing.signal)
  }

  async #setClock({ ms }: FaultStep, region: Region, offsetMs: number): Promise<void> {
    this.#clocksStepped = true
    region.clock.set(offsetMs)
    await this.#pause(ms)
    region.clock.set(0)
  }

  async #alone(region: Region, work: () => Promise<void>): Promise<void> {
    region.isBusy = true
    try {
      await work()
    } finally {
      region.isBusy = false
    }
  }

  async #ofProcess(step: FaultStep, region: Region): Promise<void> {
    const { server, directory } = region
    switch (step.fault) {
      case 'stop':
        server.pause()
        await this.#pause(step.ms)
        server.resume()
        return
      case 'restore':
        return this.#restore(step, region)
      case 'terminate':
        await server.terminate()
        break
      default:
        // Before the process is gone: what is asked from now on is answered by the next one.
        if (step.fault === 'empty') this.#lost(region, Number.NEGATIVE_INFINITY, 'empty')
        await server.kill()
        if (step.fault === 'empty') directory.empty()
    }
    await this.#pause(step.ms)
    await server.start(this.#healing.signal)
  }

  async #restore(step: FaultStep, region: Region): Promise<void> {
    const { now, watch } = this.#host
    const { server, directory } = region
    if (step.isHard) await server.kill()
    else await server.terminate()
    directory.copy(now())
    await server.start(this.#healing.signal)
    region.isBusy = false
    await this.#pause(step.amount!)
    if (this.#healing.signal.aborted || region.isBusy || region.isFull || !watch.isWhole) {
      this.#skip(step, 'copied, and not restored: something else was done to the region')
      return
    }
    region.isBusy = true
    this.#lost(region, directory.copiedAt!, 'restore')
    await server.kill()
    directory.restore()
    await this.#pause(step.ms)
    await server.start(this.#healing.signal)
  }

  #lost(region: Region, from: number, what: string): void {
    const { now, losses, watch } = this.#host
    losses.push({ region: region.name, at: now(), from, sparedBefore: watch.safeAt, what })
  }
}
