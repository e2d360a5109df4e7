/** Writes the operations of a change chunk, column by column. */
import { ByteWriter } from '../bytes.js'
import { SojournError } from '../errors.js'
import { writeDeltas, writeNullableUints, writeTexts, writeUints } from './columns.js'
import type { ActorId, Change, Op, OpId, Scalar } from './op.js'
import { compareOpIds, isInteger } from './op.js'
import {
  ACTION,
  BYTES,
  COLUMNS,
  COUNTER,
  DEL,
  F64,
  FALSE,
  INC,
  INSERT,
  INT,
  KEY,
  MAKE_MAP,
  NULL,
  OBJECT_ACTOR,
  OBJECT_COUNTER,
  PRED_ACTOR,
  PRED_COUNT,
  PRED_COUNTER,
  SET,
  STR,
  TIMESTAMP,
  TRUE,
  VALUE_META,
  VALUE_RAW,
} from './operation-columns.js'

// Encoding is synchronous, so this buffer is shared by all calls.
const values = new ByteWriter()

/** Writes an integer. NaN, which is the time of an invalid date, has no LEB128: the writer would never come to an end. */
const writeInteger = (value: number): void => {
  if (!Number.isSafeInteger(value)) throw new SojournError('CHANGE_INVALID', `${value} is not a safe integer`)
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
  values.clear()
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
