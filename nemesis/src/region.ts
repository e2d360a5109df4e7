import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Directory } from './directory.js'
import { RegionClock } from './region-clock.js'
import { REGIONS, type RegionName, type Settings } from './schedule.js'
import { Server } from './server.js'
import type { Wires } from './wires.js'

/** One region of a run: a process, its directory, its clock. */

/** How long after there is space again a process may still end because there was none, milliseconds. */
const FREED_MS = 3_000

export interface RegionHost {
  readonly wires: () => Wires
  readonly settings: (region: RegionName) => Settings
  readonly bugEnv: NodeJS.ProcessEnv
  opened(region: Region): void
  complain(what: string): void
}

export class Region {
  readonly name: RegionName
  readonly directory: Directory
  readonly clock: RegionClock
  readonly server: Server
  /** Somebody is stopping, killing or starting it. */
  isBusy = false
  #isFull = false
  #freedAt = Number.NEGATIVE_INFINITY

  constructor(name: RegionName, home: string, faketime: string | undefined, host: RegionHost) {
    for (const folder of ['stores', 'clocks', 'logs']) mkdirSync(join(home, folder), { recursive: true })
    this.name = name
    this.directory = new Directory(join(home, 'stores'), name)
    this.clock = new RegionClock(faketime, join(home, 'clocks', name))
    this.server = new Server(name, join(home, 'logs', `${name}.log`), {
      settings: () => ({
        region: name,
        data: this.directory.path,
        peers: REGIONS.filter((other) => other !== name)
          .map((other) => `${other}=${host.wires().url(name, other)}`)
          .join(','),
        'links.port': '0',
        'clients.port': '0',
        'admin.port': '0',
        ...host.settings(name),
      }),
      env: () => ({ ...this.clock.env, ...host.bugEnv }),
      opened: () => host.opened(this),
      complain: host.complain,
      mayEnd: () => this.isFull || performance.now() - this.#freedAt < FREED_MS,
    })
  }

  /** No byte is free under it. */
  get isFull(): boolean {
    return this.#isFull
  }

  fill(left: number): void {
    this.#isFull = true
    this.directory.fill(left)
  }

  free(): void {
    this.directory.free()
    this.#isFull = false
    this.#freedAt = performance.now()
  }
}
