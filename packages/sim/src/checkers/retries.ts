/** A write that is asked again is done once, wherever it was asked; what a client reports as not done was not, and what it reports as done was. */
import { isKept, violation } from '../expectations.js'
import type { Checker, History, Operation, Service } from '../history.js'

/** Writes whose step can be known from what they write. */
const NUMBERED: ReadonlySet<string> = new Set(['create', 'set', 'save', 'add', 'increment'])

/** As long as this a healthy connection brings every answer, and what was wrong with one may be felt on it. */
const PATIENCE_MS = 1_500
const AFTERMATH_MS = 15_000

export const retries: Checker = function* (history) {
  const { operations, clients } = history
  if (clients === undefined) return
  const byNumber = new Map<number, Service[]>()
  for (const service of clients.services) {
    if (service.n === undefined || service.kind === 'get') continue
    byNumber.set(service.n, [...(byNumber.get(service.n) ?? []), service])
  }
  for (const op of operations) {
    if (op.app === undefined) continue
    if (NUMBERED.has(op.kind)) {
      const services = byNumber.get(op.n) ?? []
      yield* faultsOf(op, services)
      yield* neverAnswered(history, op, services[0])
      yield* neverAsked(history, op)
      yield* forgotten(history, op, services[0])
    } else if (op.kind === 'end') yield* faultsOfEnd(op, operations, clients.services)
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
  const done = services.filter(({ kind, id, outcome }) => kind === 'end' && id === op.usedId && outcome === 'ok')
  if (isOnly && done.length > 0)
    yield violation('NET-2', `${nameOf(op)} came to ${op.code}, and was done: ${placesOf(done)}`)
}

/** A server that has room for it remembers what it answered: who is connected with it again is answered. */
const forgotten = function* ({ clients }: History, op: Operation, done: Service | undefined) {
  if (op.code !== 'CONNECTION_LOST' || done === undefined || !clients!.remembering.includes(done.region)) return
  const isBack = clients!.lines.some(
    ({ app, region, incarnation, from, until }) =>
      app === op.app &&
      region === done.region &&
      incarnation === done.incarnation &&
      from > done.from &&
      from <= op.returnedAt! &&
      (until ?? Number.POSITIVE_INFINITY) > op.returnedAt!,
  )
  if (isBack)
    yield violation(
      'NET-3',
      `${nameOf(op)} was done: ${placesOf([done])}, which had forgotten it when it was asked again`,
    )
}

/** A write that may have been done was asked of somebody. */
const neverAsked = function* ({ clients }: History, op: Operation) {
  if (op.outcome !== 'crashed' || op.code === undefined) return
  const isAsked = clients!.lines.some(
    ({ app, from, until }) => app === op.app && from <= op.returnedAt! && (until ?? op.invokedAt) >= op.invokedAt,
  )
  if (!isAsked) yield violation('NET-2', `${nameOf(op)} came to ${op.code}, and there was no server to ask`)
}

/** A call that was done by a server with which its client has been connected since, and well, and which yet came to a timeout. */
const neverAnswered = function* ({ clients, troubles }: History, op: Operation, done: Service | undefined) {
  if (op.code !== 'TIMEOUT' || done?.until === undefined) return
  const until = op.returnedAt!
  const line = clients!.lines.find(
    (each) =>
      each.app === op.app &&
      each.region === done.region &&
      each.incarnation === done.incarnation &&
      (each.until ?? until) >= until &&
      Math.max(each.from, done.until!) + PATIENCE_MS < until,
  )
  if (line === undefined) return
  const isWrong = (of: { readonly from: number; readonly until: number }) =>
    of.from <= until && of.until + AFTERMATH_MS >= Math.max(line.from, done.until!)
  if (
    clients!.troubles.some((trouble) => (trouble.app === op.app || trouble.region === done.region) && isWrong(trouble))
  )
    return
  if (troubles.some((trouble) => trouble.region === done.region && isWrong(trouble))) return
  yield violation(
    'NET-3',
    `${nameOf(op)} was done: ${placesOf([done])}; its client was connected there, and never answered`,
  )
}
