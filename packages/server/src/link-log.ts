import type { Clock } from '@sojourn/core'
import type { LinkChange, Replica } from '@sojourn/replica'
import type { Logger } from './log.js'

/** A peer that is refused dials again and again; once in this time is told. */
const QUIET_MS = 60_000

/** Logs what becomes of the links, and what the replica lives with. Strangers are counted, not logged: they would fill the disk. */
export const logReplica = (replica: Replica, log: Logger, clock: Clock): void => {
  const toldAt = new Map<string, number>()
  const refused = (change: LinkChange): void => {
    if (!Object.hasOwn(replica.status().links, change.region)) return
    const name = `${change.region} ${change.code}`
    const now = clock.monotonic()
    if (now - (toldAt.get(name) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    toldAt.set(name, now)
    log.warn({ peer: change.region, code: change.code, why: change.why }, 'link refused')
  }
  replica.on('link', (change) => {
    const { region: peer, state, code, why } = change
    if (state === 'refused') refused(change)
    else if (state === 'down') log.warn({ peer, code, why }, 'link down')
    else log.info({ peer }, `link ${state}`)
  })
  replica.on('fault', ({ code, message }) => log.error({ code }, message))
}
