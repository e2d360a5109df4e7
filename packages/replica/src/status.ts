/** What a replica says of itself. */
import type { LinkStatus, ReplicaStatus } from '@sojourn/wire'
import type { Runtime } from './runtime.js'

const DOWN = {
  state: 'down',
  rtt: undefined,
  skew: 0,
  bufferedBytes: 0,
  toReceive: undefined,
  held: undefined,
  version: undefined,
  capabilities: [],
} as const

export const statusOf = (runtime: Runtime): ReplicaStatus => {
  const { settings, store, progress, links, writes, reads, totals } = runtime
  const linkStatus = (region: string): LinkStatus => {
    const link = links.get(region)
    const more = { bytes: { ...links.trafficWith(region) }, ...links.failuresOf(region) }
    if (link === undefined) return { ...DOWN, unacked: runtime.unackedBy(region), lag: runtime.lagOf(region), ...more }
    const { lagMs: lag, rttMs: rtt, skewMs: skew, ...rest } = link.status
    return { ...rest, lag, rtt, skew, ...more }
  }
  return {
    region: settings.region,
    replica: store.actor,
    isolated: links.isIsolated,
    takenAt: links.takenAt,
    ...store.counts,
    head: store.committed,
    vector: Object.fromEntries(progress.vector),
    links: Object.fromEntries([...settings.peers.keys()].map((region) => [region, linkStatus(region)])),
    clock: { isTrusted: settings.ports.clock.isTrusted, offBy: settings.ports.clock.offByMs },
    cache: store.cached,
    recentBytes: store.tail.bytes,
    store: store.figures,
    encryption: runtime.rekey?.status,
    unauthenticated: { ...links.unauthenticated },
    pending: { commits: store.pendingCommits, writes: writes.pending, reads: reads.pending },
    totals: structuredClone(totals),
  }
}
