/** How much data a session holds, whatever is kept beside it to merge it. */
import type { LiveRecord, Scalar } from '@sojourn/core'

/** What a value that is not a string or bytes counts, and what each field does beside its value. */
const SCALAR_BYTES = 8

const sizeOf = (value: Scalar): number => {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return value instanceof Uint8Array ? value.length : SCALAR_BYTES
}

/** Bytes of all fields' names and values, those that lost against concurrent ones included. */
export const dataBytes = ({ document }: LiveRecord): number => {
  let bytes = 0
  for (const [path, register] of document.registers) {
    bytes += Buffer.byteLength(path) + SCALAR_BYTES
    for (const { value } of register) bytes += sizeOf(value)
  }
  return bytes
}
