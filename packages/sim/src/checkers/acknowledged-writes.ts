/** A checker: what was acknowledged is there when all has settled. */
import { deedsOf, faultsOf, mayBePurged, mustRemain, possibleBy, violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** What was acknowledged is there when all has settled, as far as its level promised it against what was lost meanwhile. */
export const acknowledgedWrites: Checker = function* (history) {
  for (const { region, sessions, wall } of history.settled ?? [])
    for (const session of history.sessions) {
      const seen = sessions.get(session.name)
      if (seen === undefined) continue
      const deeds = deedsOf(history, session)
      const kept = deeds.writes.filter((op) => mustRemain(history, op) && !mayBePurged(history, op, wall))
      for (const { kind, what } of faultsOf(
        deeds,
        seen.data,
        kept,
        possibleBy(deeds, Number.POSITIVE_INFINITY, region),
      ))
        if (kind === 'lost') yield violation('KEEP-1', `in ${region}, at the end, ${what}`)
    }
  yield* absences(history)
}

/** A session that was made and cannot have gone is there. */
const absences: Checker = function* (history) {
  for (const { region, sessions, wall } of history.settled ?? [])
    for (const session of history.sessions) {
      if (sessions.has(session.name)) continue
      const deeds = deedsOf(history, session)
      if (deeds.endsBegun(Number.POSITIVE_INFINITY).length > 0) continue
      // What was renewed by a clock that was hours behind is over at once.
      if (deeds.all.some(({ hadWrongClock }) => hadWrongClock)) continue
      const alive = deeds.all.find(
        (op) =>
          op.seen &&
          mustRemain(history, op) &&
          op.kind !== 'get' &&
          wall < op.seen.expiresAt - 2 * history.maxClockErrorMs &&
          // Of uses at about one time that is renewed last whose clock is ahead, and it may reach less far.
          deeds.all.every(
            (other) =>
              !other.seen ||
              other.seen.expiresAt > wall + 2 * history.maxClockErrorMs ||
              (other.returnedAt ?? Number.POSITIVE_INFINITY) + 2 * history.maxClockErrorMs <= op.invokedAt,
          ),
      )
      if (alive)
        yield violation(
          'KEEP-1',
          `in ${region}, at the end, ${session.name} is missing, which ${alive.kind} in ${alive.region} had live until ${alive.seen!.expiresAt}; it is ${wall}`,
        )
    }
}
