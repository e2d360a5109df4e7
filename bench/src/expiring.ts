/** What it costs to let sessions expire, and to remove what is left of them. */
import type { Replica } from '@sojourn/replica'
import { cpuMs, LoopWatch } from './load.js'
import { sessionData } from './session-data.js'
import { until } from './standing.js'
import { forEachOf } from './subject.js'

export interface Expiry {
  readonly count: number
  /** CPU time of the process from when the last was made until the last was gone. */
  readonly cpuMs: number
  /** From when the first could be purged until the last was. */
  readonly ms: number
  readonly peakMs: number
}

const CONCURRENCY = 256
/** Seldom, so that asking how many are left costs little beside what is measured. */
const STEP_MS = 50

/** @param lifeMs how long each session lives: longer than it takes to make all of them */
export const expire = async (replica: Replica, count: number, lifeMs: number, graceMs: number): Promise<Expiry> => {
  const held = () => {
    const { sessions, expired } = replica.status()
    return { all: sessions + expired, expired }
  }
  const before = held()
  const start = performance.now()
  await forEachOf(count, CONCURRENCY, (index) => replica.create(sessionData(index), { idleTimeout: lifeMs }))
  if (held().expired > before.expired) throw new Error(`${count} sessions were not made within ${lifeMs} ms`)
  const watch = new LoopWatch()
  await watch.start()
  const cpuBefore = cpuMs()
  await until(() => held().all <= before.all, 'the purge of what expired', { stepMs: STEP_MS })
  const spent = cpuMs() - cpuBefore
  return { count, cpuMs: spent, ms: performance.now() - start - lifeMs - graceMs, peakMs: await watch.stop() }
}
