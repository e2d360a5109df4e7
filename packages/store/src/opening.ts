import type { ActorId, Ancestor, FeedId, Held } from '@sojourn/core'
import { ByteReader, ByteWriter, SojournError } from '@sojourn/core'
import { decodeMeta, encodeMeta } from './keyspace.js'

/** The version of everything in the keyspace. */
const FORMAT = 1

/** Openings that a store remembers; a peer that has been away for more of them is served the whole feed. */
const MAX_ANCESTORS = 32

/** What a store knows of itself, written about once a second and at each opening and closing. */
export interface StoreState {
  /** The present opening: the id of its feed, and the actor of its changes. */
  readonly actor: ActorId
  /** The last sequence that may have been given out. */
  readonly head: number
  /** Earlier openings, the latest first. */
  readonly lineage: readonly Ancestor[]
  /** What the store holds of other feeds. Never ahead of the records. */
  readonly vector: readonly Held[]
  /** Sessions due by then were reported as expired, milliseconds since the epoch. */
  readonly expiredThrough: number
}

export const encodeState = (state: StoreState): Uint8Array => {
  const out = new ByteWriter().uint(FORMAT).hex(state.actor).uint(state.head).uint(state.expiredThrough)
  for (const held of [state.lineage, state.vector]) {
    out.uint(held.length)
    for (const { feed, through } of held) out.hex(feed).uint(through)
  }
  return encodeMeta(out.finish())
}

/** @throws STORE_CORRUPT, STORE_FORMAT */
export const decodeState = (row: Uint8Array): StoreState => {
  const from = new ByteReader(decodeMeta(row), 'STORE_CORRUPT')
  const format = from.uint()
  if (format !== FORMAT)
    throw new SojournError('STORE_FORMAT', `the directory has format ${format}; this version reads format ${FORMAT}`)
  const state = { actor: from.hex(16), head: from.uint(), expiredThrough: from.uint() }
  const held = () => {
    const out: Held[] = []
    for (let count = from.uint(from.left); count > 0; count--) out.push({ feed: from.hex(16), through: from.uint() })
    return out
  }
  return { ...state, lineage: held(), vector: held() }
}

/** The state of the next opening of a store, whose feed is found on the disk through `lastSequence`. */
export const nextOpening = (previous: StoreState | undefined, lastSequence: number, actor: FeedId): StoreState => {
  if (previous === undefined) return { actor, head: lastSequence, lineage: [], vector: [], expiredThrough: 0 }
  const head = Math.max(previous.head, lastSequence)
  const lineage = [{ feed: previous.actor, through: head }, ...previous.lineage].slice(0, MAX_ANCESTORS)
  return { ...previous, actor, head, lineage }
}
