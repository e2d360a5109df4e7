/** The usual change of a document, made on its bytes: each operation sets a scalar, in the place of one or where there was nothing, or adds to a counter. */
import { ByteWriter } from './bytes.js'
import { encodeChange } from './document/change.js'
import type { Edit } from './document/diff.js'
import type { Context, Head } from './document/fold.js'
import type { ChangeDelta } from './document/mutate.js'
import type { ActorId, Change, ChangeHash, OpId, Scalar } from './document/op.js'
import { isInteger } from './document/op.js'
import { MAX_COUNTER } from './document/operation-columns.js'
import { keysOf } from './document/pointer.js'
import { isContentMap } from './document/value.js'
import type { FieldSet } from './document/view.js'
import { ACTOR_BYTES, HASH_BYTES, writeScalar } from './document-codec.js'
import { DocumentCursor } from './document-cursor.js'
import {
  type Counter,
  countAfter,
  counterAt,
  findTargets,
  isAscii,
  isOnPath,
  pathOf,
  type Target,
  targetOf,
  type UsualOp,
} from './document-targets.js'

/** A document after a change, in memory that is shared: to be copied by who keeps it. What the plain way (mutate.ts, fold.ts) makes of the same one is the same, byte for byte. */
export interface Spliced {
  readonly document: Uint8Array
  readonly sets: readonly FieldSet[]
}

/** More fields than this in one change are no usual one: it would be looked for each of them at each field. */
const MAX_USUAL_OPS = 4

/** An actor of the table. */
interface ActorRow {
  readonly id: ActorId
  readonly at: number
  readonly seq: number
  readonly maxOp: number
}

/** What stands before the fields. */
interface Preamble {
  readonly cursor: DocumentCursor
  readonly actors: readonly ActorRow[]
  /** Where the first actor is, and where the last one ends. */
  readonly actorsAt: number
  readonly actorsEnd: number
  readonly heads: readonly Head[]
  readonly fieldsAt: number
}

const preambleOf = (document: Uint8Array): Preamble => {
  const cursor = new DocumentCursor(document)
  const actors: ActorRow[] = []
  const count = cursor.uint()
  const actorsAt = cursor.at
  for (let left = count; left > 0; left--) {
    const at = cursor.at
    actors.push({ id: cursor.hex(ACTOR_BYTES), at, seq: cursor.uint(), maxOp: cursor.uint() })
  }
  const actorsEnd = cursor.at
  const heads: Head[] = []
  for (let left = cursor.uint(); left > 0; left--)
    heads.push({ actor: actors[cursor.uint()]!.id, seq: cursor.uint(), hash: cursor.hex(HASH_BYTES) })
  return { cursor, actors, actorsAt, actorsEnd, heads, fieldsAt: cursor.at }
}

const maxOpOf = (actors: readonly ActorRow[]): number => {
  let maxOp = 0
  for (const actor of actors) maxOp = Math.max(maxOp, actor.maxOp)
  return maxOp
}

/** What each field shows after its operation; undefined where that is no usual one. */
const setsOf = ({ cursor }: Preamble, targets: readonly Target[], ops: readonly UsualOp[]): FieldSet[] | undefined => {
  const sets: FieldSet[] = []
  for (const [index, { found, fields, key }] of targets.entries()) {
    const { action, value } = ops[index]!
    const shown = action === 'set' ? value : countAfter(counterAt(cursor, found!), value)
    if (shown === undefined) return undefined
    sets.push({ path: [...pathOf(cursor.bytes, fields!.map), key], value: shown })
  }
  return sets
}

const NO_PREDS: readonly OpId[] = []

/**
 * Writes edits as a change, on the bytes of a document.
 * @param actorFor the actor of the change, among or beside those of the document
 * @returns undefined where the edits, or what they meet, are not usual: they are to be written by `mutate`
 */
export const spliceEdits = (
  document: Uint8Array,
  actorFor: (actors: readonly ActorId[]) => ActorId,
  edits: readonly Edit[],
): (Spliced & { readonly change: ChangeDelta }) | undefined => {
  if (edits.length === 0 || edits.length > MAX_USUAL_OPS) return undefined
  const preamble = preambleOf(document)
  const { cursor, actors, heads } = preamble
  const targets: Target[] = []
  for (const edit of edits) {
    const isUsualEdit = edit.kind === 'set' ? !isContentMap(edit.value) : edit.kind === 'increment' && edit.by !== 0
    const path = keysOf(edit.path)
    if (!isUsualEdit || !path.every(isAscii)) return undefined
    const action = edit.kind === 'set' ? 'set' : 'inc'
    targets.push(targetOf(action, path[path.length - 1]!, (map) => isOnPath(cursor.bytes, map, path)))
  }
  const startOp = maxOpOf(actors) + 1
  if (!findTargets(cursor, targets) || startOp + edits.length > MAX_COUNTER) return undefined
  const ops: UsualOp[] = []
  for (const [index, target] of targets.entries()) {
    const op = opOf(target, edits[index]!, actors)
    if (op === undefined) return undefined
    ops.push(op)
  }
  const sets = setsOf(preamble, targets, ops)
  if (sets === undefined) return undefined
  const actor = actorFor(actors.map(({ id }) => id))
  const seq = (actors.find(({ id }) => id === actor)?.seq ?? 0) + 1
  const change = { actor, seq, startOp, deps: heads.map(({ hash }) => hash), ops }
  const { bytes, hash } = encodeChange(change)
  const context = heads.map(({ actor: by, seq: last }) => ({ actor: by, seq: last }))
  return { document: splice(preamble, targets, change, hash), sets, change: { bytes, context } }
}

