import { hash } from 'node:crypto'
import { SojournError } from '../errors.js'
import type { EncodedChange } from './change.js'
import { encodeChange } from './change.js'
import type { Edit } from './diff.js'
import type { Context, Fold } from './fold.js'
import { applyChange, counterSum, liveValue, winner } from './fold.js'
import { kindOfData, MAX_COUNT, shownCount } from './increment.js'
import type { ActorId, Change, ChangeHash, Op, OpId } from './op.js'
import { isInteger } from './op.js'
import type { Pointer } from './pointer.js'
import { parentOf } from './pointer.js'
import { fromScalar, isObjectMarker, OBJECT_MARKER } from './value.js'
import { hasFieldsBelow } from './view.js'

/** A change as it travels: its bytes, and the context by which a receiver without history can tell whether it is next. */
export interface ChangeDelta {
  readonly bytes: Uint8Array
  readonly context: Context
}

export interface Mutation {
  readonly fold: Fold
  readonly changes: readonly ChangeDelta[]
}

/**
 * Writes edits as changes of `actor`. Usually one; an increment of a field that is not there is preceded by the change
 * that makes the field (see {@link makeCounter}).
 * @returns undefined where the edits change nothing
 * @throws INVALID_DATA where an increment meets something that is no integer
 */
export const mutate = (fold: Fold, actor: ActorId, edits: readonly Edit[]): Mutation | undefined => {
  let current = fold
  const changes: ChangeDelta[] = []
  const commit = (change: Change) => {
    const context = current.heads.filter((head) => change.deps.includes(head.hash))
    const encoded: EncodedChange = encodeChange(change)
    changes.push({ bytes: encoded.bytes, context: context.map(({ actor: by, seq }) => ({ actor: by, seq })) })
    current = applyChange(current, change, encoded.hash)
  }
  for (const edit of edits) {
    if (edit.kind !== 'increment' || !needsMaking(fold, edit)) continue
    const making = makeCounter(current, edit.path)
    if (making) commit(making)
  }
  const ops = withParents(current, edits).flatMap((edit) => toOp(current, actor, edit) ?? [])
  if (ops.length > 0) {
    let maxOp = 0
    for (const seen of current.seen.values()) maxOp = Math.max(maxOp, seen.maxOp)
    const seq = (current.seen.get(actor)?.seq ?? 0) + 1
    commit({ actor, seq, startOp: maxOp + 1, deps: current.heads.map((head) => head.hash), ops })
  }
  return changes.length === 0 ? undefined : { fold: current, changes }
}

/** Whether the field of an increment must be made first. @throws INVALID_DATA where it cannot be incremented so */
const needsMaking = (fold: Fold, { path, by }: Edit & { kind: 'increment' }): boolean => {
  const register = fold.registers.get(path)
  const live = register === undefined ? undefined : winner(register)
  const value = hasFieldsBelow(fold.registers, path) ? OBJECT_MARKER : live === undefined ? 0 : liveValue(live)
  if (!isInteger(value))
    throw new SojournError(
      'INVALID_DATA',
      `${JSON.stringify(path)} holds ${kindOfData(fromScalar(value))}, so it cannot be incremented`,
      { path },
    )
  // Also of a counter whose sum is further out than it shows: what leads back from what it shows is within the bounds.
  if (!Number.isSafeInteger(value + by))
    throw new SojournError(
      'INVALID_DATA',
      `${JSON.stringify(path)} would pass 2^53, which is as far as a counter goes; what leads back towards 0 is taken`,
      { path, limit: MAX_COUNT },
    )
  return live === undefined
}

/**
 * The change that makes a counter of 0 where there is nothing. All of it follows from the pointer and from how often the
 * field was made before, so regions that do it at the same time write the very same change, and their increments add up.
 * The actor belongs to the pointer; each later making (after a deletion) is its next change, and builds on the last one.
 */
const makeCounter = (fold: Fold, path: Pointer): Change | undefined => {
  const actor = hash('sha256', `sojourn counter\0${path}`, 'hex').slice(0, 32)
  const seq = (fold.seen.get(actor)?.seq ?? 0) + 1
  return seq <= MAX_MAKINGS ? counterChange(actor, path, seq, counterHash(actor, path, seq - 1)) : undefined
}

/**
 * How often a field can be made so, in one session. It keeps a claim of a peer from costing more than some milliseconds;
 * beyond it an increment of a missing field is written as a plain value.
 */
const MAX_MAKINGS = 10_000

const counterChange = (actor: ActorId, path: Pointer, seq: number, previous: ChangeHash): Change => ({
  actor,
  seq,
  startOp: seq,
  deps: seq === 1 ? [] : [previous],
  ops: [{ action: 'set', key: path, value: 0, pred: [] }],
})

/** The last link computed of each pointer's chain of makings: a field made a thousand times costs as one made twice. */
const chains = new Map<Pointer, { readonly seq: number; readonly hash: ChangeHash }>()
const MAX_CHAINS = 1_024

const counterHash = (actor: ActorId, path: Pointer, through: number): ChangeHash => {
  if (through === 0) return ''
  const known = chains.get(path)
  let seq = known && known.seq <= through ? known.seq : 0
  let last = seq > 0 ? known!.hash : ''
  while (seq < through) {
    seq++
    last = encodeChange(counterChange(actor, path, seq, last)).hash
  }
  if (chains.size >= MAX_CHAINS) chains.clear()
  chains.set(path, { seq, hash: last })
  return last
}

/**
 * Adds the markers of the objects that edits write into, where another region's deletion or scalar took them: what was
 * written below an object keeps it an object, also when the field goes again.
 */
const withParents = (fold: Fold, edits: readonly Edit[]): readonly Edit[] => {
  const byPath = new Map<Pointer, Edit>(edits.map((edit) => [edit.path, edit]))
  const count = byPath.size
  for (const edit of edits) {
    for (let path = parentOf(edit.path); path !== ''; path = parentOf(path)) {
      if (byPath.has(path)) continue
      const register = fold.registers.get(path)
      if (register !== undefined && isObjectMarker(liveValue(winner(register)))) continue
      // A deletion keeps an object that shows; it makes none, neither of nothing nor of a scalar that came meanwhile.
      if (edit.kind === 'delete' && !hasFieldsBelow(fold.registers, path)) continue
      byPath.set(path, { kind: 'set', path, value: OBJECT_MARKER })
    }
  }
  return byPath.size === count && count === edits.length ? edits : [...byPath.values()]
}

const toOp = (fold: Fold, actor: ActorId, edit: Edit): Op | undefined => {
  const register = fold.registers.get(edit.path) ?? []
  switch (edit.kind) {
    case 'set':
      return { action: 'set', key: edit.path, value: edit.value, pred: register.map(idOf) }
    case 'delete':
      return register.length === 0 ? undefined : { action: 'del', key: edit.path, pred: register.map(idOf) }
    case 'increment': {
      if (register.length === 0) return { action: 'set', key: edit.path, value: edit.by, pred: [] }
      if (edit.by === 0) return undefined
      const live = winner(register)
      // What one actor adds to one operation is stored as one number. Where that would pass 2^53, the counter begins anew.
      if (Number.isSafeInteger((live.increments?.get(actor) ?? 0) + edit.by))
        return { action: 'inc', key: edit.path, value: edit.by, pred: [idOf(live)] }
      const value = shownCount(counterSum(live) + BigInt(edit.by))
      return { action: 'set', key: edit.path, value, pred: register.map(idOf) }
    }
  }
}

const idOf = ({ counter, actor }: OpId): OpId => ({ counter, actor })
