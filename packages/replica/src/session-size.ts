/** How much data a session holds, whatever is kept beside it to merge it. */
import { isMap, type LiveRecord, type Registers, type Scalar } from '@sojourn/core/internal'

/** What a value that is not a string or bytes counts, and what each field does beside its value. */
const SCALAR_BYTES = 8

const sizeOf = (value: Scalar): number => {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return value instanceof Uint8Array ? value.length : SCALAR_BYTES
}

/** Bytes of all fields' names and values, those that lost against concurrent ones included. */
export const dataBytes = ({ document }: LiveRecord): number => bytesIn(document.registers)

const bytesIn = (registers: Registers): number => {
  let bytes = 0
  for (const [key, register] of registers) {
    bytes += Buffer.byteLength(key) + SCALAR_BYTES
    for (const live of register) bytes += isMap(live) ? bytesIn(live.value.registers) : sizeOf(live.value as Scalar)
  }
  return bytes
}
