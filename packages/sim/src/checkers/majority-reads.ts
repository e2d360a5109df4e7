/** A checker: a majority read sees every majority write that was acknowledged before it. */
import { isSeenByQuorum, lackedBy, looks, violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** A read whose regions must meet those of a write sees it, if it began after the write was acknowledged. */
export const majorityReads: Checker = function* (history) {
  for (const look of looks(history)) {
    const { op } = look
    // Of a write that all regions hold, a read of one is enough.
    if (op.kind !== 'get') continue
    for (const what of lackedBy(history, look, isSeenByQuorum))
      yield violation('QUO-3', `read at ${op.level} in ${op.region} at ${op.invokedAt.toFixed(0)} ms: ${what}`)
  }
}