/** Undefined: the edit was made on another object than the one that is there. */
const opOf = ({ action, key, found, fields }: Target, edit: Edit, actors: readonly ActorRow[]): UsualOp | undefined => {
  const map = fields!.map
  const obj = map && { counter: map.counter, actor: actors[map.actor]!.id }
  if (edit.within && !(obj && edit.within(obj))) return undefined
  const pred = found ? [{ counter: found.counter, actor: actors[found.actor]!.id }] : NO_PREDS
  if (edit.kind === 'increment') return { action: 'inc', obj, key, value: edit.by, pred }
  return edit.kind === 'set' && action === 'set' ? { action, obj, key, value: edit.value as Scalar, pred } : undefined
}

/**
 * Applies a change of a peer to the bytes of a document.
 * @param change decoded, and its values found sound
 * @returns undefined where it is not usual: it is to be looked at, and applied, by what fold.ts has
 */
export const spliceChange = (
  document: Uint8Array,
  change: Change,
  hash: ChangeHash,
  context: Context,
): Spliced | undefined => {
  const { ops } = change
  if (ops.length === 0 || ops.length > MAX_USUAL_OPS) return undefined
  const preamble = preambleOf(document)
  const { cursor, actors } = preamble
  if (!isNext(preamble, change, context)) return undefined
  const targets: Target[] = []
  for (const { action, key, obj } of ops) {
    if ((action !== 'set' && action !== 'inc') || !isAscii(key)) return undefined
    const actor = obj && actors.findIndex(({ id }) => id === obj.actor)
    targets.push(targetOf(action, key, (map) => map?.counter === obj?.counter && map?.actor === actor))
  }
  if (!findTargets(cursor, targets)) return undefined
  for (const [index, { found }] of targets.entries()) {
    const { pred } = ops[index]!
    if (pred.length !== (found ? 1 : 0)) return undefined
    if (found && (pred[0]!.counter !== found.counter || pred[0]!.actor !== actors[found.actor]!.id)) return undefined
  }
  const sets = setsOf(preamble, targets, ops as readonly UsualOp[])
  return sets && { document: splice(preamble, targets, change, hash), sets }
}

/** Whether a change comes right after all that the document has seen. */
const isNext = ({ actors, heads }: Preamble, change: Change, context: Context): boolean =>
  change.seq === (actors.find(({ id }) => id === change.actor)?.seq ?? 0) + 1 &&
  change.startOp === maxOpOf(actors) + 1 &&
  change.deps.length === heads.length &&
  change.deps.every((dep, index) => dep === heads[index]!.hash) &&
  context.every((dep) => (actors.find(({ id }) => id === dep.actor)?.seq ?? 0) >= dep.seq)

const out = new ByteWriter(4096)
const patch = new ByteWriter(256)

/** Bytes that come in the place of others: from here to there in what `patch` has written. */
interface Patch {
  readonly from: number
  readonly to: number
  readonly start: number
  readonly end: number
}

/** The bytes of the document after a change that sets the targets in their order, and has seen all heads. */
const splice = (preamble: Preamble, targets: readonly Target[], change: Change, hash: ChangeHash): Uint8Array => {
  // An encoding that threw midway has left its beginning behind.
  out.clear()
  patch.clear()
  const { cursor, actors, actorsAt, actorsEnd } = preamble
  const { bytes } = cursor
  const maxOp = change.startOp + change.ops.length - 1
  const known = actors.findIndex(({ id }) => id === change.actor)
  const place = known < 0 ? actors.length : known
  out.uint(known < 0 ? actors.length + 1 : actors.length)
  out
    .copy(bytes, actorsAt, actors[place]?.at ?? actorsEnd)
    .hex(change.actor)
    .uint(change.seq)
    .uint(maxOp)
  if (known >= 0) out.copy(bytes, actors[place + 1]?.at ?? actorsEnd, actorsEnd)
  out.uint(1).uint(place).uint(change.seq).hex(hash)
  const patches = patchesOf(cursor, targets, change, place)
  let from = preamble.fieldsAt
  for (const { from: until, to, start, end } of patches) {
    out.copy(bytes, from, until).part(patch, start, end)
    from = to
  }
  return out.copy(bytes, from, bytes.length).borrow()
}

/** In the order of where they come. @param place of the author, in the table of actors */
const patchesOf = (
  cursor: DocumentCursor,
  targets: readonly Target[],
  { startOp, ops }: Change,
  place: number,
): Patch[] => {
  const patches: Patch[] = []
  for (const [index, { key, found, fields }] of targets.entries()) {
    const { action, value } = ops[index] as UsualOp
    const { countAt, firstAt, count, endAt } = fields!
    let start = patch.length
    let from = found?.opsAt ?? endAt
    if (action === 'inc') from = patchAdded(counterAt(cursor, found!), place, value)
    else {
      if (!found) {
        patch.uint(count + 1)
        patches.push({ from: countAt, to: firstAt, start, end: patch.length })
        start = patch.length
        patch.text(key).uint(1)
      }
      patch.uint(place).uint(startOp + index)
      writeScalar(patch, value)
      if (isInteger(value)) patch.uint(0)
    }
    patches.push({ from, to: found?.endAt ?? endAt, start, end: patch.length })
  }
  return patches.length < 2 ? patches : patches.sort((a, b) => a.from - b.from)
}

/** Writes the additions of a counter after another one. Returns from where on they come in the place of what was there. */
const patchAdded = ({ added, addedAt }: Counter, place: number, by: number): number => {
  added.set(place, (added.get(place) ?? 0) + by)
  patch.uint(added.size)
  for (const [actor, sum] of added) patch.uint(actor).int(sum)
  return addedAt
}
