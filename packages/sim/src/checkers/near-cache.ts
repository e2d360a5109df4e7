/** What a near cache gives, its server had said, and it was still so no longer ago than the cache may lag. */
import { deedsOf, isKept, violation } from '../expectations.js'
import type { Checker, CommitsSeen, History, Operation } from '../history.js'
import { shownOf } from '../shown.js'
import { keyOf } from '../users.js'

/** What happens at one moment has no order. */
const MOMENT_MS = 1

export const nearCache: Checker = function* (history) {
  const { operations, clients } = history
  if (clients === undefined) return
  const given = new Map<string, number[]>()
  for (const { region, incarnation, id, shown, until } of clients.services) {
    if (shown === undefined || until === undefined) continue
    const what = `${region} ${incarnation} ${id} ${shown}`
    given.set(what, [...(given.get(what) ?? []), until])
  }
  const commits = commitsByKey(clients.commits)
  for (const op of operations) {
    if (!op.isCached || op.seen === undefined) continue
    const shown = shownOf(op.seen)
    const times = (given.get(`${op.region} ${op.incarnation} ${op.usedId} ${shown}`) ?? []).filter(
      (at) => at <= op.invokedAt,
    )
    const where = `the near cache of ${op.app} at ${op.invokedAt.toFixed(0)} ms gives ${op.session.name} as ${shown}`
    if (times.length === 0) yield violation('NET-5', `${where}, which ${op.region} never said`)
    else {
      const latest = Math.max(...times)
      const changed = commits
        .get(`${op.region} ${op.incarnation} ${keyOf(op.usedId!)}`)
        ?.find((at) => at > latest + MOMENT_MS && at < op.asOf! - MOMENT_MS)
      if (changed !== undefined)
        yield violation('NET-5', `${where}, which changed in ${op.region} at ${changed.toFixed(0)} ms`)
    }
    yield* afterItsEnd(history, op, where)
  }
}

const commitsByKey = (commits: readonly CommitsSeen[]): Map<string, number[]> => {
  const byKey = new Map<string, number[]>()
  for (const { at, region, incarnation, keys } of commits)
    for (const key of keys) {
      const name = `${region} ${incarnation} ${key}`
      byKey.set(name, [...(byKey.get(name) ?? []), at])
    }
  return byKey
}

/** A client whose connection reported the end of a session does not show it from what that connection brought before. */
const afterItsEnd = function* (history: History, op: Operation, where: string) {
  const ended = deedsOf(history, op.session).all.find(
    (other) =>
      ((other.kind === 'end' && other.wasAlive !== undefined) ||
        (other.kind === 'rotate' && (op.session.ownId || other.usedId === op.usedId))) &&
      isKept(other) &&
      other.connection === op.connection &&
      other.returnedAt! < op.invokedAt,
  )
  if (ended) yield violation('NET-5', `${where}, whose end it had heard of at ${ended.returnedAt!.toFixed(0)} ms`)
}
