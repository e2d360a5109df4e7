import type { Clock } from '@sojourn/core'
import type { Replica } from '@sojourn/replica'
import type { Logger } from './log.js'

/** What happens again and again is told once in this time: a peer that is refused dials on, a disk that is full refuses every write. */
const QUIET_MS = 60_000

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
  replica.on('link', ({ region: peer, state, code, why }) => {
    if (state === 'down') log.warn({ peer, code, why }, 'link down')
    else if (state !== 'refused') log.info({ peer }, `link ${state}`)
    else if (Object.hasOwn(replica.status().links, peer))
      tell('warn', `${peer} ${code}`, { peer, code, why }, 'link refused')
  })
  replica.on('fault', ({ code, message }) => tell('error', code, { code }, message))
}
