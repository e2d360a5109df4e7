/** What the log says of a replica: what becomes of the links, and what the replica lives with. */
import type { Clock } from '@sojourn/core/internal'
import type { Replica } from '@sojourn/replica'
import type { Logger } from './log.js'
import { LogThrottle } from './log-throttle.js'

/** Changes of one link that are logged in a minute; of the rest, the newest at its end. A start has four or five. */
const LINK_CHANGES_A_MINUTE = 10

/** Two processes that run as one region do not get over it by themselves. */
const levelOf = (code: string | undefined): 'warn' | 'error' => (code === 'LINK_REGION_TAKEN' ? 'error' : 'warn')

/**
 * Logs until the replica closes. Who is not known is counted, not logged: that would fill the disk.
 * @example
 * const throttle = logReplica(replica, openLog('info', 'eu'), systemClock)
 */
export const logReplica = (replica: Replica, log: Logger, clock: Clock): LogThrottle => {
  const throttle = new LogThrottle(log, clock)
  replica.on('link', ({ region: peer, state, code, reason, why }) => {
    const isDown = state === 'down'
    const body = { peer, code, reason, why }
    if (state === 'unreachable')
      throttle.write({ name: `unreachable ${peer} ${reason}`, level: 'warn', body, message: 'peer unreachable' })
    else if (state === 'refused') {
      // A name that is no member's is chosen by whoever is not authenticated.
      if (!Object.hasOwn(replica.status().links, peer)) return
      throttle.write({ name: `refused ${peer} ${code}`, level: levelOf(code), body, message: 'link refused' })
    } else {
      const line = { body: isDown ? body : { peer }, message: `link ${state}` }
      throttle.writeState({ name: `link ${peer}`, level: isDown ? 'warn' : 'info', ...line }, LINK_CHANGES_A_MINUTE)
    }
  })
  replica.on('fault', ({ code, message }) =>
    throttle.write({ name: `fault ${code}`, level: 'error', body: { code }, message }),
  )
  return throttle
}
