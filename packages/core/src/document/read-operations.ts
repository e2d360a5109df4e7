/** Reads the operations of a change chunk, column by column, from bytes that nobody vouches for. */
import type { ByteReader } from '../bytes.js'
import { readDeltas, readNullableUints, readTexts, readUints } from './columns.js'
import type { ActorId, ChangeLimits, Op, OpId, Scalar } from './op.js'
import { compareOpIds, isInteger } from './op.js'
import {
  BYTES,
  COLUMN_DEFLATED,
  COLUMNS,
  COUNTER,
  DEL,
  F64,
  FALSE,
  INC,
  INT,
  MAKE_MAP,
  MAX_COUNTER,
  MAX_TIMESTAMP,
  NULL,
  SET,
  STR,
  TIMESTAMP,
  TRUE,
} from './operation-columns.js'

const NO_PREDS: readonly OpId[] = Object.freeze([])

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const readString = (reader: ByteReader, size: number): string => {
  const bytes = reader.raw(size)
  try {
    return utf8.decode(bytes)
  } catch {
    return reader.fail('a text is not well-formed UTF-8')
  }
}

const readInteger = (reader: ByteReader, size: number, max: number): number => {
  const end = reader.offset + size
  const value = reader.int()
  if (reader.offset !== end) reader.fail('an integer has another length than announced')
  if (Math.abs(value) > max) reader.fail(`an integer is beyond ${max}`)
  return value
}

const readScalar = (reader: ByteReader, type: number, size: number): Scalar => {
  switch (type) {
    case STR:
      return readString(reader, size)
    case COUNTER:
      return readInteger(reader, size, Number.MAX_SAFE_INTEGER)
    case F64: {
      if (size !== 8) reader.fail('a float is not 8 bytes long')
      const value = reader.f64()
      if (!Number.isFinite(value) || isInteger(value)) reader.fail('a float is an integer or not finite')
      return value
    }
    case TIMESTAMP:
      return new Date(readInteger(reader, size, MAX_TIMESTAMP))
    case BYTES:
      // A copy, so that a value does not keep the frame that it came in.
      return new Uint8Array(reader.raw(size))
    case NULL:
    case FALSE:
    case TRUE:
      if (size !== 0) reader.fail('a null or a boolean has a length')
      return type === NULL ? null : type === TRUE
    default:
      return reader.fail(`values of type ${type} are not part of the subset`)
  }
}

/** The predecessors of one operation, out of the columns. */
const takePreds = (
  reader: ByteReader,
  actors: readonly ActorId[],
  { actors: predActors, counters: predCounters }: Preds,
  from: number,
  to: number,
  counter: number,
): readonly OpId[] => {
  if (from === to) return NO_PREDS
  const preds: OpId[] = []
  let previous: OpId | undefined
  for (let index = from; index < to; index++) {
    const pred: OpId = { counter: predCounters[index]!, actor: actors[predActors[index]!]! }
    if (previous !== undefined && compareOpIds(previous, pred) >= 0) reader.fail('predecessors are not in order')
    // Automerge numbers an operation above all that its author has seen.
    if (pred.counter >= counter) reader.fail('a predecessor is later than its operation')
    preds.push(pred)
    previous = pred
  }
  return preds
}

/** The map of one operation, out of the columns; undefined: the root. */
const takeObject = (
  reader: ByteReader,
  actors: readonly ActorId[],
  actor: number | null,
  counter: number | null,
): OpId | undefined => {
  if (actor === null && counter === null) return undefined
  if (actor === null || counter === null || counter === 0) return reader.fail('an operation names half a map')
  return { counter, actor: actors[actor]! }
}

/** The columns' lengths in bytes, 0 for those that are missing, in the order of {@link COLUMNS}. */
const readColumnSizes = (reader: ByteReader): number[] => {
  const sizes = COLUMNS.map(() => 0)
  let previous = -1
  for (let count = reader.uint(COLUMNS.length); count > 0; count--) {
    const column = reader.u8()
    if ((column & COLUMN_DEFLATED) !== 0) reader.fail('a column is compressed')
    const index = COLUMNS.indexOf(column)
    if (index <= previous) reader.fail('a column is out of order or not part of the subset')
    const size = reader.uint()
    if (size === 0) reader.fail('a column is empty')
    sizes[index] = size
    previous = index
  }
  return sizes
}

