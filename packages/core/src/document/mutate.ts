/** Edits become changes: the operations that a document's author writes, with what each overwrites. */
import { hash } from 'node:crypto'
import { SojournError } from '../errors.js'
import { shownValue } from '../wording.js'
import { encodeChange } from './change.js'
import { MAX_COUNT, shownCount } from './count.js'
import type { Edit } from './diff.js'
import type { Context, Fold } from './fold.js'
import { advanced, applyChange } from './fold.js'
import { FoldDraft } from './fold-draft.js'
import { kindOfData } from './increment.js'
import type { LiveMap, LiveOp, Register, Registers } from './live.js'
import { nameOf } from './live.js'
import type { ActorId, Change, ChangeHash, Op, OpId, Scalar } from './op.js'
import { isInteger } from './op.js'
import { MAX_COUNTER } from './operation-columns.js'
import type { Pointer } from './pointer.js'
import { keysOf } from './pointer.js'
import { MAX_AS_ONE, type Shown, scalarAt, shownAt, sumAt } from './shown.js'
import type { Content, Data, Value } from './value.js'
import { contentToValue, fromScalar, isAtomicObject, isContentMap, toScalar } from './value.js'

/** A change as it travels: its bytes, and the context by which a receiver without history can decide whether it is next. */
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
  const commit = (change: Change, registers?: Registers) => {
    const context = current.heads.filter((head) => change.deps.includes(head.hash))
    const { bytes, hash: changeHash } = encodeChange(change)
    changes.push({ bytes, context: context.map(({ actor: by, seq }) => ({ actor: by, seq })) })
    current = registers ? advanced(current, change, changeHash, registers) : applyChange(current, change, changeHash)
  }
  for (const edit of edits) {
    if (edit.kind !== 'increment') continue
    const making = makeCounter(current, edit)
    if (making) commit(making)
  }
  let maxOp = 0
  for (const seen of current.seen.values()) maxOp = Math.max(maxOp, seen.maxOp)
  const author = new Author(current.registers, actor, maxOp + 1)
  for (const edit of edits) author.write(edit)
  author.writeWholes()
  if (author.ops.length > 0) {
    if (maxOp + author.ops.length > MAX_COUNTER)
      throw new SojournError('SESSION_TOO_LARGE', `the session has been changed too often: ${MAX_COUNTER} operations`, {
        limit: MAX_COUNTER,
      })
    const seq = (current.seen.get(actor)?.seq ?? 0) + 1
    const { ops } = author
    commit({ actor, seq, startOp: maxOp + 1, deps: current.heads.map((head) => head.hash), ops }, author.finish())
  }
  return changes.length === 0 ? undefined : { fold: current, changes }
}

/** The maps that show as one object, the highest first; undefined stands for the root. */
type Objects = readonly (LiveMap | undefined)[]
const ROOT: Objects = [undefined]

type ReadRegisters = (map: LiveMap | undefined) => Registers

/** Where a field is: in which object, or inside of one that is one register. */
interface Place {
  readonly objects: Objects
  readonly key: string
  /** The rest of the way, inside of what the key holds. */
  readonly rest: readonly string[]
}

/** Undefined: there is no such object, or it is another one than the edit was made on. */
const placeOf = ({ path, within }: Edit, read: ReadRegisters): Place | undefined => {
  const segments = keysOf(path)
  let objects = ROOT
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    const shown = shownAt(objects.map(read), segment)
    if (shown === undefined) return undefined
    if (shown.maps) objects = shown.maps
    else return isAtomic(shown) ? { objects, key: segment, rest: segments.slice(index + 1) } : undefined
  }
  if (within && !objects.some((map) => map && within(map))) return undefined
  return { objects, key: segments.at(-1)!, rest: [] }
}

/**
 * Whether maps show that were made where their writers saw nothing: another one that is made so shows as one with them. Not beyond as many as can
 * show: who saves again and again without having read would leave a map each time, and the session would grow without end.
 */
const showsFresh = (shown: Shown | undefined): boolean =>
  shown?.maps?.every(({ value }) => value.isFresh) === true && shown.live.length < MAX_AS_ONE

const isAtomic = ({ top }: Shown): boolean => isAtomicObject(top.value as Scalar)

/** An object that is one register, and what is to become of it. */
interface Whole {
  readonly objects: Objects
  readonly key: string
  readonly shown: Shown
  /** With the edits so far; undefined: as it is. */
  readonly data: Data | undefined
}

/** Writes one change, operation by operation; each edit sees what those before it did. */
class Author {
  readonly ops: Op[] = []
  readonly #actor: ActorId
  readonly #draft: FoldDraft
  readonly #read: ReadRegisters
  /** The objects that are one register and have edits inside, by the place of each: a change writes a key once. */
  readonly #wholes = new Map<string, Whole>()

