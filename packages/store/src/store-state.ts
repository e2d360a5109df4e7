/** What a store knows of itself beside its records: who writes its feed, what came before, and what it holds of other feeds. */
import type { ActorId, Ancestor, FeedId, Held } from '@sojourn/core/internal'
import { ByteReader, ByteWriter, SojournError } from '@sojourn/core/internal'
import { STATE_KEY, seal, unseal } from './record-row.js'

/**
 * The version of everything that a store writes: rows and journal. Format 1 was that of 0.1.0, which was never published; what format 3 wrote is
 * read, for it had no subjects, and so neither flags nor places for them.
 */
export const STORE_FORMAT = 4
const OLDEST_FORMAT = 3

/** @throws STORE_FORMAT for what this version does not read @param what is said to have the format */
export const checkFormat = (format: number, what: string): void => {
  if (format >= OLDEST_FORMAT && format <= STORE_FORMAT) return
  const read = `${OLDEST_FORMAT} to ${STORE_FORMAT}`
  throw new SojournError('STORE_FORMAT', `${what} has format ${format}, and this version reads formats ${read}`)
}

/** Incarnations that a store remembers; a peer that has been away for more of them is served the whole feed. */
const MAX_ANCESTORS = 32

/** The present incarnation of a store, and those before it. */
export interface Incarnation {
  /** The id of its feed, and the actor of its stamps. */
  readonly actor: ActorId
  /** Earlier incarnations, the latest first. */
  readonly lineage: readonly Ancestor[]
}

/** How far a store is in what comes from outside. Never ahead of its records. */
export interface Progress {
  /** What the store holds of other feeds. */
  readonly vector: readonly Held[]
  /** Sessions that expired by then were reported, milliseconds since the epoch. */
  readonly expiredThrough: number
}

/** What a checkpoint notes: the rows hold all that the journal says through an entry. */
export interface StoreState extends Incarnation, Progress {
  /** The last sequence that was given out. */
  readonly head: number
  /** The journal is needed after this entry only. */
  readonly checkpoint: number
  /** Rows of a copy of the index that is up to date with {@link checkpoint}; 0: there is none. */
  readonly indexRows: number
  /** Whether the copy has the slots of the present format. */
  readonly isIndexCurrent: boolean
}

const writeHeld = (out: ByteWriter, list: readonly Held[]): void => {
  out.uint(list.length)
  for (const { feed, through } of list) out.hex(feed).uint(through)
}

const readHeld = (from: ByteReader): Held[] => {
  const out: Held[] = []
  for (let count = from.uint(from.left); count > 0; count--) out.push({ feed: from.hex(16), through: from.uint() })
  return out
}

export const writeIncarnation = (out: ByteWriter, { actor, lineage }: Incarnation): void =>
  writeHeld(out.hex(actor), lineage)
export const readIncarnation = (from: ByteReader): Incarnation => ({ actor: from.hex(16), lineage: readHeld(from) })

export const writeProgress = (out: ByteWriter, { vector, expiredThrough }: Progress): void =>
  writeHeld(out.uint(expiredThrough), vector)
export const readProgress = (from: ByteReader): Progress => ({ expiredThrough: from.uint(), vector: readHeld(from) })

/** The value of the state's row. */
export const encodeState = (state: StoreState): Uint8Array => {
  const out = new ByteWriter().uint(STORE_FORMAT).uint(state.head).uint(state.checkpoint).uint(state.indexRows)
  writeIncarnation(out, state)
  writeProgress(out, state)
  return seal(STATE_KEY, out.finish())
}

/** @throws STORE_CORRUPT, STORE_FORMAT */
export const decodeState = (row: Uint8Array): StoreState => {
  const body = unseal(STATE_KEY, row)
  if (body === undefined) throw new SojournError('STORE_CORRUPT', 'the state of the store fails its checksum')
  const from = new ByteReader(body, 'STORE_CORRUPT')
  const format = from.uint()
  checkFormat(format, 'the directory')
  const counted = { head: from.uint(), checkpoint: from.uint(), indexRows: from.uint() }
  return { ...counted, isIndexCurrent: format === STORE_FORMAT, ...readIncarnation(from), ...readProgress(from) }
}

/** The incarnation after another, whose feed goes on after `head`. */
export const nextIncarnation = (previous: Incarnation | undefined, head: number, actor: FeedId): Incarnation => ({
  actor,
  lineage: previous ? [{ feed: previous.actor, through: head }, ...previous.lineage].slice(0, MAX_ANCESTORS) : [],
})
