import type { ByteReader } from '../bytes.js'
import { ByteWriter } from '../bytes.js'
import { SojournError } from '../errors.js'
import {
  readDeltas,
  readNullableUints,
  readTexts,
  readUints,
  writeDeltas,
  writeNullableUints,
  writeTexts,
  writeUints,
} from './columns.js'
import type { ActorId, Change, ChangeLimits, Op, OpId, Scalar } from './op.js'
import { compareOpIds, isInteger } from './op.js'

/**
 * The operations of a change chunk, column by column
 * (https://automerge.org/automerge-binary-format-spec/#operation-columns), for the subset of op.ts.
 */

// The columns in the order of their specifications (column id * 16 + type), as they must stand in the chunk. Those of
// list positions are missing because maps have none.
const OBJECT_ACTOR = 0x01
const OBJECT_COUNTER = 0x02
const KEY = 0x15
const INSERT = 0x34
const ACTION = 0x42
const VALUE_META = 0x56
const VALUE_RAW = 0x57
const PRED_COUNT = 0x70
const PRED_ACTOR = 0x71
const PRED_COUNTER = 0x73
const COLUMNS = [
  OBJECT_ACTOR,
  OBJECT_COUNTER,
  KEY,
  INSERT,
  ACTION,
  VALUE_META,
  VALUE_RAW,
  PRED_COUNT,
  PRED_ACTOR,
  PRED_COUNTER,
]
const COLUMN_DEFLATED = 0x08

const MAKE_MAP = 0
const SET = 1
const DEL = 3
const INC = 5

// The low four bits of a value's metadata; above them stands its length in bytes.
const NULL = 0
const FALSE = 1
const TRUE = 2
const INT = 4
const F64 = 5
const STR = 6
const BYTES = 7
const COUNTER = 8
const TIMESTAMP = 9

/** The last millisecond that a Date can hold, either way from 1970. */
const MAX_TIMESTAMP = 8.64e15
/** Automerge holds an operation's counter in 32 bits, and cannot load a document with a larger one. */
const MAX_COUNTER = 2 ** 32 - 1

const NO_PREDS: readonly OpId[] = Object.freeze([])

// Encoding is synchronous, so this buffer is shared by all calls.
const values = new ByteWriter()

/** Writes an integer. NaN, which is the time of an invalid date, has no LEB128: the writer would never come to an end. */
const writeInteger = (value: number): void => {
  if (!Number.isSafeInteger(value)) throw new SojournError('CHANGE_INVALID', `${value} is no safe integer`)
  values.int(value)
}

/** Writes a value and returns its type. */
const writeScalar = (value: Scalar): number => {
  if (typeof value === 'string') {
    values.raw(Buffer.from(value))
    return STR
  }
  if (typeof value === 'number') {
    if (isInteger(value)) {
      values.int(value)
      return COUNTER
    }
    values.f64(value)
    return F64
  }
  if (value === null) return NULL
  if (typeof value === 'boolean') return value ? TRUE : FALSE
  if (value instanceof Uint8Array) {
    values.raw(value)
    return BYTES
  }
  writeInteger(value.getTime())
  return TIMESTAMP
}

/** Writes the operation's value and returns its metadata. */
const writeValue = (op: Op): number => {
  if (op.action === 'del' || op.action === 'make') return NULL
  const before = values.length
  let type = INT
  if (op.action === 'inc') writeInteger(op.value)
  else type = writeScalar(op.value)
  return (values.length - before) * 16 + type
}

const NO_ACTORS: readonly ActorId[] = Object.freeze([])

/** The actors other than the author that operations name, sorted: number 1 and up of the change, the author is 0. */
export const otherActors = (change: Change): readonly ActorId[] => {
  let others: ActorId[] | undefined
  for (const { obj, pred } of change.ops) {
    others = withOther(others, obj, change.actor)
    for (const one of pred) others = withOther(others, one, change.actor)
  }
  return others === undefined ? NO_ACTORS : others.sort()
}

const withOther = (others: ActorId[] | undefined, named: OpId | undefined, author: ActorId): ActorId[] | undefined => {
  if (named === undefined || named.actor === author || others?.includes(named.actor)) return others
  if (others === undefined) return [named.actor]
  others.push(named.actor)
  return others
}

const ACTIONS: { readonly [action in Op['action']]: number } = { make: MAKE_MAP, set: SET, del: DEL, inc: INC }

