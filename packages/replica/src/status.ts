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
  const { settings, store, progress, links, writes, reads, subjects, totals } = runtime
  const linkStatus = (region: string): LinkStatus => {
    const link = links.get(region)
    const more = { bytes: { ...links.trafficWith(region) }, ...links.failuresOf(region) }
    if (link === undefined) return { ...DOWN, ...unackedBy(runtime, region), ...more }
    const { lagMs: lag, rttMs: rtt, skewMs: skew, ...rest } = link.status
    return { ...rest, lag, rtt, skew, ...more }
  }
  return {
    region: settings.region,
    replica: store.actor,
    isolated: links.isIsolated,
    takenAt: links.takenAt,
    ...store.counts,
    cutoffs: subjects.cutoffs,
    head: store.committed,
    vector: Object.fromEntries(progress.vector),
    links: Object.fromEntries([...settings.peers.keys()].map((region) => [region, linkStatus(region)])),
    clock: { isTrusted: settings.ports.clock.isTrusted, offBy: settings.ports.clock.offByMs },
    cache: store.cached,
    recentBytes: store.tail.bytes,
    store: store.figures,
    encryption: runtime.rekey?.status,
    unauthenticated: { ...links.unauthenticated },
    certificateExpiresAt: settings.certificates?.files.expiresAt,
    pending: { commits: store.pendingCommits, writes: writes.pending, reads: reads.pending },
    totals: { ...structuredClone(totals), reused: runtime.own.reused },
  }
}

/** Commits that a region has not acknowledged, and the age of the oldest of them in milliseconds, as far as is known while it is away. */
const unackedBy = ({ store, writes, settings }: Runtime, region: string) => {
  const acked = writes.ackedBy(region)
  const since = store.tail.firstAfter(acked)
  return {
    unacked: store.committed - Math.min(store.committed, acked),
    lag: since === undefined ? 0 : settings.ports.clock.monotonic() - since,
  }
}