/** What sets and increments have for a value; null of the others. */
const readOperands = (
  reader: ByteReader,
  sizes: readonly number[],
  actions: readonly number[],
  count: number,
): Scalar[] => {
  const metas = readUints(reader, sizes[5]!, count)
  if (actions.length !== count || metas.length !== count) reader.fail('the columns differ in their number of values')
  const end = reader.offset + sizes[6]!
  const operands: Scalar[] = []
  for (let index = 0; index < count; index++) {
    const meta = metas[index]!
    const type = meta % 16
    const size = (meta - type) / 16
    const action = actions[index]
    if (action === SET) operands.push(readScalar(reader, type, size))
    else if (action === INC) {
      if (type !== INT) reader.fail('an increment is not an integer')
      operands.push(readInteger(reader, size, Number.MAX_SAFE_INTEGER))
    } else if (action === DEL || action === MAKE_MAP) {
      if (meta !== NULL) reader.fail('a deletion or a making has a value')
      operands.push(null)
    } else reader.fail(`action ${action} is not part of the subset`)
  }
  if (reader.offset !== end) reader.fail('the values have another length than announced')
  return operands
}

/** The predecessors of all operations, one after the other, and how many each operation has. */
interface Preds {
  readonly counts: readonly number[]
  readonly actors: readonly number[]
  readonly counters: readonly number[]
}

const readPreds = (
  reader: ByteReader,
  sizes: readonly number[],
  count: number,
  actors: number,
  { maxPreds }: ChangeLimits,
): Preds => {
  const counts = readUints(reader, sizes[7]!, count, maxPreds)
  if (counts.length !== count) reader.fail('the columns differ in their number of values')
  let total = 0
  for (const each of counts) total += each
  if (total > maxPreds) reader.fail(`there are more than ${maxPreds} predecessors`)
  const preds = {
    counts,
    actors: readUints(reader, sizes[8]!, total, actors - 1),
    counters: readDeltas(reader, sizes[9]!, total),
  }
  if (preds.actors.length !== total || preds.counters.length !== total)
    reader.fail('the columns differ in their number of values')
  return preds
}

const checkNamed = (
  reader: ByteReader,
  actors: readonly ActorId[],
  predActors: readonly number[],
  objectActors: readonly (number | null)[],
): void => {
  if (actors.length === 1) return
  const named = new Set<number | null>(predActors).add(0)
  for (const actor of objectActors) if (actor !== null) named.add(actor)
  if (named.size !== actors.length) reader.fail('an actor is listed that no operation names')
}

/**
 * Reads what `writeOps` of operations.ts writes, up to the end of `reader`.
 *
 * @param startOp the counter of the first operation
 * @param actors the author, then the other actors
 */
export const readOps = (
  reader: ByteReader,
  startOp: number,
  actors: readonly ActorId[],
  limits: ChangeLimits,
): readonly Op[] => {
  const sizes = readColumnSizes(reader)
  const objectActors = readNullableUints(reader, sizes[0]!, limits.maxOps, actors.length - 1)
  const objectCounters = readNullableUints(reader, sizes[1]!, limits.maxOps, MAX_COUNTER)
  const keys = readTexts(reader, sizes[2]!, limits.maxOps, limits.maxKeyBytes)
  const count = keys.length
  const hasObjects = objectActors.length > 0
  if (objectActors.length !== (hasObjects ? count : 0) || objectCounters.length !== objectActors.length)
    reader.fail('the columns differ in their number of values')
  if (hasObjects && objectActors.every((actor) => actor === null)) reader.fail('a column has nothing but nulls')
  if (startOp + count - 1 > MAX_COUNTER) reader.fail(`operations are numbered beyond ${MAX_COUNTER}`)

  const insertEnd = reader.offset + sizes[3]!
  if ((count > 0 && reader.uint() !== count) || reader.offset !== insertEnd)
    reader.fail('an operation inserts, or has no key')
  const actions = readUints(reader, sizes[4]!, count, INC)
  const operands = readOperands(reader, sizes, actions, count)
  const preds = readPreds(reader, sizes, count, actors.length, limits)
  reader.end()
  checkNamed(reader, actors, preds.actors, objectActors)

  const ops: Op[] = []
  let pred = 0
  for (let index = 0; index < count; index++) {
    const from = pred
    pred += preds.counts[index]!
    const overwritten = takePreds(reader, actors, preds, from, pred, startOp + index)
    const key = keys[index]!
    const obj = hasObjects ? takeObject(reader, actors, objectActors[index]!, objectCounters[index]!) : undefined
    // Automerge numbers an operation above all that its author has seen.
    if (obj && obj.counter >= startOp + index) reader.fail('a map is later than an operation in it')
    if (obj?.actor === actors[0] && obj!.counter >= startOp && ops[obj!.counter - startOp]!.action !== 'make')
      reader.fail('an operation is in something that is not a map')
    const action = actions[index]
    if (action === SET) ops.push({ action: 'set', obj, key, value: operands[index]!, pred: overwritten })
    else if (action === MAKE_MAP) ops.push({ action: 'make', obj, key, pred: overwritten })
    else if (overwritten.length === 0) reader.fail('a deletion or an increment has no predecessor')
    else if (action === DEL) ops.push({ action: 'del', obj, key, pred: overwritten })
    else ops.push({ action: 'inc', obj, key, value: operands[index] as number, pred: overwritten })
  }
  return ops
}