/** The columns of operations, each as a list. Their values go into `values`. */
const columnsOf = (ops: readonly Op[], others: readonly ActorId[]) => {
  const objectActors: (number | null)[] = []
  const objectCounters: (number | null)[] = []
  let hasObjects = false
  const keys: string[] = []
  const actions: number[] = []
  const metas: number[] = []
  const predCounts: number[] = []
  const predActors: number[] = []
  const predCounters: number[] = []
  // Most changes name nobody but their author.
  const indexes = others.length === 0 ? undefined : new Map(others.map((other, index) => [other, index + 1]))
  for (const op of ops) {
    objectActors.push(op.obj ? (indexes?.get(op.obj.actor) ?? 0) : null)
    objectCounters.push(op.obj ? op.obj.counter : null)
    hasObjects ||= op.obj !== undefined
    keys.push(op.key)
    actions.push(ACTIONS[op.action])
    metas.push(writeValue(op))
    predCounts.push(op.pred.length)
    for (const pred of op.pred.length > 1 ? op.pred.toSorted(compareOpIds) : op.pred) {
      predActors.push(indexes?.get(pred.actor) ?? 0)
      predCounters.push(pred.counter)
    }
  }
  return { objectActors, objectCounters, hasObjects, keys, actions, metas, predCounts, predActors, predCounters }
}

/**
 * Writes how many columns there are, their specifications and lengths to `header`, and the columns to `columns`, which
 * must be empty. A column without bytes is left out, as Automerge does.
 */
export const writeOps = (
  header: ByteWriter,
  columns: ByteWriter,
  { ops }: Change,
  others: readonly ActorId[],
): void => {
  if (ops.length === 0) {
    header.u8(0)
    return
  }
  // An encoding that threw midway has left its beginning behind.
  if (values.length > 0) values.borrow()
  if (ops.length === 1 && ops[0]!.pred.length < 2) {
    writeOp(header, columns, ops[0]!, others)
    return
  }
  const { objectActors, objectCounters, hasObjects, keys, actions, metas, predCounts, predActors, predCounters } =
    columnsOf(ops, others)
  const hasValues = values.length > 0
  const hasPreds = predCounters.length > 0
  header.uint(COLUMNS.length - (hasObjects ? 0 : 2) - (hasValues ? 0 : 1) - (hasPreds ? 0 : 2))

  let start = 0
  const close = (column: number): void => {
    header.u8(column).uint(columns.length - start)
    start = columns.length
  }
  if (hasObjects) {
    writeNullableUints(columns, objectActors)
    close(OBJECT_ACTOR)
    writeNullableUints(columns, objectCounters)
    close(OBJECT_COUNTER)
  }
  writeTexts(columns, keys)
  close(KEY)
  // A boolean column counts its falses and trues in turn: as many falses as operations, then nothing.
  columns.uint(ops.length)
  close(INSERT)
  writeUints(columns, actions)
  close(ACTION)
  writeUints(columns, metas)
  close(VALUE_META)
  if (hasValues) {
    columns.append(values)
    close(VALUE_RAW)
  }
  writeUints(columns, predCounts)
  close(PRED_COUNT)
  if (hasPreds) {
    writeUints(columns, predActors)
    close(PRED_ACTOR)
    writeDeltas(columns, predCounters)
    close(PRED_COUNTER)
  }
}

/** Before the only value of a column: `-1`, one value as it is. */
const ONE_VALUE = 0x7f

/** What most changes are, one operation on at most one other, without a list for each column. */
const writeOp = (header: ByteWriter, columns: ByteWriter, op: Op, others: readonly ActorId[]): void => {
  const [pred] = op.pred
  const meta = writeValue(op)
  const hasValue = values.length > 0
  header.uint(COLUMNS.length - (op.obj ? 0 : 2) - (hasValue ? 0 : 1) - (pred ? 0 : 2))
  let start = 0
  const close = (column: number): void => {
    header.u8(column).uint(columns.length - start)
    start = columns.length
  }
  if (op.obj) {
    columns.u8(ONE_VALUE).uint(others.indexOf(op.obj.actor) + 1)
    close(OBJECT_ACTOR)
    columns.u8(ONE_VALUE).uint(op.obj.counter)
    close(OBJECT_COUNTER)
  }
  columns.u8(ONE_VALUE).text(op.key)
  close(KEY)
  columns.u8(1)
  close(INSERT)
  columns.u8(ONE_VALUE).u8(ACTIONS[op.action])
  close(ACTION)
  columns.u8(ONE_VALUE).uint(meta)
  close(VALUE_META)
  if (hasValue) {
    columns.append(values)
    close(VALUE_RAW)
  }
  columns.u8(ONE_VALUE).u8(pred ? 1 : 0)
  close(PRED_COUNT)
  if (pred) {
    columns.u8(ONE_VALUE).uint(others.indexOf(pred.actor) + 1)
    close(PRED_ACTOR)
    columns.u8(ONE_VALUE).int(pred.counter)
    close(PRED_COUNTER)
  }
}

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
 * Reads what {@link writeOps} writes, up to the end of `reader`.
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
      reader.fail('an operation is in what is no map')
    const action = actions[index]
    if (action === SET) ops.push({ action: 'set', obj, key, value: operands[index]!, pred: overwritten })
    else if (action === MAKE_MAP) ops.push({ action: 'make', obj, key, pred: overwritten })
    else if (overwritten.length === 0) reader.fail('a deletion or an increment has no predecessor')
    else if (action === DEL) ops.push({ action: 'del', obj, key, pred: overwritten })
    else ops.push({ action: 'inc', obj, key, value: operands[index] as number, pred: overwritten })
  }
  return ops
}
