/** The columns of the operations in a change chunk, and the codes that stand in them (https://automerge.org/automerge-binary-format-spec/#operation-columns). */

// The columns in the order of their specifications (column id * 16 + type), as they must stand in the chunk. Those of
// list positions are missing because maps have none.
export const OBJECT_ACTOR = 0x01
export const OBJECT_COUNTER = 0x02
export const KEY = 0x15
export const INSERT = 0x34
export const ACTION = 0x42
export const VALUE_META = 0x56
export const VALUE_RAW = 0x57
export const PRED_COUNT = 0x70
export const PRED_ACTOR = 0x71
export const PRED_COUNTER = 0x73
export const COLUMNS = [
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
export const COLUMN_DEFLATED = 0x08

export const MAKE_MAP = 0
export const SET = 1
export const DEL = 3
export const INC = 5

// The low four bits of a value's metadata; above them stands its length in bytes.
export const NULL = 0
export const FALSE = 1
export const TRUE = 2
export const INT = 4
export const F64 = 5
export const STR = 6
export const BYTES = 7
export const COUNTER = 8
export const TIMESTAMP = 9

/** The last millisecond that a Date can hold, either way from 1970. */
export const MAX_TIMESTAMP = 8.64e15
/** No operation has a higher counter: far above what a session sees. (Automerge holds one in 32 bits.) */
export const MAX_COUNTER = 2 ** 31
