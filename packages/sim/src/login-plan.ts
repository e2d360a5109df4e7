/** The regions of a world of logins: the same clocks, no lost frames, disks that keep what they were given. */
import type { Plan } from './plan.js'
import type { Prng } from './prng.js'

export const REGIONS = ['ap', 'eu', 'us'] as const
const IDLE_MS = 600_000
const LIFE_MS = 3_600_000

const each = <T>(value: T) => Object.fromEntries(REGIONS.map((name) => [name, value]))

export const planOfLogins = (seed: number, random: Prng): Plan => {
  const ways = REGIONS.flatMap((from) => REGIONS.filter((to) => to !== from).map((to) => `${from}>${to}`))
  const maxPerSubject = random.pick([undefined, 2, 3])
  const options = {
    purgeGrace: 60_000,
    session: { idleTimeout: IDLE_MS, maxLifetime: LIFE_MS, ...(maxPerSubject && { maxPerSubject }) },
    links: { heartbeat: 1_000, timeout: 3_000, maxReconnectDelay: 1_000 },
    consistency: { timeout: 500 },
    fsync: 'always' as const,
    reuse: random.pick(['refuse', 'end'] as const),
  }
  return {
    seed,
    regions: [...REGIONS],
    options: each(options),
    wires: Object.fromEntries(
      ways.map((way) => [way, { latencyMs: 20, jitterMs: 10, bytesPerMs: 10_000, loss: 0, duplication: 0.01 }]),
    ),
    disks: each({ writeMs: 1, syncMs: 2, appendMs: 0 }),
    clocks: each(0),
    faults: [],
    steps: [],
    endsAt: 0,
  }
}
