/** What the log says of a replica's links, and of what it lives with. */
import type { Clock } from '@sojourn/core'
import type { Replica } from '@sojourn/replica'
import type { Logger } from './log.js'

/** What happens again and again is told once in this time: a peer that is refused dials on, a disk that is full refuses every write. */
const QUIET_MS = 60_000

/** Two processes that run as one region do not get over it by themselves. */
const levelOf = (code: string | undefined): 'warn' | 'error' => (code === 'LINK_REGION_TAKEN' ? 'error' : 'warn')

/** Logs what becomes of the links, and what the replica lives with. Strangers are counted, not logged: they would fill the disk. */
export const logReplica = (replica: Replica, log: Logger, clock: Clock): void => {
  const told = new Map<string, { readonly at: number; untold: number }>()
  /** How many of these were kept back since the last one that was told; undefined: keep back this one, too. */
  const untold = (name: string): number | undefined => {
    const last = told.get(name)
    const now = clock.monotonic()
    if (last && now - last.at < QUIET_MS) {
      last.untold++
      return undefined
    }
    told.set(name, { at: now, untold: 0 })
    return last?.untold ?? 0
  }
  /** Names come from the regions that are members, and from the table of codes, so there are not many. */
  const tell = (level: 'warn' | 'error', name: string, body: object, message: string): void => {
    const more = untold(name)
    if (more !== undefined) log[level]({ ...body, ...(more > 0 && { untold: more }) }, message)
  }
  replica.on('link', ({ region: peer, state, code, reason, why }) => {
    if (state === 'down') log.warn({ peer, code, reason, why }, 'link down')
    else if (state === 'unreachable') tell('warn', `${peer} ${reason}`, { peer, code, reason, why }, 'peer unreachable')
    else if (state !== 'refused') log.info({ peer }, `link ${state}`)
    else if (Object.hasOwn(replica.status().links, peer))
      tell(levelOf(code), `${peer} ${code}`, { peer, code, reason, why }, 'link refused')
  })
  replica.on('fault', ({ code, message }) => tell('error', code, { code }, message))
}
