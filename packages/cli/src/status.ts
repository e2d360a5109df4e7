/** `sojourn status` and `sojourn top`: how the regions are, and what they do, once or again and again. */
import { type Clock, isSojournError } from '@sojourn/core/internal'
import type { AdminClient } from './admin-client.js'
import type { Paint, Style } from './colour.js'
import { EXIT } from './exit-codes.js'
import type { Output } from './output.js'
import { type Asked, askRegions } from './regions.js'
import { type Cell, table, time } from './table.js'

const painted = (text: string | undefined, style: Style): Cell => text && { text, style }

const regionTable = (asked: readonly Asked[], paint: Paint): string =>
  table(
    ['REGION', 'STATE', 'SESSIONS', 'ENDED', 'COMMITS', 'CLIENTS', 'UP'],
    asked.map(({ region, status, why }) =>
      status === undefined
        ? [region, painted(why, 'red')]
        : [
            region,
            status.ready ? painted('ready', 'green') : painted(`not ready: ${status.reasons.join('; ')}`, 'yellow'),
            status.replica.sessions,
            status.replica.tombstones,
            status.replica.head,
            status.clients?.connections,
            time(status.uptimeSeconds * 1_000),
          ],
    ),
    paint,
  )

type Link = NonNullable<Asked['status']>['replica']['links'][string]

/** Why there is no link, and when it is tried again. */
const stateOf = ({ state, lastError, nextTryAt }: Link): string => {
  if (state !== 'down' || lastError === undefined) return state
  const next = nextTryAt === undefined ? '' : `, next try at ${new Date(nextTryAt).toISOString().slice(11, 19)}`
  // What a peer gave as its reason goes to a terminal.
  return `down: ${lastError.reason} (${lastError.why.replace(/\p{C}/gu, '?')})${next}`
}

const linkTable = (asked: readonly Asked[], paint: Paint): string =>
  table(
    ['LINK', 'STATE', 'UNACKED', 'LAG', 'TO RECEIVE', 'ROUND TRIP', 'SKEW', 'VERSION'],
    asked.flatMap(({ region, status }) =>
      Object.entries(status?.replica.links ?? {}).map(([peer, link]) => [
        `${region} → ${peer}`,
        painted(stateOf(link), link.state === 'live' ? 'green' : link.state === 'down' ? 'red' : 'yellow'),
        link.unacked,
        link.state === 'down' ? undefined : time(link.lag),
        link.toReceive,
        time(link.rtt),
        link.state === 'down' ? undefined : time(link.skew),
        link.version,
      ]),
    ),
    paint,
  )

const jsonOf = (asked: readonly Asked[]) => ({
  regions: Object.fromEntries(asked.map(({ region, status, why }) => [region, status ?? { error: why }])),
})

/** One of which nobody knows where to ask was not asked: that is no failure. */
const exitOf = (asked: readonly Asked[]): number =>
  asked.some(({ client, status }) => client !== undefined && status === undefined) ? EXIT.unreachable : EXIT.ok

/** How often something is looked at. */
export interface Repeated {
  readonly intervalMs: number
  /** How often it is shown; undefined: until it is interrupted. */
  readonly times: number | undefined
  readonly clock: Clock
  readonly pause: (ms: number) => Promise<void>
}

export interface StatusOptions extends Repeated {
  readonly isJson: boolean
}

const CLEAR = '\u001b[H\u001b[2J'

/** Draws over the look before on a terminal; in a file or a pipe, one look follows the other. */
const showLook = (text: string, isFirst: boolean, out: Output): void =>
  out.text(`${out.isLive ? CLEAR : isFirst ? '' : '\n'}${text}`)

/** Regions that are encrypted; undefined where none is. */
const encryptionTable = (asked: readonly Asked[], paint: Paint): string | undefined => {
  const sealed = asked.flatMap(({ region, status }) => {
    const encryption = status?.replica.encryption
    return encryption ? [{ region, ...encryption }] : []
  })
  if (sealed.length === 0) return undefined
  return table(
    ['ENCRYPTED', 'ACTIVE KEY', 'KEYS NEEDED', 'DATA KEYS', 'WAITING', 'REKEY'],
    sealed.map(({ region, active, ringKeys, dataKeys, waiting, isRekeying, failure }) => [
      region,
      active,
      ringKeys.join(', '),
      dataKeys,
      painted(String(waiting), waiting === 0 ? 'green' : 'yellow'),
      failure === undefined ? (isRekeying ? 'running' : undefined) : painted(failure, 'red'),
    ]),
    paint,
  )
}

const statusText = (asked: readonly Asked[], { paint }: Output): string =>
  [regionTable(asked, paint), linkTable(asked, paint), encryptionTable(asked, paint)]
    .filter((part) => part !== undefined)
    .join('\n\n')

/**
 * One look, or, where `times` is not 1, one after the other: then a cluster that does not answer for a while is shown so.
 * @throws UNAVAILABLE where no region answers the first look
 */
export const showStatus = async (
  clients: readonly AdminClient[],
  { isJson, intervalMs, times, pause }: StatusOptions,
  out: Output,
): Promise<number> => {
  for (let round = 1; ; round++) {
    const asked = await askRegions(clients).catch((error: unknown) => {
      if (round === 1 || !isSojournError(error, 'UNAVAILABLE')) throw error
      return error.message
    })
    if (isJson) out.json(typeof asked === 'string' ? { error: asked } : jsonOf(asked))
    else {
      const text = typeof asked === 'string' ? out.paint('red', asked) : statusText(asked, out)
      if (times === 1) out.text(text)
      else showLook(text, round === 1, out)
    }
    if (round === times) return typeof asked === 'string' ? EXIT.unreachable : exitOf(asked)
    await pause(intervalMs)
  }
}

export interface TopOptions extends Repeated {
  readonly isJson: boolean
}

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

interface TopRow {
  readonly asked: Asked
  readonly rate: ReturnType<typeof rates>
}

const topText = (rows: readonly TopRow[], { paint }: Output): string =>
  table(
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
      rate ? time(rate.lagMs) : painted(asked.why, 'red'),
    ]),
    paint,
  )

export const showTop = async (clients: readonly AdminClient[], options: TopOptions, out: Output): Promise<number> => {
  const { intervalMs, times, isJson, clock, pause } = options
  let before: readonly Asked[] = await askRegions(clients)
  let at = clock.monotonic()
  for (let round = 0; times === undefined || round < times; round++) {
    await pause(intervalMs)
    const now = await askRegions(clients)
    const seconds = (clock.monotonic() - at) / 1_000
    at = clock.monotonic()
    const rows = now.map((asked): TopRow => {
      const old = before.find(({ region }) => region === asked.region)
      return { asked, rate: rates(asked, old, seconds) }
    })
    if (isJson)
      out.json({
        regions: Object.fromEntries(rows.map(({ asked, rate }) => [asked.region, rate ?? { error: asked.why }])),
      })
    else showLook(`${topText(rows, out)}\n\n${linkTable(now, out.paint)}`, round === 0, out)
    before = now
  }
  return exitOf(before)
}
