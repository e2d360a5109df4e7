/** A checker: queues and caches keep their limits. */
import { violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** Queues and caches keep their limits all the time, and what is counted is what is there. */
export const boundedness: Checker = function* ({ samples, settled, bounds, clocksStepped }) {
  for (const sample of samples) {
    const measured = [
      ['pending commits', sample.pendingCommits, bounds.maxPendingCommits],
      ['bytes of recent commits', sample.recentBytes, bounds.maxRecentBytes],
      ['cached sessions', sample.cacheEntries, bounds.maxCacheEntries],
      ['bytes of cached sessions', sample.cacheBytes, bounds.maxCacheBytes],
      ['bytes that wait for a checkpoint', sample.uncheckpointedBytes, bounds.maxUncheckpointedBytes],
      ['bytes for a socket', sample.bufferedBytes, bounds.maxBufferedBytes],
    ] as const
    for (const [what, value, bound] of measured)
      if (value > bound)
        yield violation('BOUND-2', `${sample.region} at ${sample.at} ms: ${value} ${what}, ${bound} are allowed`)
    for (const [what, [value, bound]] of Object.entries(sample.kept ?? {}))
      if (value > bound)
        yield violation('BUDGET-1', `${sample.region} at ${sample.at} ms: ${value} ${what}, ${bound} are allowed`)
  }
  for (const { region, status, sessions } of settled ?? []) {
    if (status.pending > 0) yield violation('BOUND-2', `${region} is at rest and ${status.pending} calls wait`)
    if (!clocksStepped && Math.abs(status.sessions - sessions.size) > 1)
      yield violation('BOUND-2', `${region} counts ${status.sessions} sessions and lists ${sessions.size}`)
  }
}
