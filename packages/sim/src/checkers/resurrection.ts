/** A checker: what was ended never shows again. */
import { deedsOf, isKept, isSeenByQuorum, isSeenLocally, mustRemain, observerOf, violation } from '../expectations.js'
import type { Checker, Operation } from '../history.js'

/** What was ended never shows again where that is known, and at the end nowhere. An update never creates. */
export const resurrection: Checker = function* (history) {
  for (const session of history.sessions) {
    const deeds = deedsOf(history, session)
    for (const op of deeds.all) {
      if (!showsLive(op)) continue
      const observer = observerOf(op)
      const end = deeds
        .endsKept(Number.POSITIVE_INFINITY, op.usedId)
        .find(
          (candidate) =>
            isSeenLocally(history, observer, candidate) ||
            (op.kind === 'get' && isSeenByQuorum(history, observer, candidate)),
        )
      if (end)
        yield violation(
          'END-1',
          `${op.kind} by ${op.client} in ${op.region} at ${op.invokedAt.toFixed(0)} ms shows ${session.name}, which ${end.kind} had ended in ${end.region} at ${end.returnedAt!.toFixed(0)} ms`,
        )
    }
    const ends = deeds.endsKept(Number.POSITIVE_INFINITY)
    for (const { region, sessions } of history.settled ?? []) {
      const end = sessions.has(session.name) ? ends.find((op) => mustRemain(history, op)) : undefined
      if (end)
        yield violation(
          'END-1',
          `${session.name} shows in ${region} at the end; it was ended in ${end.region} by ${end.kind}`,
        )
    }
    const isMade = session.base !== undefined || deeds.all.some(({ kind }) => kind === 'create')
    const user = deeds.all.find((op) => op.kind !== 'create' && showsLive(op))
    if (!isMade && user) yield violation('END-1', `${user.kind} in ${user.region} made ${session.name}`)
  }
}

const showsLive = (op: Operation): boolean => op.seen !== undefined && isKept(op) && op.kind !== 'create'
