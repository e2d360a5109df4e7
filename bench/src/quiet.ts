import { cpus } from 'node:os'

/** Of all cores, above which something else is at work. */
const QUIET_SHARE = 0.15
const GLANCE_MS = 100

const cpuTimes = () => {
  let idle = 0
  let all = 0
  for (const { times } of cpus()) {
    idle += times.idle
    all += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return { idle, all }
}

const busyShare = async (): Promise<number> => {
  const before = cpuTimes()
  await new Promise((resolve) => setTimeout(resolve, GLANCE_MS))
  const after = cpuTimes()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

/**
 * Waits until nothing else is at work on the machine, as long as the run has patience for; then it goes on all the same.
 * What is measured idles meanwhile, so whatever is busy is somebody else, or a store that still tidies up after the last round.
 */
export class Quiet {
  readonly #patienceMs: number
  readonly #shares: number[] = []
  #waitedMs = 0

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  /** @returns how busy the machine still was, of all cores */
  async wait(): Promise<number | undefined> {
    if (this.#patienceMs === 0) return undefined
    const start = performance.now()
    let share = await busyShare()
    const waited = () => performance.now() - start - GLANCE_MS
    while (share > QUIET_SHARE && this.#waitedMs + waited() < this.#patienceMs) share = await busyShare()
    this.#waitedMs += Math.max(0, waited())
    this.#shares.push(share)
    return share
  }

  /** How quiet it was, for who reads the figures later. */
  get report() {
    const noisy = this.#shares.filter((share) => share > QUIET_SHARE)
    return {
      waitedSeconds: Math.round(this.#waitedMs / 1_000),
      starts: this.#shares.length,
      noisyStarts: noisy.length,
      busiest: Math.max(0, ...this.#shares),
    }
  }
}
