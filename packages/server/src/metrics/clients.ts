/** Metrics of the clients of a server, all together. */
import type { ClientsStatus } from '@sojourn/wire'
import { KINDS } from '../clients/budgets.js'
import { noTotals } from '../clients/totals.js'
import type { Instruments } from './instruments.js'

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as ClientsStatus['kept']

const NO_CLIENTS: ClientsStatus = {
  connections: 0,
  unauthenticated: { connections: 0, evicted: 0 },
  inFlight: 0,
  remembered: 0,
  watched: 0,
  kept: NOTHING,
  exceeded: NOTHING,
  totals: noTotals(),
}

/** @param now undefined where the server lets no clients in */
export const readClients = (instruments: Instruments, now: () => ClientsStatus | undefined): void => {
  const gauge = (name: string, help: string, read: (status: ClientsStatus) => number) =>
    instruments.gauge(name, help, [], (each) => each.set(read(now() ?? NO_CLIENTS)))
  gauge('sojourn_client_connections', 'Open client connections', ({ connections }) => connections)
  gauge('sojourn_client_in_flight', 'Client requests in flight', ({ inFlight }) => inFlight)
  gauge('sojourn_client_remembered', 'Answers kept for retried writes', ({ remembered }) => remembered)
  gauge('sojourn_client_watched', 'Sessions that clients keep in their near caches', ({ watched }) => watched)
  instruments.gauge('sojourn_client_kept_bytes', 'Bytes kept for clients, by purpose', ['what'], (each) => {
    const { quorums: _, ...kept } = (now() ?? NO_CLIENTS).kept
    for (const [what, bytes] of Object.entries(kept)) each.set({ what }, bytes)
  })
  gauge(
    'sojourn_client_quorums',
    'Client requests in flight that may wait for other regions',
    ({ kept: { quorums } }) => quorums,
  )
  instruments.total(
    'sojourn_client_exceeded_total',
    'Times that a client budget was exhausted, by purpose',
    ['what'],
    (set) => {
      for (const [what, count] of Object.entries((now() ?? NO_CLIENTS).exceeded)) set({ what }, count)
    },
  )
  const total = (name: string, help: string, read: (totals: ClientsStatus['totals']) => number) =>
    instruments.total(name, help, [], (set) => set({}, read((now() ?? NO_CLIENTS).totals)))
  total('sojourn_client_accepted_total', 'Clients that were accepted', ({ accepted }) => accepted)
  total('sojourn_client_requests_total', 'Client requests received', ({ requests }) => requests)
  total(
    'sojourn_client_retries_total',
    'Retried writes that were answered from the reply cache',
    (totals) => totals.answeredFromMemory,
  )
  total(
    'sojourn_client_invalidations_total',
    'Invalidations sent to near caches of clients',
    (totals) => totals.invalidations,
  )
  instruments.total('sojourn_client_bytes_total', 'Bytes of client frames, by direction', ['direction'], (set) => {
    const { bytesIn, bytesOut } = (now() ?? NO_CLIENTS).totals
    set({ direction: 'received' }, bytesIn)
    set({ direction: 'sent' }, bytesOut)
  })
  instruments.total(
    'sojourn_client_refused_total',
    'Client connections and frames that were refused, by code',
    ['code'],
    (set) => {
      for (const [code, count] of Object.entries((now() ?? NO_CLIENTS).totals.refused)) set({ code }, count ?? 0)
    },
  )
}
