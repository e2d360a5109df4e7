/** Says which fields make a session large: what the error that refuses it names. */
import { childOf, type Pointer } from './document/pointer.js'
import { isPlainObject } from './document/value.js'

export interface FieldSize {
  readonly path: Pointer
  /** Bytes of its keys and values, without what the encoding adds. */
  readonly bytes: number
}

const SCALAR_BYTES = 8

/**
 * The largest fields of a session's data, the largest first. Where one field below a field makes most of it, that one is named.
 * @example largestFields({ user: 'ada', profile: { name: 'Ada', avatar: bytes } }, 1) // [{ path: '/profile/avatar', bytes: 40_000 }]
 */
export const largestFields = (data: object, count: number): FieldSize[] =>
  fieldsOf(data, '')
    .slice(0, count)
    .map((field) => narrowed(field))

const fieldsOf = (object: object, path: Pointer): (FieldSize & { readonly value: unknown })[] =>
  Object.entries(object)
    .map(([key, value]) => ({ path: childOf(path, key), value, bytes: Buffer.byteLength(key) + bytesOf(value) }))
    .sort((a, b) => b.bytes - a.bytes)

const narrowed = ({ path, bytes, value }: FieldSize & { readonly value: unknown }): FieldSize => {
  const largest = isPlainObject(value) ? fieldsOf(value, path)[0] : undefined
  return largest !== undefined && largest.bytes > bytes / 2 ? narrowed(largest) : { path, bytes }
}

const bytesOf = (value: unknown): number => {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (value instanceof Uint8Array) return value.length
  if (typeof value !== 'object' || value === null || value instanceof Date) return SCALAR_BYTES
  const isList = Array.isArray(value)
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + (isList ? 1 : Buffer.byteLength(key)) + bytesOf(item),
    0,
  )
}
