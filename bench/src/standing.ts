/** Waits until a replica, or its peers, hold what they are to hold. */
import type { Replica } from '@sojourn/replica'
import { type Memory, memoryNow, mostOf } from './process-figures.js'

const PATIENCE_MS = 60_000
const STEP_MS = 2

/** Polls, since what is waited for is a figure and not an event. Resolves with the time that it took. */
export const until = async (
  isSo: () => boolean | Promise<boolean>,
  what: string,
  { stepMs = STEP_MS, patienceMs = PATIENCE_MS } = {},
): Promise<number> => {
  const start = performance.now()
  while (!(await isSo())) {
    if (performance.now() - start > patienceMs) throw new Error(`${what}: not within ${patienceMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, stepMs))
  }
  return performance.now() - start
}

/** Every peer is linked, and has acknowledged every commit of this region. */
export const settled = (replica: Replica, patienceMs?: number): Promise<number> =>
  until(
    () => {
      const links = Object.values(replica.status().links)
      return links.every(({ state, unacked }) => state === 'live' && unacked === 0)
    },
    'all peers in step',
    { patienceMs },
  )

/** The feed of a replica, and how far it goes. */
export interface Position {
  readonly feed: string
  readonly head: number
}

export const positionOf = (replica: Replica): Position => {
  const { replica: feed, head } = replica.status()
  return { feed, head }
}

/** This replica holds another's feed to where that ended. */
export const holds = (replica: Replica, { feed, head }: Position, patienceMs?: number): Promise<number> =>
  until(() => (replica.status().vector[feed] ?? 0) >= head, 'another feed', { patienceMs })

/** What a session must read as: with this `lastPath`, or, where none is given, at all. */
export interface Expected {
  readonly id: string
  readonly lastPath?: string | undefined
}

/** Every session reads as it must. One after the other: what was seen once stays so. */
export const reads = async (replica: Replica, expected: readonly Expected[]): Promise<number> => {
  let seen = 0
  return until(async () => {
    for (const { id, lastPath } of expected.slice(seen)) {
      const session = await replica.get(id)
      if (session === undefined || (lastPath !== undefined && session.data.lastPath !== lastPath)) return false
      seen++
    }
    return true
  }, 'what differed')
}

export interface CatchUp {
  /** From the call that opens the replica until it holds all that was missing. */
  readonly ms: number
  /** Of these, until the replica is open and dials. */
  readonly openMs: number
  /** The most that was seen, every few milliseconds. */
  readonly peak: Memory
}

/** Opens a region that was away, and waits until it holds another's feed to where that ended. */
export const catchUp = async (open: () => Promise<Replica>, { feed, head }: Position): Promise<CatchUp> => {
  const start = performance.now()
  const replica = await open()
  const openMs = performance.now() - start
  let peak = memoryNow(false)
  await until(() => {
    peak = mostOf(peak, memoryNow(false))
    return (replica.status().vector[feed] ?? 0) >= head
  }, 'the catch-up')
  return { ms: performance.now() - start, openMs, peak }
}
