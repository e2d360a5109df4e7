/** The bytes of a document's fold, as a record has them (SPEC, "Record format"): actors stand once, in a table, and are named by their place in it. */
import { ByteReader, type ByteWriter } from './bytes.js'
import { type Fold, type Head, MAX_MAP_DEPTH, type Seen } from './document/fold.js'
import type { LiveOp, Lost, LostMap, Register, Registers } from './document/live.js'
import { isMap, LOST_DIGITS, liveOp, MapNode, nameOf } from './document/live.js'
import type { ActorId, Scalar } from './document/op.js'
import { compareOpIds, isInteger } from './document/op.js'
import { MAX_COUNTER } from './document/operation-columns.js'
import { internSegment, segmentFault } from './document/pointer.js'
import { scalarFault } from './document/value.js'

/** The kinds of values. An integer is followed by what each actor has added to it. */
export const SCALAR = { null: 0, false: 1, true: 2, text: 3, integer: 4, float: 5, date: 6, bytes: 7, map: 8 } as const
export const ACTOR_BYTES = 16
export const HASH_BYTES = 32
export const LOST_BYTES = LOST_DIGITS / 2

/** Of changes and operations. What makes a document refuses more, so that each one can be read back. */
const MAX_COUNT = MAX_COUNTER

export interface DocumentLimits {
  readonly maxKeyBytes: number
}

/** A document from bytes of a record that was sound. */
export const decodeDocument = (bytes: Uint8Array): Fold =>
  readDocument(new ByteReader(bytes, 'RECORD_INVALID'), { maxKeyBytes: Number.MAX_SAFE_INTEGER }, true)

