/** What the first heartbeats of a link say of clocks, when they have waited. */
import type { Clock } from '@sojourn/core/internal'
import { expect, it } from 'vitest'
import { Pulse } from '../../packages/replica/src/pulse.js'
import { TrustedClock } from '../../packages/replica/src/trusted-clock.js'

const START = 1_800_000_000_000
const SKEW = 5_000

/** A link that is made now, of a connection that was begun so long ago, and a heartbeat that the peer wrote then. */
const heardAfter = (waitedMs: number) => {
  const raw: Clock = {
    now: () => START + waitedMs,
    monotonic: () => 1_000_000 + waitedMs,
    after: () => ({ cancel() {}, hold() {}, release() {} }),
    soon: () => {},
    endOfTurn: () => {},
  }
  const clock = new TrustedClock({ clock: raw, maxSkewMs: SKEW, isPeer: () => true, peerCount: () => 1 })
  const options = { heartbeatMs: 1_000, linkTimeoutMs: 5_000, maxClockSkewMs: SKEW }
  const pulse = new Pulse({ ...options, region: 'us', clock, greetedMs: waitedMs })
  const first = { type: 'heartbeat', sentAt: 1, echo: 0, echoAge: 0, head: 0, sum: '', vector: [], linked: [] } as const
  pulse.received({ ...first, clock: START, isClockSure: true })
  return clock
}

it('[CLOCK-1] a heartbeat that waited while this process stood still says nothing against its clock', () => {
  const clock = heardAfter(10_400)
  expect(clock.isTrusted).toBe(true)
  expect(clock.now()).toBe(clock.wall())
})
