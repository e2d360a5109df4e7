/** Faults of the clock and the disk of a region's machine. */
import type { Part } from './disk.js'
import { FAULTS_OF_MACHINES, type FaultKind, type FaultStep, MAX_CLOCK_ERROR_MS } from './plan.js'
import type { Region } from './region.js'
import type { Remedies } from './remedies.js'
import type { WorldTime } from './time.js'

export type MachineFaultKind = (typeof FAULTS_OF_MACHINES)[number]

export const isMachineFault = (fault: FaultKind): fault is MachineFaultKind =>
  (FAULTS_OF_MACHINES as readonly FaultKind[]).includes(fault)

/** Which parts of a disk are full at one time. */
const FULL: readonly (readonly Part[])[] = [['journal', 'rows'], ['journal'], ['rows']]

export interface MachineFaultsOptions {
  readonly time: WorldTime
  readonly clockMoved: (region: Region) => void
  /** What the region alone had since then may be gone, of one key or of all. */
  readonly lost: (region: Region, from: number | undefined, what: string, key?: string) => void
}

export class MachineFaults {
  readonly #options: MachineFaultsOptions
  readonly #remedies: Remedies
  clocksStepped = false

  constructor(options: MachineFaultsOptions, remedies: Remedies) {
    this.#options = options
    this.#remedies = remedies
  }

  /** False where the fault finds nothing to go wrong. */
  apply(fault: MachineFaultKind, { ms, amount = 0 }: FaultStep, region: Region): boolean {
    const { lost, time } = this.#options
    const { disk, clock } = region.machine
    switch (fault) {
      case 'clock-step':
        this.#step(region, amount - clock.error)
        return true
      case 'clock-drift':
        clock.drift(1 + amount)
        this.#remedies.later(ms, () => clock.drift(1))
        return true
      case 'clock-strobe':
        for (let at = 0, turn = 1; at < ms; at += 200, turn = -turn)
          this.#remedies.at(at, () => this.#step(region, turn * amount - clock.error))
        return true
      case 'disk-full':
        for (const part of FULL[amount % FULL.length]!) disk.full.add(part)
        this.#remedies.later(ms, () => disk.full.clear())
        return true
      case 'disk-stall':
        disk.stalledUntil = time.now + ms
        return true
      case 'rot': {
        if (amount % 4 === 3) {
          if (disk.rotEntry() === undefined) return false
          // A commit that builds on the entry leaves its record unreadable, with all that this region alone had of it.
          lost(region, Number.NEGATIVE_INFINITY, 'rot')
          return true
        }
        const key = disk.rotRow()
        if (key) lost(region, Number.NEGATIVE_INFINITY, 'rot', key)
        return key !== undefined
      }
      case 'old-row': {
        const key = disk.bringBack()
        if (key) lost(region, Number.NEGATIVE_INFINITY, 'old row', key)
        return key !== undefined
      }
      case 'fence':
        if (region.replica === undefined) return false
        disk.intrude()
        return true
    }
  }

  heal(region: Region): void {
    const { disk, clock } = region.machine
    disk.full.clear()
    disk.stalledUntil = 0
    clock.drift(1)
    this.bound(region)
  }

  /** Keeps a clock near the truth. */
  bound(region: Region): void {
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
}
