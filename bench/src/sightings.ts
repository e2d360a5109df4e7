import type { Replica, SessionEvent } from '@sojourn/replica'
import { sessionKey } from '@sojourn/replica'

/** When one write was made in the region that made it. */
export interface Probe {
  readonly key: string
  readonly calledAt: number
  readonly acknowledgedAt: number
}

/** Milliseconds of a clock that all processes of this machine share; `performance.now` starts at zero in each. */
const machineNow = (): number => Number(process.hrtime.bigint()) / 1e6

/** Changes one session after the other, each once, with a pause between two. */
export const sendProbes = async (replica: Replica, ids: readonly string[], everyMs: number): Promise<Probe[]> => {
  const probes: Probe[] = []
  const pending: Promise<void>[] = []
  for (const id of ids) {
    const calledAt = machineNow()
    const call = replica.update(id, { lastPath: `/probe/${calledAt}` }).then(() => {
      probes.push({ key: sessionKey(id), calledAt, acknowledgedAt: machineNow() })
    })
    pending.push(call)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  await Promise.all(pending)
  return probes
}

/** When a change of each watched session is first emitted. */
export class Sightings {
  readonly #awaited: Set<string>
  readonly #seen = new Map<string, number>()
  readonly #stop: () => void

  constructor(replica: Replica, ids: readonly string[]) {
    this.#awaited = new Set(ids.map(sessionKey))
    const listener = ({ key }: SessionEvent) => {
      if (this.#awaited.delete(key)) this.#seen.set(key, machineNow())
    }
    replica.on('updated', listener)
    this.#stop = () => replica.off('updated', listener)
  }

  async collect(patienceMs: number): Promise<Map<string, number>> {
    const until = machineNow() + patienceMs
    while (this.#awaited.size > 0 && machineNow() < until) await new Promise((resolve) => setTimeout(resolve, 10))
    this.#stop()
    if (this.#awaited.size > 0) throw new Error(`${this.#awaited.size} probes did not arrive within ${patienceMs} ms`)
    return this.#seen
  }
}
