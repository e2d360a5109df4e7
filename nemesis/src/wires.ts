import type { LaneFault } from './lane.js'
import { type Address, type Direction, openProxy, type TcpProxy } from './proxy.js'
import { REGIONS, type RegionName, USERS } from './schedule.js'

/** Where the servers listen now. */
export type Listeners = (region: RegionName, listener: 'links' | 'clients') => Address | undefined

interface End {
  readonly proxy: TcpProxy
  readonly direction: Direction
}

/** Everything that connects regions with each other and with their users: a proxy for each who dials, and each whom it dials. */
export class Wires {
  /** By who dials and whom, `from>to`. */
  readonly #proxies: ReadonlyMap<string, TcpProxy>
  /** How many faults have cut it. */
  readonly #cuts = new Map<TcpProxy, number>()

  private constructor(proxies: ReadonlyMap<string, TcpProxy>) {
    this.#proxies = proxies
  }

  static async open(listeners: Listeners): Promise<Wires> {
    const proxies = new Map<string, TcpProxy>()
    for (const to of REGIONS) {
      for (const from of REGIONS)
        if (from !== to) proxies.set(`${from}>${to}`, await openProxy(() => listeners(to, 'links')))
      proxies.set(`${USERS}>${to}`, await openProxy(() => listeners(to, 'clients')))
    }
    return new Wires(proxies)
  }

  /** What a region dials to reach another one, or users to reach a region. */
  url(from: RegionName | typeof USERS, to: RegionName): string {
    return this.#proxies.get(`${from}>${to}`)!.url
  }

  /** Of two regions either may have dialed: their connection is in one of two proxies. */
  #ends(way: string): End[] {
    const back = way.split('>').reverse().join('>')
    return [
      { proxy: this.#proxies.get(way), direction: 'there' as const },
      { proxy: this.#proxies.get(back), direction: 'back' as const },
    ].filter((end): end is End => end.proxy !== undefined)
  }

  /** Returns how to undo it. */
  spoil(ways: readonly string[], fault: LaneFault): () => void {
    const undos = ways.flatMap((way) => this.#ends(way)).map(({ proxy, direction }) => proxy.spoil(direction, fault))
    return () => {
      for (const undo of undos) undo()
    }
  }

  /** Returns how to undo it. */
  cut(ways: readonly string[]): () => void {
    const proxies = new Set(ways.flatMap((way) => this.#ends(way)).map(({ proxy }) => proxy))
    for (const proxy of proxies) this.#count(proxy, 1)
    return () => {
      for (const proxy of proxies) this.#count(proxy, -1)
    }
  }

  #count(proxy: TcpProxy, by: number): void {
    const count = (this.#cuts.get(proxy) ?? 0) + by
    this.#cuts.set(proxy, count)
    if (count === 1 && by === 1) proxy.cut()
    else if (count === 0) proxy.heal()
  }

  /** The ends where ways begin are gone, and nobody at the others hears of it. */
  halfOpen(ways: readonly string[]): void {
    for (const { proxy, direction } of ways.flatMap((way) => this.#ends(way)))
      proxy.halfOpen(direction === 'there' ? 'dialer' : 'target')
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()))
  }
}
