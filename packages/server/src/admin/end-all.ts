/** Ends every session that a region holds, and reports meanwhile how many are left. */
import type { Clock, SessionApi } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import { ADMIN_END_REASON, type AdminLine, type AdminReceipt, type AdminRequest } from '@sojourn/wire'

/** How often it is reported how many are left: well within the silence that a caller takes for a failure. Milliseconds. */
const REPORT_MS = 1_000
/** How often it is looked whether regions hold what was ended. Milliseconds. */
const LOOK_MS = 20

export interface EndAllHost {
  readonly replica: Pick<Replica, 'region' | 'status'>
  readonly sessions: Pick<SessionApi, 'count' | 'endAll'>
  readonly clock: Clock
  /** How long the receipt waits for regions that are linked, milliseconds. */
  readonly receiptWaitMs: number
}

/**
 * Goes on to end sessions where nobody reads the lines any more.
 * @throws as `endAll` of the session API
 */
export const endAllInLines = async function* (
  { replica, sessions, clock, receiptWaitMs }: EndAllHost,
  { write, reason = ADMIN_END_REASON }: AdminRequest<'endAll'>,
): AsyncGenerator<AdminLine<'endAll'>> {
  const ending = sessions.endAll({ reason, write })
  // Whoever asked may be gone when it fails.
  ending.catch(() => {})
  let ended: number | undefined
  while (ended === undefined) {
    ended = await Promise.race([ending, pause(clock, REPORT_MS)])
    if (ended === undefined) yield { left: await sessions.count() }
  }
  const { head } = replica.status()
  const until = clock.monotonic() + receiptWaitMs
  while (isOnItsWay(replica, head) && clock.monotonic() < until) await pause(clock, LOOK_MS)
  yield { ended, regions: regionsHolding(replica, head) }
}

const pause = (clock: Clock, ms: number): Promise<undefined> =>
  new Promise((resolve) => clock.after(ms, () => resolve(undefined)))

/** How far a peer is known to hold the feed of this replica. */
const ackedBy = (status: ReturnType<Replica['status']>, peer: string): number =>
  status.head - status.links[peer]!.unacked

const isOnItsWay = (replica: EndAllHost['replica'], sequence: number): boolean => {
  const status = replica.status()
  return Object.entries(status.links).some(([peer, { state }]) => state !== 'down' && ackedBy(status, peer) < sequence)
}

const regionsHolding = (replica: EndAllHost['replica'], sequence: number): AdminReceipt['regions'] => {
  const status = replica.status()
  const peers = Object.keys(status.links).map(
    (peer) => [peer, ackedBy(status, peer) >= sequence ? 'held' : 'pending'] as const,
  )
  return { [replica.region]: 'held', ...Object.fromEntries(peers) }
}
