/** A write that is asked again is done once, wherever it was asked; what a client reports as not done was not, and what it reports as done was. */
import { isKept, violation } from '../expectations.js'
import type { Checker, Operation, Service } from '../history.js'

/** Writes whose step can be told from what they write. */
const NUMBERED: ReadonlySet<string> = new Set(['create', 'set', 'save', 'add', 'increment'])

export const retries: Checker = function* ({ operations, clients }) {
  if (clients === undefined) return
  const byNumber = new Map<number, Service[]>()
  for (const service of clients.services) {
    if (service.n === undefined || service.kind === 'get') continue
    byNumber.set(service.n, [...(byNumber.get(service.n) ?? []), service])
  }
  for (const op of operations) {
    if (op.app === undefined) continue
    if (NUMBERED.has(op.kind)) yield* faultsOf(op, byNumber.get(op.n) ?? [])
    else if (op.kind === 'end') yield* faultsOfEnd(op, operations, clients.services)
  }
}

const nameOf = (op: Operation): string => `${op.kind} ${op.session.name} of ${op.app} at ${op.invokedAt.toFixed(0)} ms`

const placesOf = (services: readonly Service[]): string =>
  services.map(({ region, incarnation, from }) => `${region} (${incarnation}) at ${from.toFixed(0)} ms`).join(', ')

const faultsOf = function* (op: Operation, services: readonly Service[]) {
  const done = services.filter(({ outcome }) => outcome === 'ok')
  if (services.length > 1) yield violation('NET-3', `${nameOf(op)} was carried out again: ${placesOf(services)}`)
  if (op.outcome === 'refused' || op.outcome === 'absent') {
    if (done.length > 0)
      yield violation('NET-2', `${nameOf(op)} came to ${op.code ?? op.outcome}, and was done: ${placesOf(done)}`)
  } else if (
    isKept(op) &&
    !done.some(({ region, incarnation }) => region === op.region && incarnation === op.incarnation)
  )
    yield violation('NET-2', `${nameOf(op)} came to ${op.outcome} in ${op.region}, which did not do it`)
}

/** An end says in nothing which step's it is: it is looked at where nobody else ended the session. */
const faultsOfEnd = function* (op: Operation, operations: readonly Operation[], services: readonly Service[]) {
  if (op.outcome !== 'refused') return
  const isOnly = operations.every((other) => other === op || other.kind !== 'end' || other.session !== op.session)
  const done = services.filter(({ kind, id, outcome }) => kind === 'end' && id === op.session.id && outcome === 'ok')
  if (isOnly && done.length > 0)
    yield violation('NET-2', `${nameOf(op)} came to ${op.code}, and was done: ${placesOf(done)}`)
}