  constructor(registers: Registers, actor: ActorId, startOp: number) {
    this.#actor = actor
    this.#draft = new FoldDraft(registers, { actor, startOp })
    this.#read = (map) => (map ? this.#draft.registersIn(map) : this.#draft.registersOf(undefined)!)
  }

  finish(): Registers {
    return this.#draft.finish()
  }

  write(edit: Edit): void {
    const place = placeOf(edit, this.#read)
    if (place === undefined) return
    const { objects, key, rest } = place
    const shown = shownAt(objects.map(this.#read), key)
    if (rest.length > 0) this.#editWhole({ objects, key, shown: shown!, data: undefined }, rest, edit)
    else if (edit.kind === 'set' && edit.isNew && showsFresh(shown) && isContentMap(edit.value))
      this.#put(objects[0] && idOf(objects[0]), key, edit.value, NO_PREDS)
    else if (edit.kind === 'set') this.#set(objects, key, shown, edit.value)
    else if (edit.kind === 'delete') this.#delete(objects, key)
    else this.#increment(objects, key, shown, edit)
  }

  #editWhole(found: Whole, rest: readonly string[], edit: Edit): void {
    const [map] = found.objects
    const name = `${map ? nameOf(map) : ''} ${found.key}`
    const whole = this.#wholes.get(name) ?? found
    const data = whole.data ?? (fromScalar(whole.shown.top.value as Scalar) as Data)
    this.#wholes.set(name, { ...whole, data: edited(data, rest, edit) })
  }

  /** Writes the objects that are one register, each with all edits inside of it; to be called after the last edit. */
  writeWholes(): void {
    for (const { objects, key, shown, data } of this.#wholes.values())
      this.#set(objects, key, shown, toScalar(data, '', Number.POSITIVE_INFINITY))
  }

  #emit(op: Op): OpId {
    this.ops.push(op)
    return this.#draft.apply(op)
  }

  #at(map: LiveMap | undefined, key: string): Register {
    return this.#read(map).get(key) ?? []
  }

  /** Sets it in the map that holds the field, else in the highest; in the others it is deleted. */
  #set(objects: Objects, key: string, shown: Shown | undefined, content: Content): void {
    const holder = shown ? this.#holder(objects, key, shown.top) : objects[0]
    const preds = this.#at(holder, key).map(idOf)
    for (const map of objects) if (map !== holder) this.#deleteIn(map, key)
    this.#put(holder && idOf(holder), key, content, preds)
  }

  #holder(objects: Objects, key: string, top: LiveOp): LiveMap | undefined {
    return objects.find((map) => this.#at(map, key).includes(top))
  }

