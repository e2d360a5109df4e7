/** The names of measures that have a target: who measures and who judges must call them the same. */
import type { Plan } from './plan.js'

type Sizes = Pick<Plan, 'sessions' | 'many' | 'differing'>

/** By the numbers of sessions that were measured. */
export const namesOf = ({ sessions, many, differing }: Sizes) => {
  const reconciling = `reconciling ${many} sessions, ${differing} differ`
  return {
    idleLag: 'lag, idle, p50',
    halfLag: 'lag, at half speed, p99',
    writerCpu: 'CPU of one update, writer',
    receiverCpu: 'CPU of one update, receiver',
    withoutView: 'memory per session, all cached, data not read',
    withView: 'memory per session, all cached, data read',
    catchUp: `catch-up of ${sessions} changed sessions`,
    disk: 'disk, bytes written per update',
    index: 'index in memory, bytes per session',
    openedClean: `opening ${many} sessions after a clean close`,
    openedKilled: `opening ${many} sessions after a kill`,
    cleanMemory: 'resident memory then, after a clean close',
    killedMemory: 'resident memory then, after a kill',
    remembered: (concurrency: number) => `tokens verified, remembered, c=${concurrency}`,
    reconciling,
    comparing: `${reconciling}: comparing`,
  } as const
}
