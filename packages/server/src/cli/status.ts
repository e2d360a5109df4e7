import type { Clock } from '@sojourn/core/internal'
import { EXIT } from '../exit-codes.js'
import type { AdminClient } from './admin-client.js'
import type { Output } from './output.js'
import { type Asked, askRegions } from './regions.js'
import { table, time } from './table.js'

const regionTable = (asked: readonly Asked[]): string =>
  table(
    ['REGION', 'STATE', 'SESSIONS', 'ENDED', 'COMMITS', 'CLIENTS', 'UP'],
    asked.map(({ region, status, why }) =>
      status === undefined
        ? [region, why]
        : [
            region,
            status.ready ? 'ready' : `not ready: ${status.reasons.join('; ')}`,
            status.replica.sessions,
            status.replica.tombstones,
            status.replica.head,
            status.clients?.connections,
            time(status.uptimeSeconds * 1_000),
          ],
    ),
  )

type Link = NonNullable<Asked['status']>['replica']['links'][string]

/** Why there is no link, and when it is tried again. */
const stateOf = ({ state, lastError, nextTryAt }: Link): string => {
  if (state !== 'down' || lastError === undefined) return state
  const next = nextTryAt === undefined ? '' : `, next try at ${new Date(nextTryAt).toISOString().slice(11, 19)}`
  // What a peer gave as its reason goes to a terminal.
  return `down: ${lastError.reason} (${lastError.why.replace(/\p{C}/gu, '?')})${next}`
}

const linkTable = (asked: readonly Asked[]): string =>
  table(
    ['LINK', 'STATE', 'BEHIND', 'LAG', 'TO RECEIVE', 'ROUND TRIP', 'SKEW', 'VERSION'],
    asked.flatMap(({ region, status }) =>
      Object.entries(status?.replica.links ?? {}).map(([peer, link]) => [
        `${region} → ${peer}`,
        stateOf(link),
        link.behind,
        link.state === 'down' ? undefined : time(link.lag),
        link.toReceive,
        time(link.rtt),
        link.state === 'down' ? undefined : time(link.skew),
        link.version,
      ]),
    ),
  )

const jsonOf = (asked: readonly Asked[]) => ({
  regions: Object.fromEntries(asked.map(({ region, status, why }) => [region, status ?? { error: why }])),
})

/** One of which nobody knows where to ask was not asked: that is no failure. */
const exitOf = (asked: readonly Asked[]): number =>
  asked.some(({ client, status }) => client !== undefined && status === undefined) ? EXIT.unreachable : EXIT.ok

export const showStatus = async (clients: readonly AdminClient[], isJson: boolean, out: Output): Promise<number> => {
  const asked = await askRegions(clients)
  if (isJson) out.json(jsonOf(asked))
  else out.text(`${regionTable(asked)}\n\n${linkTable(asked)}`)
  return exitOf(asked)
}

export interface TopOptions {
  readonly intervalMs: number
  /** How often it is shown; undefined: until it is interrupted. */
  readonly times: number | undefined
  readonly isJson: boolean
  readonly clock: Clock
  readonly pause: (ms: number) => Promise<void>
}

const CLEAR = '\u001b[H\u001b[2J'

/** What happened between two looks, a second. */
const rates = (now: Asked, before: Asked | undefined, seconds: number) => {
  const [status, old] = [now.status, before?.status]
  if (status === undefined || old === undefined || status.uptimeSeconds < old.uptimeSeconds) return undefined
  const requests = status.calls.requests - old.calls.requests
  const links = Object.values(status.replica.links)
  const sum = (of: typeof status, direction: 'sent' | 'received') =>
    Object.values(of.replica.links).reduce((total, { bytes }) => total + bytes[direction], 0)
  return {
    requests: requests / seconds,
    errors: (status.calls.errors - old.calls.errors) / seconds,
    meanMs: requests === 0 ? 0 : ((status.calls.seconds - old.calls.seconds) / requests) * 1_000,
    commits: (status.replica.totals.commits - old.replica.totals.commits) / seconds,
    sentBytes: (sum(status, 'sent') - sum(old, 'sent')) / seconds,
    receivedBytes: (sum(status, 'received') - sum(old, 'received')) / seconds,
    lagMs: Math.max(0, ...links.map(({ lag }) => lag)),
  }
}

export const showTop = async (clients: readonly AdminClient[], options: TopOptions, out: Output): Promise<number> => {
  const { intervalMs, times, isJson, clock, pause } = options
  let before: readonly Asked[] = await askRegions(clients)
  let at = clock.monotonic()
  for (let round = 0; times === undefined || round < times; round++) {
    await pause(intervalMs)
    const now = await askRegions(clients)
    const seconds = (clock.monotonic() - at) / 1_000
    at = clock.monotonic()
    const rows = now.map((asked) => {
      const old = before.find(({ region }) => region === asked.region)
      return { asked, rate: rates(asked, old, seconds) }
    })
    if (isJson)
      out.json({
        regions: Object.fromEntries(rows.map(({ asked, rate }) => [asked.region, rate ?? { error: asked.why }])),
      })
    else {
      const shown = table(
        ['REGION', 'CALLS/S', 'ERRORS/S', 'MEAN', 'COMMITS/S', 'SENT KB/S', 'RECEIVED KB/S', 'SESSIONS', 'LAG'],
        rows.map(({ asked, rate }) => [
          asked.region,
          rate && Math.round(rate.requests),
          rate && Math.round(rate.errors),
          time(rate?.meanMs),
          rate && Math.round(rate.commits),
          rate && Math.round(rate.sentBytes / 1_024),
          rate && Math.round(rate.receivedBytes / 1_024),
          asked.status?.replica.sessions,
          rate ? time(rate.lagMs) : asked.why,
        ]),
      )
      // In a file or a pipe, one look follows the other.
      const gap = out.isTerminal ? CLEAR : round > 0 ? '\n' : ''
      out.text(`${gap}${shown}\n\n${linkTable(now)}`)
    }
    before = now
  }
  return exitOf(before)
}
