import {
  Deeds,
  faultsOf,
  isSeenByQuorum,
  looks,
  mayBePurged,
  observerOf,
  possibleBy,
  violation,
} from '../expectations.js'
import type { Checker } from '../history.js'

/** A read whose regions must meet those of a write sees it, if it began after the write was acknowledged. */
export const majorityReads: Checker = function* (history) {
  for (const { op, seen } of looks(history)) {
    // Of a write that all regions hold, a read of one is enough.
    if (op.kind !== 'get') continue
    const deeds = new Deeds(history, op.session)
    const observer = observerOf(op)
    const kept = deeds.writes.filter(
      (write) => isSeenByQuorum(history, observer, write) && !mayBePurged(history, write, observer.wall),
    )
    for (const { kind, what } of faultsOf(deeds, seen.data, kept, possibleBy(deeds, op.returnedAt!, op.region)))
      if (kind === 'lost')
        yield violation('QUO-3', `read at ${op.level} in ${op.region} at ${op.invokedAt.toFixed(0)} ms: ${what}`)
  }
}
