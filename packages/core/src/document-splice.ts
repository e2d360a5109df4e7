/** The usual change of a document, made on its bytes: each operation sets one scalar, in the place of one or where there was nothing. */
import { ByteWriter } from './bytes.js'
import { encodeChange } from './document/change.js'
import type { Edit } from './document/diff.js'
import type { Context, Head } from './document/fold.js'
import type { ChangeDelta } from './document/mutate.js'
import type { ActorId, Change, ChangeHash, Op, OpId, Scalar } from './document/op.js'
import { isInteger } from './document/op.js'
import { keysOf } from './document/pointer.js'
import { isContentMap } from './document/value.js'
import type { FieldSet } from './document/view.js'
import { ACTOR_BYTES, HASH_BYTES, SCALAR, writeScalar } from './document-codec.js'
import {
  DocumentCursor,
  type FieldPlace,
  type FieldsPlace,
  type FieldVisitor,
  type MapPlace,
} from './document-cursor.js'

/** A document after a change, in memory that is shared: to be copied by who keeps it. What the plain way (mutate.ts, fold.ts) makes of the same one is the same, byte for byte. */
export interface Spliced {
  readonly document: Uint8Array
  readonly sets: readonly FieldSet[]
}

/** More fields than this in one change are no usual one: it would be looked for each of them at each field. */
const MAX_SETS = 4

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

/** A field that is to be set, and where it is: `found` where it has a value, `fields` where it has none. */
interface Target {
  readonly key: string
  /** Which map it is in. */
  readonly isIn: (map: MapPlace | undefined) => boolean
  found: FieldPlace | undefined
  fields: FieldsPlace | undefined
}

const targetOf = (key: string, isIn: Target['isIn']): Target => ({ key, isIn, found: undefined, fields: undefined })

/** Finds the fields of targets, in one go through the document. */
class Finder implements FieldVisitor {
  readonly #bytes: Buffer
  readonly #targets: readonly Target[]

  constructor(bytes: Buffer, targets: readonly Target[]) {
    this.#bytes = bytes
    this.#targets = targets
  }