  #put(obj: OpId | undefined, key: string, content: Content, pred: readonly OpId[]): void {
    if (!isContentMap(content)) {
      this.#emit({ action: 'set', obj, key, value: content, pred })
      return
    }
    const made = this.#emit({ action: 'make', obj, key, pred })
    for (const [name, value] of content) this.#put(made, name, value, NO_PREDS)
  }

  #delete(objects: Objects, key: string): void {
    for (const map of objects) this.#deleteIn(map, key)
  }

  #deleteIn(map: LiveMap | undefined, key: string): void {
    const register = this.#at(map, key)
    if (register.length > 0) this.#emit({ action: 'del', obj: map && idOf(map), key, pred: register.map(idOf) })
  }

  #increment(objects: Objects, key: string, shown: Shown | undefined, { path, by }: Increment): void {
    const registers = objects.map(this.#read)
    checkCount(registers, key, shown, path, by)
    if (shown === undefined) {
      const obj = objects[0] && idOf(objects[0])
      // Nobody else has a map that is made with this change; elsewhere, a field that could not be made is a plain value.
      const isOurs = obj !== undefined && this.#draft.isNew(obj)
      const made = this.#emit({ action: 'set', obj, key, value: isOurs ? 0 : by, pred: NO_PREDS })
      if (isOurs && by !== 0) this.#emit({ action: 'inc', obj, key, value: by, pred: [made] })
      return
    }
    if (by === 0) return
    const { top } = shown
    const holder = this.#holder(objects, key, top)
    // What one actor adds to one operation is stored as one number. Where that would pass 2^53, the counter begins anew.
    if (Number.isSafeInteger((top.increments?.get(this.#actor) ?? 0) + by))
      this.#emit({ action: 'inc', obj: holder && idOf(holder), key, value: by, pred: [idOf(top)] })
    else this.#set(objects, key, shown, shownCount(sumAt(registers, key, top) + BigInt(by)))
  }
}

type Increment = Edit & { readonly kind: 'increment' }

/** @throws INVALID_DATA where what stands there cannot be incremented so */
const checkCount = (
  registers: readonly Registers[],
  key: string,
  shown: Shown | undefined,
  path: Pointer,
  by: number,
): void => {
  const value = shown === undefined ? 0 : shown.maps ? undefined : scalarAt(registers, key, shown.top)
  if (value === undefined || !isInteger(value))
    throw new SojournError(
      'INVALID_DATA',
      `${shownValue(path)} holds ${kindOfData(value === undefined ? undefined : fromScalar(value))}, so it cannot be incremented`,
      { path },
    )
  // Also of a counter whose sum is further out than it shows: what leads back from what it shows is within the bounds.
  if (!Number.isSafeInteger(value + by))
    throw new SojournError(
      'INVALID_DATA',
      `${shownValue(path)} would pass 2^53, the bound of a counter. Only steps towards 0 are allowed`,
      { path, limit: MAX_COUNT },
    )
}

/** An object that is one register, with an edit inside of it. */
const edited = (data: Data, [segment, ...rest]: readonly string[], edit: Edit): Data => {
  const copy: Record<string, Value> = { ...data }
  const old = Object.hasOwn(copy, segment!) ? copy[segment!] : undefined
  if (rest.length > 0) {
    if (typeof old === 'object' && old !== null && !Array.isArray(old)) copy[segment!] = edited(old as Data, rest, edit)
  } else if (edit.kind === 'set') copy[segment!] = contentToValue(edit.value)
  else if (edit.kind === 'delete') delete copy[segment!]
  else if (old === undefined || (isInteger(old) && isInteger(old + edit.by))) copy[segment!] = (old ?? 0) + edit.by
  else
    throw new SojournError(
      'INVALID_DATA',
      `${JSON.stringify(edit.path)} holds ${kindOfData(old)}, so it cannot be incremented`,
      { path: edit.path },
    )
  return copy
}

const NO_PREDS: readonly OpId[] = []

const idOf = ({ counter, actor }: OpId): OpId => ({ counter, actor })

/**
 * The change that makes a counter of 0 where there is nothing, in an object that others have, too. All of it follows from the object, the key
 * and how often the field was made before, so regions that do it at the same time write the very same change, and their increments add up.
 * The actor belongs to the field; each later making (after a deletion) is its next change, and builds on the last one.
 */
const makeCounter = (fold: Fold, edit: Increment): Change | undefined => {
  const read: ReadRegisters = (map) => map?.value.registers ?? fold.registers
  const place = placeOf(edit, read)
  if (place === undefined || place.rest.length > 0) return undefined
  const { objects, key } = place
  const registers = objects.map(read)
  if (shownAt(registers, key) !== undefined) return undefined
  checkCount(registers, key, undefined, edit.path, edit.by)
  const obj = objects[0] && idOf(objects[0])
  const actor = hash('sha256', `sojourn counter\0${obj ? nameOf(obj) : ''}\0${key}`, 'hex').slice(0, 32)
  const seq = (fold.seen.get(actor)?.seq ?? 0) + 1
  return seq <= MAX_MAKINGS
    ? counterChange({ actor, obj, key }, seq, counterHash({ actor, obj, key }, seq - 1))
    : undefined
}

/**
 * How often a field can be made so, in one session. It keeps a claim of a peer from costing more than some milliseconds;
 * beyond it an increment of a missing field is written as a plain value.
 */
const MAX_MAKINGS = 10_000

interface CounterField {
  readonly actor: ActorId
  readonly obj: OpId | undefined
  readonly key: string
}

const counterChange = ({ actor, obj, key }: CounterField, seq: number, previous: ChangeHash): Change => ({
  actor,
  seq,
  // Above the operation that made the map, as Automerge has it.
  startOp: (obj?.counter ?? 0) + seq,
  deps: seq === 1 ? [] : [previous],
  ops: [{ action: 'set', obj, key, value: 0, pred: [] }],
})

/** The last link computed of each field's chain of makings: a field made a thousand times costs as one made twice. */
const chains = new Map<ActorId, { readonly seq: number; readonly hash: ChangeHash }>()
const MAX_CHAINS = 1_024

const counterHash = (field: CounterField, through: number): ChangeHash => {
  if (through === 0) return ''
  const known = chains.get(field.actor)
  let seq = known && known.seq <= through ? known.seq : 0
  let last = seq > 0 ? known!.hash : ''
  while (seq < through) {
    seq++
    last = encodeChange(counterChange(field, seq, last)).hash
  }
  if (chains.size >= MAX_CHAINS) chains.clear()
  chains.set(field.actor, { seq, hash: last })
  return last
}
