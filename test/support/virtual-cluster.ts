import { openReplica, type Replica, type ReplicaOptions } from '@sojourn/replica'
import { seededRandom, VirtualDisks, VirtualNetwork, VirtualProcess, VirtualTime } from './virtual-world.js'

export const REGIONS = ['ap', 'eu', 'us'] as const
const SECRET = 'a secret for tests only'

type Options = Partial<ReplicaOptions>

/** Three replicas, all of the real code, in a world whose every event is ordered by a seed. */
export class Cluster {
  readonly #world
  readonly #seed: number
  readonly #options: Options
  readonly #ofRegion: { readonly [region: string]: Options }
  #openings = 0
  readonly processes = new Map<string, VirtualProcess>()
  readonly replicas = new Map<string, Replica>()

  constructor(seed: number, options: Options = {}, ofRegion: { readonly [region: string]: Options } = {}) {
    const time = new VirtualTime()
    this.#seed = seed
    this.#options = options
    this.#ofRegion = ofRegion
    this.#world = { time, network: new VirtualNetwork(time, seededRandom(seed)), disks: new VirtualDisks() }
  }

  get time() {
    return this.#world.time
  }

  get network() {
    return this.#world.network
  }

  async open(name: string): Promise<void> {
    const process = new VirtualProcess(name, this.#world, seededRandom(this.#seed * 1_000 + ++this.#openings))
    this.processes.set(name, process)
    const { clock, random, storage, transport } = process
    const opening = openReplica({
      region: name,
      location: name,
      listen: { port: 1 },
      peers: Object.fromEntries(REGIONS.filter((other) => other !== name).map((other) => [other, `ws://${other}`])),
      secret: SECRET,
      session: { idleTimeout: '60s', maxLifetime: '5m' },
      purgeGrace: '5s',
      links: { heartbeat: '2s', timeout: '5s', maxReconnectDelay: '1s', digestInterval: '1h' },
      ...this.#options,
      ...this.#ofRegion[name],
      ports: { clock, random, storage, transport },
    })
    this.replicas.set(name, await this.during(opening))
  }

  async restart(name: string, how: 'restart' | 'kill'): Promise<void> {
    if (how === 'kill') this.processes.get(name)!.kill(this.#world, name)
    else await this.during(this.replicas.get(name)!.close())
    await this.open(name)
  }

  /** Lets time pass until a promise settles. */
  async during<T>(work: Promise<T>): Promise<T> {
    let settled = false
    const done = work.finally(() => {
      settled = true
    })
    done.catch(() => {})
    for (let waited = 0; !settled && waited < 10_000; waited += 5) await this.time.advance(5)
    return done
  }

  async close(): Promise<void> {
    for (const replica of this.replicas.values()) await this.during(replica.close())
  }
}