/** Gives the first eight bytes of each head's hash in a sound document, as two words of 32 bits, in order: for who looks at every commit. */
export const eachHeadWord = (document: Uint8Array, visit: (word: number) => void): void => {
  let at = 0
  const skip = () => {
    while (document[at++]! >= 0x80);
  }
  const count = () => {
    const from = at
    skip()
    let value = 0
    for (let index = at - 1; index >= from; index--) value = value * 0x80 + (document[index]! & 0x7f)
    return value
  }
  for (let left = count(); left > 0; left--) {
    at += ACTOR_BYTES
    skip()
    skip()
  }
  for (let left = count(); left > 0; left--) {
    skip()
    skip()
    visit(wordAt(document, at))
    visit(wordAt(document, at + 4))
    at += HASH_BYTES
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

export const writeDocument = (out: ByteWriter, fold: Fold): void => {
  const places = new Map<ActorId, number>()
  out.uint(fold.seen.size)
  for (const [actor, seen] of fold.seen) {
    places.set(actor, places.size)
    out.hex(actor).uint(seen.seq).uint(seen.maxOp)
  }
  out.uint(fold.heads.length)
  for (const head of fold.heads) out.uint(places.get(head.actor)!).uint(head.seq).hex(head.hash)
  writeRegisters(out, fold.registers, places)
}

const writeRegisters = (out: ByteWriter, registers: Registers, places: Places): void => {
  out.uint(registers.size)
  for (const [key, register] of registers) {
    out.text(key).uint(register.length)
    for (const op of register) writeOp(out, op, places)
  }
}

/** The place of each actor in the table. */
type Places = ReadonlyMap<ActorId, number>

/** @param isSound whether its values were looked into before */
export const readDocument = (from: ByteReader, limits: DocumentLimits, isSound = false): Fold => {
  const { actors, seen, heads } = readFrontier(from)
  const reading: Reading = { actors, seen, maps: new Set(), maxKeyBytes: limits.maxKeyBytes, isSound }
  return { seen, heads, registers: readRegisters(from, reading, ROOT) }
}

/** Which changes the document has seen whose bytes these are, of a record that was sound. */
export const frontierIn = (bytes: Uint8Array): Pick<Fold, 'seen' | 'heads'> =>
  readFrontier(new ByteReader(bytes, 'RECORD_INVALID'))

const readFrontier = (from: ByteReader): Pick<Fold, 'seen' | 'heads'> & { readonly actors: readonly ActorId[] } => {
  const actors: ActorId[] = []
  const seen = new Map<ActorId, Seen>()
  for (let count = from.uint(from.left); count > 0; count--) {
    const actor = from.hex(ACTOR_BYTES)
    actors.push(actor)
    const { seq, maxOp } = { seq: from.uint(MAX_COUNT), maxOp: from.uint(MAX_COUNT) }
    if (seq === 0 || maxOp < seq) from.fail('an actor has changes without operations')
    seen.set(actor, { seq, maxOp })
  }
  if (seen.size !== actors.length) from.fail('an actor appears twice')
  const heads: Head[] = []
  for (let count = from.uint(from.left); count > 0; count--) {
    const actor = actors[from.uint()] ?? from.fail('an unknown actor')
    const head: Head = { actor, seq: from.uint(), hash: from.hex(HASH_BYTES) }
    if (heads.length > 0 && heads[heads.length - 1]!.hash >= head.hash) from.fail('the heads are not in order')
    // Nobody could ever be found to have seen it.
    if (head.seq === 0 || head.seq > seen.get(actor)!.seq) from.fail('a head is ahead of its actor')
    heads.push(head)
  }
  return { actors, seen, heads }
}

interface Reading {
  readonly actors: readonly ActorId[]
  readonly seen: ReadonlyMap<ActorId, Seen>
  /** The names of the maps so far. Edits name a map, not where it is, so that one in two places would be edited here or there. */
  readonly maps: Set<string>
  readonly maxKeyBytes: number
  readonly isSound: boolean
}

/** The map that is read. */
interface Within {
  readonly counter: number
  readonly depth: number
}
const ROOT: Within = { counter: 0, depth: 0 }

const readRegisters = (from: ByteReader, reading: Reading, within: Within): Registers => {
  const registers = new Map<string, Register>()
  for (let count = from.uint(from.left); count > 0; count--) {
    const key = readKey(from, reading)
    if (registers.has(key)) from.fail('a field appears twice')
    registers.set(key, readRegister(from, reading, within))
  }
  return registers
}

const readKey = (from: ByteReader, { maxKeyBytes }: Reading): string => {
  const text = from.text(maxKeyBytes)
  return internSegment(text) ?? from.fail(segmentFault(text)!)
}

const readRegister = (from: ByteReader, reading: Reading, within: Within): Register => {
  const register: LiveOp[] = []
  const count = from.uint(from.left)
  if (count === 0) from.fail('a field has no value')
  for (let index = 0; index < count; index++) {
    const op = readOp(from, reading, within)
    if (index > 0 && compareOpIds(register[index - 1]!, op) >= 0) from.fail('the operations are not in order')
    register.push(op)
  }
  return register
}

const writeOp = (out: ByteWriter, op: LiveOp, places: Places): void => {
  out.uint(places.get(op.actor)!).uint(op.counter)
  if (isMap(op)) {
    const { isFresh, end, lost, registers } = op.value
    out
      .u8(SCALAR.map)
      .u8(isFresh ? 1 : 0)
      .uint(end - op.counter)
    writeLost(out, lost)
    writeRegisters(out, registers, places)
    return
  }
  writeScalar(out, op.value as Scalar)
  if (!isInteger(op.value)) return
  out.uint(op.increments?.size ?? 0)
  for (const [actor, by] of op.increments ?? []) out.uint(places.get(actor)!).int(by)
}

const readOp = (from: ByteReader, reading: Reading, within: Within): LiveOp => {
  const { actors, seen } = reading
  const actor = actors[from.uint()] ?? from.fail('an unknown actor')
  const { maxOp } = seen.get(actor)!
  const counter = from.uint()
  // Of the root, too: the change that overwrites an operation 0 is none that a peer takes.
  if (counter <= within.counter) from.fail('an operation is not later than the map that it is in')
  if (counter > maxOp) from.fail('an operation is ahead of its actor')
  const type = from.u8()
  if (type === SCALAR.map) {
    if (reading.maps.size === reading.maps.add(nameOf({ counter, actor })).size) from.fail('a map appears twice')
    return liveOp(counter, actor, readMap(from, reading, { counter, depth: within.depth + 1 }, maxOp))
  }
  const value = readScalar(from, type, reading.isSound)
  if (!isInteger(value)) return liveOp(counter, actor, value)
  const count = from.uint(from.left)
  if (count === 0) return liveOp(counter, actor, value)
  const increments = new Map<ActorId, number>()
  for (let index = 0; index < count; index++)
    increments.set(actors[from.uint()] ?? from.fail('an unknown actor'), from.int())
  if (increments.size !== count) from.fail('an increment appears twice')
  return liveOp(counter, actor, value, increments)
}

/** @param maxOp the last operation of the actor that made the map */
const readMap = (from: ByteReader, reading: Reading, map: Within, maxOp: number): MapNode => {
  const { counter, depth } = map
  if (depth > MAX_MAP_DEPTH) from.fail(`maps are nested deeper than ${MAX_MAP_DEPTH}`)
  const isFresh = from.flag()
  const end = counter + from.uint(MAX_COUNT)
  if (end > maxOp) from.fail('the making of a map ends ahead of its actor')
  const lost = readLost(from, reading, depth)
  return new MapNode(readRegisters(from, reading, map), isFresh, end, lost)
}

/** A key whose value is a map has 1 before it, any other 0 and the hash. */
const writeLost = (out: ByteWriter, lost: LostMap): void => {
  out.uint(lost.size)
  for (const [key, one] of lost) {
    out.text(key).u8(typeof one === 'string' ? 0 : 1)
    if (typeof one === 'string') out.hex(one)
    else writeLost(out, one)
  }
}

const readLost = (from: ByteReader, reading: Reading, depth: number): LostMap => {
  const lost = new Map<string, Lost>()
  if (depth > MAX_MAP_DEPTH) from.fail(`maps are nested deeper than ${MAX_MAP_DEPTH}`)
  for (let count = from.uint(from.left); count > 0; count--) {
    const key = readKey(from, reading)
    if (lost.has(key)) from.fail('an overwritten field appears twice')
    const kind = from.u8()
    if (kind > 1) from.fail('an overwritten field is of no kind')
    lost.set(key, kind === 0 ? from.hex(LOST_BYTES) : readLost(from, reading, depth + 1))
  }
  return lost
}

export const writeScalar = (out: ByteWriter, value: Scalar): void => {
  if (value === null) out.u8(SCALAR.null)
  else if (typeof value === 'boolean') out.u8(value ? SCALAR.true : SCALAR.false)
  else if (typeof value === 'string') out.u8(SCALAR.text).text(value)
  else if (value instanceof Date) out.u8(SCALAR.date).int(value.getTime())
  else if (value instanceof Uint8Array) out.u8(SCALAR.bytes).bytes(value)
  else if (isInteger(value)) out.u8(SCALAR.integer).int(value)
  else out.u8(SCALAR.float).f64(value)
}

const readScalar = (from: ByteReader, type: number, isSound: boolean): Scalar => {
  switch (type) {
    case SCALAR.null:
      return null
    case SCALAR.false:
      return false
    case SCALAR.true:
      return true
    case SCALAR.text:
      return from.text(from.left)
    case SCALAR.integer:
      return from.int()
    case SCALAR.float: {
      const value = from.f64()
      return Number.isFinite(value) && !isInteger(value) ? value : from.fail('a number is not in its own form')
    }
    case SCALAR.date: {
      const ms = from.int()
      return Math.abs(ms) <= 8.64e15 ? new Date(ms) : from.fail('a date is out of range')
    }
    case SCALAR.bytes: {
      const bytes = new Uint8Array(from.bytes(from.left))
      const fault = isSound ? undefined : scalarFault(bytes)
      return fault ? from.fail(fault) : bytes
    }
    default:
      return from.fail('a value has an unknown type')
  }
}
