import { violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** Queues and caches keep their limits all the time, and rows on the disk are what the sessions justify. */
export const boundedness: Checker = function* ({ samples, settled, bounds, losses, clocksStepped }) {
  for (const sample of samples) {
    const measured = [
      ['pending commits', sample.pendingCommits, bounds.maxPendingCommits],
      ['bytes of recent commits', sample.recentBytes, bounds.maxRecentBytes],
      ['cached sessions', sample.cacheEntries, bounds.maxCacheEntries],
      ['bytes of cached sessions', sample.cacheBytes, bounds.maxCacheBytes],
      ['bytes for a socket', sample.bufferedBytes, bounds.maxBufferedBytes],
    ] as const
    for (const [what, value, bound] of measured)
      if (value > bound)
        yield violation('BOUND-2', `${sample.region} at ${sample.at} ms: ${value} ${what}, ${bound} are allowed`)
    // A record that rots takes its place in the feed with it; what is left there is swept up later.
    const rotten = losses.filter(
      ({ what, region, at }) => what === 'rot' && region === sample.region && at <= sample.at,
    ).length
    yield* rowFaults(sample.region, sample.diskRows, rotten)
  }
  for (const { region, diskRows, status, sessions } of settled ?? []) {
    yield* rowFaults(region, diskRows, losses.filter(({ what }) => what === 'rot').length)
    if (status.pending > 0) yield violation('BOUND-2', `${region} is at rest and ${status.pending} calls wait`)
    const records = status.sessions + status.expired + status.tombstones
    if (diskRows && (diskRows.r ?? 0) !== records)
      yield violation('BOUND-2', `${region} counts ${records} records, its disk holds ${diskRows.r ?? 0}`)
    if (!clocksStepped && Math.abs(status.sessions - sessions.size) > 1)
      yield violation('BOUND-2', `${region} counts ${status.sessions} sessions and lists ${sessions.size}`)
  }
}

/** The feed names each record once; the expiry index has one or two rows for each. */
const rowFaults = function* (region: string, rows: { readonly [kind: string]: number } | undefined, rotten: number) {
  const { r = 0, f = 0, x = 0 } = rows ?? {}
  if (f > r + rotten) yield violation('BOUND-2', `the disk of ${region} has ${f} feed rows for ${r} records`)
  if (x > 2 * (r + rotten)) yield violation('BOUND-2', `the disk of ${region} has ${x} expiry rows for ${r} records`)
}
