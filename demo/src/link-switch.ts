import type { Replica } from '@sojourn/replica'
import { Router } from 'express'
import { say } from './say.js'

/** How long a healed region waits for its links before it answers all the same. */
const HEAL_MS = 2_000

/** Cuts a region off and heals it again, to show what happens. Nothing for the real world: whoever reaches the port may. */
export const linkSwitch = (replica: Replica): Router => {
  const { region } = replica
  const router = Router()
  router.post('/cut', (_req, res) => {
    replica.isolate()
    say(res, { region, links: 'cut' })
  })
  router.post('/heal', async (_req, res) => {
    replica.rejoin()
    say(res, { region, links: (await linked(replica)) ? 'healed' : 'waiting for the others' })
  })
  router.get('/status', (_req, res) => say(res, replica.status()))
  return router
}

export const isLinked = (replica: Replica): boolean =>
  Object.values(replica.status().links).every(({ state }) => state === 'live')

/** Resolves once every link is live: true; or when it took too long: false. */
const linked = (replica: Replica): Promise<boolean> =>
  new Promise((resolve) => {
    const settle = (isUp: boolean) => {
      replica.off('link', look)
      clearTimeout(timer)
      resolve(isUp)
    }
    const look = ({ state }: { state: string }) => {
      if (state === 'live' && isLinked(replica)) settle(true)
    }
    const timer = setTimeout(() => settle(false), HEAL_MS)
    replica.on('link', look)
    // It may not have been cut at all.
    if (isLinked(replica)) settle(true)
  })
