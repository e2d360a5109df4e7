/** Stamps of a hybrid logical clock, by which leases and ends are ordered. */
import type { ActorId } from './document/op.js'

/**
 * A hybrid logical clock stamp (Kulkarni et al., "Logical Physical Clocks", 2014), kept for each record: it follows
 * the wall clock, and is always later than the stamp that it replaces, whatever the wall clock does.
 */
export interface Stamp {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Orders stamps of one millisecond. */
  readonly count: number
  /** Who stamped; makes the order total. */
  readonly actor: ActorId
}

export const compareStamps = (a: Stamp, b: Stamp): number =>
  a.time - b.time || a.count - b.count || (a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : 0)

/** For naming a state. */
export const stampText = ({ time, count, actor }: Stamp): string => `${time}.${count}.${actor}`

/** No stamp has a higher count. */
export const MAX_STAMP_COUNT = 2 ** 31

/** The stamp of an event at wall-clock time `now` that knows of `previous`. */
export const nextStamp = (previous: Stamp | undefined, now: number, actor: ActorId): Stamp => {
  if (previous === undefined || now > previous.time) return { time: now, count: 0, actor }
  const { time, count } = previous
  return count < MAX_STAMP_COUNT ? { time, count: count + 1, actor } : { time: time + 1, count: 0, actor }
}
