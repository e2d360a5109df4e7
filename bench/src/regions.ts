/** Regions in processes of their own: alone, linked, or listening until they are configured with each other. */
import { join } from 'node:path'
import type { ReplicaOptions } from '@sojourn/replica'
import { Callee } from './calls.js'
import { freePorts } from './ports.js'
import type { RegionMethods } from './region-process.js'
import { IDLE_TIMEOUT_MS } from './session-data.js'

const SECRET = 'a secret of the bench, known to all'
const SESSION = { idleTimeout: IDLE_TIMEOUT_MS }

/** Options that a suite sets beside where the region is and whom it knows. */
export type RegionSettings = Pick<ReplicaOptions, 'limits' | 'fsync' | 'purgeGrace' | 'session' | 'encryption'>

/** A region in a process of its own. */
export class Region {
  readonly process: Callee<RegionMethods>
  readonly #options: ReplicaOptions

  constructor(options: ReplicaOptions) {
    this.#options = { session: SESSION, ...options }
    this.process = new Callee<RegionMethods>(`region ${options.region}`, './region-process.js')
  }

  get location(): string {
    return this.#options.location
  }

  get name(): string {
    return this.#options.region
  }

  /** Where it listens; 0 where it does not. */
  get port(): number {
    return this.#options.listen?.port ?? 0
  }

  /** The same region in a new process; the old one must have ended. */
  anew(): Region {
    return new Region(this.#options)
  }

  /** As given, with what a suite wants otherwise. */
  options(settings: RegionSettings = {}): ReplicaOptions {
    return { ...this.#options, ...settings }
  }

  open(settings?: RegionSettings): Promise<void> {
    return this.process.call('open', this.options(settings))
  }
}

/** A region that has no peers. */
export const lonelyRegion = (directory: string, session?: ReplicaOptions['session']): Region =>
  new Region({ region: 'alone', location: join(directory, 'alone'), session: session ?? SESSION })

/** A region that listens, and has no peers before `addPeer` names some. */
export const listeningRegion = async (
  directory: string,
  region: string,
  session?: ReplicaOptions['session'],
): Promise<Region> => {
  const [port] = await freePorts(1)
  const listen = { port: port! }
  return new Region({ region, location: join(directory, region), listen, secret: SECRET, session: session ?? SESSION })
}

/**
 * Regions that are linked, each with each. The first is the one that writes.
 * @param addresses as region `from` sees region `to`, where not directly; by the ports that they listen on
 */
export const linkedRegions = async (
  directory: string,
  names: readonly string[],
  via?: (port: number, from: string, to: string) => Promise<number>,
): Promise<Region[]> => {
  const ports = await freePorts(names.length)
  return Promise.all(
    names.map(async (region, index) => {
      const peers: Record<string, string> = {}
      for (const [other, port] of ports.entries()) {
        const name = names[other]!
        if (name !== region) peers[name] = `ws://127.0.0.1:${via ? await via(port, region, name) : port}`
      }
      const listen = { port: ports[index]! }
      return new Region({ region, location: join(directory, region), listen, peers, secret: SECRET })
    }),
  )
}

export const THREE = ['eu', 'us', 'ap'] as const

export const openAll = async (regions: readonly Region[], settings?: RegionSettings): Promise<void> => {
  await Promise.all(regions.map((region) => region.open(settings)))
  await Promise.all(regions.map((region) => region.process.call('settled')))
}

export const endAll = async (regions: readonly Region[]): Promise<void> => {
  await Promise.all(regions.map((region) => region.process.end()))
}
