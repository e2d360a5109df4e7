/** Objects are whole: nobody is shown a user who is put together of two, or what was set in another one. */
import { looks, violation } from '../expectations.js'
import type { Checker, SessionData, Violation } from '../history.js'

export const objects: Checker = function* (history) {
  // Who speaks an older version cannot say which object is a new one.
  if (history.clients?.speaksOld) return
  for (const { op, seen } of looks(history))
    yield* faultsIn(seen.data, `${op.kind} in ${op.region}: ${op.session.name}`)
  for (const { region, sessions } of history.settled ?? [])
    for (const [name, { data }] of sessions) yield* faultsIn(data, `in ${region}, at the end, ${name}`)
}

const faultsIn = function* ({ user }: SessionData, where: string): Iterable<Violation> {
  const strange = Object.entries(user ?? {}).find(([, value]) => value !== user!.name)
  if (strange === undefined) return
  const [field] = strange
  const rule = field === 'seen' ? 'DOC-7' : 'DOC-6'
  yield violation(rule, `${where} has the user ${JSON.stringify(user)}, of whom nobody set ${JSON.stringify(field)} so`)
}
