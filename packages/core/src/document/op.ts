/**
 * The words of a change, in the field's terms (Automerge's change format, https://automerge.org/automerge-binary-format-spec/),
 * restricted to the subset that a session uses: maps in maps, and scalar values; no sequences, no tables.
 */

/** 16 random bytes as 32 hex digits: one writer, from one incarnation of one store. */
export type ActorId = string

/** SHA-256 of a change chunk from its type byte on, as 64 hex digits. */
export type ChangeHash = string

/** The Lamport identity of an operation. Order: by counter, then by actor. */
export interface OpId {
  readonly counter: number
  readonly actor: ActorId
}

/**
 * A value that a register can hold, and the Automerge datatype that it travels as:
 * `null`, `boolean`; `string` (str); a safe integer other than -0 (counter, so that anyone can increment it); any other
 * finite number (f64); `Date` (timestamp, milliseconds); `Uint8Array` (bytes; the first byte is a tag, see value.ts).
 */
export type Scalar = null | boolean | string | number | Date | Uint8Array

/** What all operations have: where they stand, and what they overwrite. */
interface Placed {
  /** The map: the operation that made it; undefined: the root. */
  readonly obj: OpId | undefined
  readonly key: string
  readonly pred: readonly OpId[]
}

export type Op =
  | ({ readonly action: 'make' } & Placed)
  | ({ readonly action: 'set'; readonly value: Scalar } & Placed)
  | ({ readonly action: 'del' } & Placed)
  | ({ readonly action: 'inc'; readonly value: number } & Placed)

/** One change: the operations `startOp@actor`, `startOp+1@actor`, … in order. */
export interface Change {
  readonly actor: ActorId
  /** 1 for the actor's first change of this document, then one more each. */
  readonly seq: number
  readonly startOp: number
  /** The heads that the change builds on, sorted. */
  readonly deps: readonly ChangeHash[]
  readonly ops: readonly Op[]
}

/** Whether a number travels as a counter (see {@link Scalar}). */
export const isInteger = (value: unknown): value is number => Number.isSafeInteger(value) && !Object.is(value, -0)

/** Automerge's order of operation ids: counter first, then actor. */
export const compareOpIds = (a: OpId, b: OpId): number =>
  a.counter - b.counter || (a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : 0)

export interface ChangeLimits {
  /** Bytes of one encoded change. */
  readonly maxChangeBytes: number
  /** Operations in one change. */
  readonly maxOps: number
  /** Predecessors in one change, over all its operations. */
  readonly maxPreds: number
  /** Changes that one change may build on. */
  readonly maxDeps: number
  /** Bytes of one key. */
  readonly maxKeyBytes: number
}
