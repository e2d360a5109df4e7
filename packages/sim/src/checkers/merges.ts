/** A checker: what shows was written by somebody, and each increment counts once. */
import { deedsOf, faultsOf, looks, possibleBy, violation } from '../expectations.js'
import type { Checker, Operation } from '../history.js'

/** Whatever is shown was written by somebody, each increment counts once, and nothing that was refused ever shows. */
export const merges: Checker = function* (history) {
  const none: readonly Operation[] = []
  for (const { op, seen } of looks(history)) {
    const deeds = deedsOf(history, op.session)
    for (const { kind, what } of faultsOf(
      deeds,
      seen.data,
      none,
      possibleBy(deeds, op.returnedAt!, op.region, op.asOf),
    ))
      if (kind !== 'lost') yield violation(kind === 'sum' ? 'DOC-3' : 'DOC-2', `${op.kind} in ${op.region}: ${what}`)
  }
  for (const { region, sessions } of history.settled ?? [])
    for (const session of history.sessions) {
      const seen = sessions.get(session.name)
      if (seen === undefined) continue
      const deeds = deedsOf(history, session)
      for (const { kind, what } of faultsOf(deeds, seen.data, none, possibleBy(deeds, Number.POSITIVE_INFINITY, '')))
        if (kind !== 'lost') yield violation(kind === 'sum' ? 'DOC-3' : 'DOC-2', `in ${region}, at the end, ${what}`)
    }
}