  wants(keyAt: number, keyLength: number, map: MapPlace | undefined): boolean {
    for (const { key, isIn } of this.#targets) if (isKey(this.#bytes, keyAt, keyLength, key) && isIn(map)) return true
    return false
  }

  field(place: FieldPlace, map: MapPlace | undefined): void {
    for (const target of this.#targets)
      if (isKey(this.#bytes, place.keyAt, place.keyLength, target.key) && target.isIn(map)) target.found = place
  }

  fields(place: FieldsPlace): void {
    for (const target of this.#targets) if (target.isIn(place.map)) target.fields = place
  }
}

/** Whether a key is this one, which is ASCII. */
const isKey = (bytes: Buffer, keyAt: number, keyLength: number, key: string): boolean => {
  if (keyLength !== key.length) return false
  for (let index = 0; index < keyLength; index++) if (bytes[keyAt + index] !== key.charCodeAt(index)) return false
  return true
}

const isAscii = (text: string): boolean => {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return false
  return true
}

/** Whether a field is one that can be set here: there is at most one value, no map, and setting it leaves no trace in a making. */
const isUsual = (target: Target, actors: readonly ActorRow[]): boolean => {
  const { found, fields } = target
  if (fields === undefined) return false
  const { map } = fields
  if (map && !map.isAlone) return false
  if (found === undefined) return true
  if (found.count !== 1 || found.type === SCALAR.map) return false
  const isOfMaking = map && map.actor === found.actor && found.counter > map.counter && found.counter <= map.end
  return !isOfMaking && actors[found.actor] !== undefined
}

/** With at most one new field, so that fields are counted once. */
const areUsual = (targets: readonly Target[], actors: readonly ActorRow[]): boolean =>
  targets.every((target) => isUsual(target, actors)) &&
  (targets.length === 1 || (targets.filter(({ found }) => !found).length <= 1 && areDistinct(targets)))

/** Whether each is another field: a sound change sets a key once. */
const areDistinct = (targets: readonly Target[]): boolean =>
  targets.every(({ key, fields }, index) =>
    targets.every((other, at) => at >= index || other.key !== key || other.fields !== fields),
  )

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
  if (edits.length === 0 || edits.length > MAX_SETS) return undefined
  const preamble = preambleOf(document)
  const { cursor, actors, heads } = preamble
  const targets: Target[] = []
  const paths: string[][] = []
  for (const edit of edits) {
    if (edit.kind !== 'set' || isContentMap(edit.value)) return undefined
    const path = keysOf(edit.path)
    if (!path.every(isAscii)) return undefined
    paths.push(path)
    targets.push(targetOf(path[path.length - 1]!, (map) => isOnPath(cursor.bytes, map, path)))
  }
  cursor.visit(new Finder(cursor.bytes, targets))
  if (!areUsual(targets, actors)) return undefined
  const ops: (Op & { action: 'set' })[] = []
  for (const [index, { found, fields, key }] of targets.entries()) {
    const { value, within } = edits[index] as Edit & { kind: 'set'; value: Scalar }
    const map = fields!.map
    const obj = map && { counter: map.counter, actor: actors[map.actor]!.id }
    if (within && !(obj && within(obj))) return undefined
    const pred = found ? [{ counter: found.counter, actor: actors[found.actor]!.id }] : NO_PREDS
    ops.push({ action: 'set', obj, key, value, pred })
  }
  const actor = actorFor(actors.map(({ id }) => id))
  const seq = (actors.find(({ id }) => id === actor)?.seq ?? 0) + 1
  const change: Change = { actor, seq, startOp: maxOpOf(actors) + 1, deps: heads.map(({ hash }) => hash), ops }
  const { bytes, hash } = encodeChange(change)
  return {
    document: splice(preamble, targets, change, hash),
    sets: ops.map(({ value }, index) => ({ path: paths[index]!, value })),
    change: { bytes, context: heads.map(({ actor: by, seq: last }) => ({ actor: by, seq: last })) },
  }
}

/** Whether a map is the one that a field of this path is in. */
const isOnPath = (bytes: Buffer, map: MapPlace | undefined, path: readonly string[]): boolean => {
  if ((map?.depth ?? 0) !== path.length - 1) return false
  for (let at = map; at; at = at.parent) if (!isKey(bytes, at.keyAt, at.keyLength, path[at.depth - 1]!)) return false
  return true
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
  if (ops.length === 0 || ops.length > MAX_SETS) return undefined
  const preamble = preambleOf(document)
  const { cursor, actors } = preamble
  if (!isNext(preamble, change, context)) return undefined
  const targets: Target[] = []
  for (const { action, key, obj } of ops) {
    if (action !== 'set' || !isAscii(key)) return undefined
    const actor = obj && actors.findIndex(({ id }) => id === obj.actor)
    targets.push(targetOf(key, (map) => map?.counter === obj?.counter && map?.actor === actor))
  }
  cursor.visit(new Finder(cursor.bytes, targets))
  if (!areUsual(targets, actors)) return undefined
  for (const [index, { found }] of targets.entries()) {
    const { pred } = ops[index]!
    if (pred.length !== (found ? 1 : 0)) return undefined
    if (found && (pred[0]!.counter !== found.counter || pred[0]!.actor !== actors[found.actor]!.id)) return undefined
  }
  const sets = targets.map(({ fields, key }, index) => ({
    path: [...pathOf(cursor.bytes, fields!.map), key],
    value: (ops[index] as Op & { action: 'set' }).value,
  }))
  return { document: splice(preamble, targets, change, hash), sets }
}

/** Whether a change comes right after all that the document has seen. */
const isNext = ({ actors, heads }: Preamble, change: Change, context: Context): boolean =>
  change.seq === (actors.find(({ id }) => id === change.actor)?.seq ?? 0) + 1 &&
  change.startOp === maxOpOf(actors) + 1 &&
  change.deps.length === heads.length &&
  change.deps.every((dep, index) => dep === heads[index]!.hash) &&
  context.every((dep) => (actors.find(({ id }) => id === dep.actor)?.seq ?? 0) >= dep.seq)

const pathOf = (bytes: Buffer, map: MapPlace | undefined): string[] => {
  const path: string[] = []
  for (let at = map; at; at = at.parent) path.unshift(bytes.toString('utf8', at.keyAt, at.keyAt + at.keyLength))
  return path
}

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
  if (out.length > 0) out.borrow()
  if (patch.length > 0) patch.borrow()
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
  const patches = patchesOf(targets, change, place)
  const inserted = patch.borrow()
  let from = preamble.fieldsAt
  for (const { from: until, to, start, end } of patches) {
    out.copy(bytes, from, until).copy(inserted, start, end)
    from = to
  }
  return out.copy(bytes, from, bytes.length).borrow()
}

/** In the order of where they come. */
const patchesOf = (targets: readonly Target[], { startOp, ops }: Change, place: number): Patch[] => {
  const patches: Patch[] = []
  for (const [index, { key, found, fields }] of targets.entries()) {
    const { value } = ops[index] as Op & { action: 'set' }
    const { countAt, firstAt, count, endAt } = fields!
    let start = patch.length
    if (!found) {
      patch.uint(count + 1)
      patches.push({ from: countAt, to: firstAt, start, end: patch.length })
      start = patch.length
      patch.text(key).uint(1)
    }
    patch.uint(place).uint(startOp + index)
    writeScalar(patch, value)
    if (isInteger(value)) patch.uint(0)
    patches.push({ from: found?.opsAt ?? endAt, to: found?.endAt ?? endAt, start, end: patch.length })
  }
  return patches.length < 2 ? patches : patches.sort((a, b) => a.from - b.from)
}
