/** A checker: who stays in a region reads what was acknowledged there. */
import { hasRefusals, isSeenLocally, lackedBy, looks, mayBePurged, violation } from '../expectations.js'
import type { Checker, Operation } from '../history.js'

/**
 * Who stays in a region reads what was acknowledged there (also by others, also after a crash of the region), and what one process has
 * shown it does not take back.
 */
export const sessionGuarantees: Checker = function* (history) {
  for (const look of looks(history)) {
    const { kind, client, region, invokedAt } = look.op
    for (const what of lackedBy(history, look, isSeenLocally))
      yield violation('GUAR-1', `${kind} by ${client} in ${region} at ${invokedAt.toFixed(0)} ms: ${what}`)
  }
  yield* goingBack(history)
}

/** Sums never fall, and items that nobody drops never vanish, from one look of a process's clients to the next. */
const goingBack: Checker = function* (history) {
  const last = new Map<string, Operation>()
  const inOrder = looks(history).sort((a, b) => a.op.returnedAt! - b.op.returnedAt!)
  for (const { op, seen } of inOrder) {
    const place = `${op.region} ${op.incarnation} ${op.session.name}`
    const before = last.get(place)
    last.set(place, op)
    // Of two calls that overlap either may have looked first. A disk that refuses writes takes back what was on its way to it.
    // What is on its way to a disk shows there, and is sent to near caches once the disk has it.
    if (op.isCached) continue
    if (!before?.seen || before.returnedAt! >= (op.asOf ?? op.invokedAt) || hasRefusals(history, op.region)) continue
    // A purge in between would explain anything.
    if (mayBePurged(history, before, op.wallHigh)) continue
    const [was, is] = [before.seen.data.n ?? 0, seen.data.n ?? 0]
    if (is < was)
      yield violation(
        'GUAR-1',
        `${op.session.name} in ${op.region}: n was ${was} at ${before.returnedAt!.toFixed(0)} ms, and is ${is} for ${op.client} at ${op.returnedAt!.toFixed(0)} ms`,
      )
  }
}
