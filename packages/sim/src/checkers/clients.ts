/** Every call of a client comes to something in time; healed clients are at their nearest server; and what is kept for those that left goes. */
import { violation } from '../expectations.js'
import type { Checker } from '../history.js'

/** Timers take a turn, and a call that is due while its process stands still is over when that goes on. */
const LATE_MS = 20

export const clientsServed: Checker = function* ({ operations, clients }) {
  if (clients === undefined) return
  for (const what of clients.misunderstandings) yield violation('WIRE-4', `a connection was ended: ${what}`)
  for (const op of operations) {
    if (op.app === undefined || op.dueAt === undefined) continue
    const what = `${op.kind} of ${op.app} at ${op.invokedAt.toFixed(0)} ms`
    if (op.outcome === 'pending') yield violation('NET-2', `${what} came to nothing`)
    else if (op.returnedAt! > op.dueAt + LATE_MS)
      yield violation(
        'NET-2',
        `${what} took until ${op.returnedAt!.toFixed(0)} ms, and was due at ${op.dueAt.toFixed(0)} ms`,
      )
  }
  for (const { app, region, nearest, inFlight } of clients.settled) {
    if (nearest !== undefined && region !== nearest)
      yield violation('NET-4', `${app} is at ${region ?? 'no server'}, its nearest one is ${nearest}`)
    if (inFlight > 0) yield violation('NET-2', `${inFlight} calls of ${app} wait though all is well`)
  }
  for (const { region, left } of clients.left)
    for (const [what, value] of Object.entries(left))
      if (value > 0) yield violation('BUDGET-1', `${region} keeps ${value} ${what} for clients that are gone`)
}
