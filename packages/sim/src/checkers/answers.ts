/** An answer belongs to its question: what a client gives of a session is what that server said of it then, in answer to such a call. */
import { violation } from '../expectations.js'
import type { Checker, Operation, Service } from '../history.js'
import { shownOf } from '../shown.js'

/** Which calls of a server's replica a call of a client can become. */
const BECOMES: { readonly [kind: string]: readonly string[] } = {
  create: ['create'],
  get: ['get'],
  set: ['replace'],
  save: ['replace'],
  add: ['replace'],
  drop: ['replace'],
  increment: ['increment'],
  touch: ['touch'],
  rotate: ['rotate'],
}

/** Codes that no call may come to where both sides are of one house. */
const FAULTS: ReadonlySet<string> = new Set(['FRAME_UNEXPECTED', 'FRAME_INVALID', 'LINK_VERSION', 'TOKEN_REFUSED'])

export const answers: Checker = function* ({ operations, clients }) {
  if (clients === undefined) return
  const byPlace = new Map<string, Service[]>()
  for (const service of clients.services) {
    const place = placeOf(service.region, service.incarnation, service.id)
    byPlace.set(place, [...(byPlace.get(place) ?? []), service])
  }
  for (const op of operations) {
    if (op.app === undefined) continue
    if (op.code !== undefined && FAULTS.has(op.code))
      yield violation('NET-1', `${op.kind} of ${op.app} at ${op.invokedAt.toFixed(0)} ms came to ${op.code}`)
    if (op.seen === undefined || op.isCached) continue
    const shown = shownOf(op.seen)
    const given = byPlace.get(placeOf(op.region, op.incarnation, op.usedId ?? op.madeId)) ?? []
    if (!given.some((service) => isAnswerTo(service, op) && service.shown === shown))
      yield violation(
        'NET-1',
        `${op.kind} ${op.session.name} of ${op.app} at ${op.invokedAt.toFixed(0)} ms shows ${shown}, which ${op.region} did not answer`,
      )
  }
}

const placeOf = (region: string, incarnation: number, id: string | undefined): string =>
  `${region} ${incarnation} ${id}`

const isAnswerTo = ({ kind, n, until }: Service, op: Operation): boolean =>
  BECOMES[op.kind]!.includes(kind) &&
  until !== undefined &&
  until >= op.invokedAt &&
  until <= op.returnedAt! &&
  (n === undefined || op.kind === 'get' || n === (op.kind === 'increment' ? op.by : op.n))
