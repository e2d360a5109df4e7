import type {
  Clock,
  Connection,
  ConnectionHandler,
  Random,
  Storage,
  StorageEngine,
  Timer,
  Transport,
} from '@sojourn/core'
import { SojournError } from '@sojourn/core'
import { levelEngine } from '@sojourn/store'

interface Happening {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** One queue of what is to happen, in virtual milliseconds. Same inputs, same order, always. */
export class VirtualTime {
  #now = Date.UTC(2030, 0, 1)
  #order = 0
  #queue: Happening[] = []

  get now(): number {
    return this.#now
  }

  schedule(delayMs: number, run: () => void): Timer {
    const happening = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    // Binary insertion: the queue stays in the order of time.
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#queue[middle]!.at <= happening.at) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, happening)
    return {
      cancel: () => {
        const index = this.#queue.indexOf(happening)
        if (index >= 0) this.#queue.splice(index, 1)
      },
    }
  }

  /** Lets everything happen that is due within `ms`. Promises settle between two happenings. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settle()
    while (this.#queue.length > 0 && this.#queue[0]!.at <= until) {
      const next = this.#queue.shift()!
      this.#now = next.at
      next.run()
      await settle()
    }
    this.#now = until
  }
}

/** The storage works with real promises and ticks; none of them takes more than a few turns. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** A 32-bit generator (Tommy Ettinger's mulberry32): enough for schedules, useless for secrets. */
export const seededRandom = (seed: number): Random & { fraction(): number } => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 15), z | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return (z ^ (z >>> 14)) >>> 0
  }
  return {
    fraction: () => next() / 2 ** 32,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  }
}

interface End {
  readonly owner: string
  readonly handler: () => ConnectionHandler | undefined
  readonly isAlive: () => boolean
}

/** Connections between named machines, with a delay, in order, that can be cut pair by pair. */
export class VirtualNetwork {
  readonly #time: VirtualTime
  readonly #random: { fraction(): number }
  readonly #listeners = new Map<string, (connection: Connection) => ConnectionHandler>()
  readonly #cut = new Set<string>()
  readonly #open = new Map<object, { pair: string; close: (why: string) => void }>()

  constructor(time: VirtualTime, random: { fraction(): number }) {
    this.#time = time
    this.#random = random
  }

  #pair = (a: string, b: string): string => [a, b].sort().join('|')

  cut(a: string, b: string): void {
    this.#cut.add(this.#pair(a, b))
    for (const { pair, close } of [...this.#open.values()]) if (this.#cut.has(pair)) close('cut')
  }

  heal(a: string, b: string): void {
    this.#cut.delete(this.#pair(a, b))
  }

  healAll(): void {
    this.#cut.clear()
  }

  /** All connections of a machine break, and nothing listens there. */
  drop(owner: string): void {
    this.#listeners.delete(owner)
    for (const { pair, close } of [...this.#open.values()]) if (pair.split('|').includes(owner)) close('dropped')
  }

  /** What a machine sees of the network. */
  transport(owner: string, isAlive: () => boolean): Transport {
    return {
      dial: (url, handler) => this.#dial(owner, url.slice('ws://'.length), handler, isAlive),
      listen: async (at, accept) => {
        this.#listeners.set(owner, accept)
        return { address: at, close: async () => this.drop(owner) }
      },
    }
  }

  #dial(owner: string, target: string, handler: ConnectionHandler, isAlive: () => boolean): Connection {
    const pair = this.#pair(owner, target)
    let accepted: ConnectionHandler | undefined
    const near: End = { owner, handler: () => handler, isAlive }
    const far: End = { owner: target, handler: () => accepted, isAlive: () => this.#listeners.has(target) }
    const token = {}
    let state: 'dialling' | 'open' | 'closed' = 'dialling'
    const close = (why: string) => {
      if (state === 'closed') return
      state = 'closed'
      this.#open.delete(token)
      for (const end of [near, far]) this.#time.schedule(0, () => end.isAlive() && end.handler()?.closed(why))
    }
    this.#open.set(token, { pair, close })
    const side = (to: End): Connection => {
      let lastArrival = 0
      return {
        bufferedBytes: 0,
        close,
        send: (frame) => {
          if (state !== 'open') return
          const bytes = frame.slice()
          const arrival = Math.max(lastArrival, this.#time.now + this.#random.fraction() * 20)
          lastArrival = arrival
          this.#time.schedule(arrival - this.#time.now, () => {
            if (state === 'open' && to.isAlive()) to.handler()?.received(bytes)
          })
        },
      }
    }
    const toFar = side(far)
    this.#time.schedule(this.#random.fraction() * 5, () => {
      const accept = this.#listeners.get(target)
      if (state !== 'dialling') return
      if (!accept || this.#cut.has(pair)) return close('refused')
      state = 'open'
      accepted = accept(side(near))
      handler.opened()
    })
    return toFar
  }
}

/** Stores that outlive the process that opened them. */
export class VirtualDisks {
  readonly #disks = new Map<string, Storage>()
  readonly #inUse = new Set<string>()

  /** What a process sees: writes of a dead one go nowhere. */
  engine(isAlive: () => boolean): StorageEngine {
    return {
      open: async (location) => {
        if (this.#inUse.has(location)) throw new SojournError('STORE_LOCKED', location)
        const disk = this.#disks.get(location) ?? (await levelEngine.open(':memory:'))
        this.#disks.set(location, disk)
        this.#inUse.add(location)
        return {
          get: (key) => disk.get(key),
          scan: (range) => disk.scan(range),
          write: async (writes, sync) => {
            if (isAlive()) await disk.write(writes, sync)
            else await new Promise(() => {})
          },
          close: async () => this.unlock(location),
        }
      },
    }
  }

  unlock(location: string): void {
    this.#inUse.delete(location)
  }

  wipe(location: string): void {
    this.#disks.delete(location)
  }
}

/** A process on a machine: its ports work as long as it lives. */
export class VirtualProcess {
  #alive = true
  readonly clock: Clock
  readonly transport: Transport
  readonly storage: StorageEngine
  readonly random: Random

  readonly name: string

  constructor(
    name: string,
    world: { time: VirtualTime; network: VirtualNetwork; disks: VirtualDisks },
    random: Random,
  ) {
    this.name = name
    const isAlive = () => this.#alive
    const guarded = (callback: () => void) => () => {
      if (this.#alive) callback()
    }
    this.clock = {
      now: () => Math.floor(world.time.now),
      monotonic: () => world.time.now,
      after: (delayMs, callback) => world.time.schedule(delayMs, guarded(callback)),
      soon: (callback) => void world.time.schedule(0, guarded(callback)),
    }
    this.random = random
    this.transport = world.network.transport(name, isAlive)
    this.storage = world.disks.engine(isAlive)
  }

  /** As by SIGKILL: nothing of it runs any more. */
  kill(world: { network: VirtualNetwork; disks: VirtualDisks }, location: string): void {
    this.#alive = false
    world.network.drop(this.name)
    world.disks.unlock(location)
  }
}
