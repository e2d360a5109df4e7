/** Faults of the wires between regions. */
import type { Network, Wire } from './network.js'
import { FAULTS_BETWEEN, type FaultKind, type FaultStep } from './plan.js'
import type { Prng } from './prng.js'
import type { Remedies } from './remedies.js'

const KINDS = [...FAULTS_BETWEEN, 'loss', 'duplication'] as const satisfies readonly FaultKind[]

export type NetworkFaultKind = (typeof KINDS)[number]

export const isNetworkFault = (fault: FaultKind): fault is NetworkFaultKind =>
  (KINDS as readonly FaultKind[]).includes(fault)

export interface NetworkFaultsOptions {
  readonly network: Network
  readonly random: Prng
  /** As the plan has them. */
  readonly wires: { readonly [way: string]: Wire }
}

export class NetworkFaults {
  readonly #options: NetworkFaultsOptions
  readonly #remedies: Remedies

  constructor(options: NetworkFaultsOptions, remedies: Remedies) {
    this.#options = options
    this.#remedies = remedies
  }

  apply(fault: NetworkFaultKind, step: FaultStep): boolean {
    const { ms, amount = 0, ways = [] } = step
    switch (fault) {
      case 'partition':
      case 'one-way':
        this.#cut(ways, step.reset ?? false, ms)
        return true
      case 'flapping':
        for (let at = 0; at < ms; at += 2 * amount) {
          const cut = () => this.#cut(ways, step.reset ?? false, amount)
          if (at === 0) cut()
          else this.#remedies.at(at, cut)
        }
        return true
      case 'swizzle':
        this.#swizzle(ways, ms)
        return true
      case 'disconnect':
        for (const way of ways) this.#options.network.reset(...ends(way))
        return true
      case 'slow-reader':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, bytesPerMs: amount }))
      case 'spike':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, latencyMs: wire.latencyMs + amount, jitterMs: amount }))
      case 'loss':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, loss: amount }))
      case 'duplication':
        return this.#worsen(ways, ms, (wire) => ({ ...wire, duplication: amount }))
    }
  }

  /** Every wire is again as the plan has it. */
  heal(): void {
    const { network, wires } = this.#options
    network.unblockAll()
    for (const [way, wire] of Object.entries(wires)) this.#setWire(way, wire)
    network.resetLossy()
  }

  #cut(ways: readonly string[], reset: boolean, ms: number): void {
    const { network } = this.#options
    for (const way of ways) {
      const [from, to] = ends(way)
      network.block(from, to)
      if (reset) network.reset(from, to)
    }
    this.#remedies.later(ms, () => {
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
      this.#remedies.at(at, () => this.#cut([way], false, heals.get(way)! - at))
    }
  }

  #worsen(ways: readonly string[], ms: number, change: (wire: Wire) => Wire): boolean {
    for (const way of ways) this.#setWire(way, change(this.#options.network.wire(...ends(way))))
    this.#remedies.later(ms, () => {
      for (const way of ways) this.#setWire(way, this.#options.wires[way]!)
    })
    return true
  }

  #setWire(way: string, wire: Wire): void {
    this.#options.network.setWire(...ends(way), wire)
  }
}

const ends = (way: string): [string, string] => way.split('>') as [string, string]
