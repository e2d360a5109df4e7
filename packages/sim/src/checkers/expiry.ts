/** A checker: nothing shows at or past its deadline, and nothing is gone before. */
import { deedsOf, isSeenByQuorum, isSeenLocally, looks, observerOf, violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** Nothing shows at or past its deadline, by the clock of whoever shows it; and nothing is gone before, beyond what clocks may be off. */
export const expiry: Checker = function* (history) {
  for (const { op, seen } of looks(history)) {
    if (seen.expiresAt <= op.wallLow)
      yield violation(
        'EXP-1',
        `${op.kind} in ${op.region} at ${op.invokedAt.toFixed(0)} ms shows ${op.session.name} ${op.wallLow - seen.expiresAt} ms past its deadline`,
      )
    if (seen.expiresAt > seen.createdAt + history.maxLifetimeMs)
      yield violation(
        'EXP-2',
        `${op.session.name} would live past its limit: until ${seen.expiresAt}, made at ${seen.createdAt}`,
      )
  }
  for (const { region, sessions, wall } of history.settled ?? [])
    for (const [name, seen] of sessions)
      if (seen.expiresAt <= wall - 1_000) yield violation('EXP-1', `${name} is listed in ${region} past its deadline`)
  yield* goneEarly(history)
}

const goneEarly: Checker = function* (history) {
  const { maxClockErrorMs } = history
  for (const session of history.sessions) {
    const deeds = deedsOf(history, session)
    // What was renewed by a clock that was hours behind is over at once.
    if (deeds.all.some(({ hadWrongClock }) => hadWrongClock)) continue
    for (const op of deeds.all) {
      if (op.outcome !== 'absent' || op.kind === 'create' || op.kind === 'end') continue
      if (deeds.endsBegun(op.returnedAt!, op.usedId).length > 0) continue
      const observer = observerOf(op)
      // Where it has not arrived that the session goes on under this id, it is none.
      const maker = deeds.makerOf(op.usedId)
      const isAsked = op.kind === 'get' && maker && isSeenByQuorum(history, observer, maker)
      if (maker && !isAsked && !isSeenLocally(history, observer, maker)) continue
      const known = deeds.all.filter(
        (other) =>
          // What a read saw may have been on its way to a disk that refused it (ADR 6).
          other.seen &&
          other.kind !== 'get' &&
          (isSeenLocally(history, observer, other) || (op.kind === 'get' && isSeenByQuorum(history, observer, other))),
      )
      // Of two uses the one with the later stamp sets the deadline; a clock that is behind stamps it earlier than the other would.
      const least = Math.min(...known.map(({ seen }) => seen!.expiresAt))
      const last = known.reduce((max, { seen }) => Math.max(max, seen!.expiresAt), 0)
      const others = deeds.all.filter(
        (other) => other.seen && other.invokedAt <= op.returnedAt! && !known.includes(other),
      )
      const floor = Math.min(last, ...others.map(({ seen }) => seen!.expiresAt))
      // Of two creations under one id the stricter limit counts, which those who knew only the other could not know.
      const deadline = session.ownId ? floor : Math.max(least, floor)
      if (known.length > 0 && op.wallHigh < deadline - 2 * maxClockErrorMs)
        yield violation(
          'EXP-1',
          `${op.kind} in ${op.region} at ${op.invokedAt.toFixed(0)} ms does not find ${session.name}, which had ${deadline - op.wallHigh} ms to live there`,
        )
    }
  }
}
