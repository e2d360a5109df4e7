import type { Replica } from '@sojourn/replica'
import { type Memory, memoryNow, mostOf } from './process-figures.js'

const PATIENCE_MS = 60_000
const STEP_MS = 2

const pause = () => new Promise((resolve) => setTimeout(resolve, STEP_MS))

/** Polls, since what is waited for is a figure and not an event. Resolves with the time that it took. */
const until = async (isSo: () => boolean, what: string): Promise<number> => {
  const start = performance.now()
  while (!isSo()) {
    if (performance.now() - start > PATIENCE_MS) throw new Error(`${what}: not within ${PATIENCE_MS} ms`)
    await pause()
  }
  return performance.now() - start
}

/** Every peer is linked, and has acknowledged every commit of this region. */
export const settled = (replica: Replica): Promise<number> =>
  until(() => {
    const links = Object.values(replica.status().links)
    return links.every(({ state, behind }) => state === 'live' && behind === 0)
  }, 'all peers in step')

/** The feed of a replica, and how far it goes. */
export interface Position {
  readonly feed: string
  readonly head: number
}

export const positionOf = (replica: Replica): Position => {
  const { replica: feed, head } = replica.status()
  return { feed, head }
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
