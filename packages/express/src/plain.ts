/** Makes of a session's data what JSON would make of it, except that dates and bytes stay what they are. */
import { types } from 'node:util'
import type { Copied } from '@sojourn/core/internal'

/** Where it is an own key, an assignment of it in somebody's copy would replace that object's prototype. */
const LEFT_OUT = '__proto__'

/**
 * A copy of a value as `JSON.parse(JSON.stringify(value))` would give it, so that one odd value never costs the whole save: `NaN`, infinities
 * and invalid dates become null; `undefined`, functions and symbols are left out, or null in an array, as are holes; `toJSON` is asked; boxed
 * primitives are unboxed; halves of surrogate pairs become U+FFFD. Unlike JSON, it keeps dates and bytes, and writes a bigint as a decimal text.
 *
 * A cycle is passed on as it is: the store refuses it, and names the place.
 *
 * @example toPlain({ a: NaN, b: () => 1, c: [, 1n] }) // { a: null, c: [null, '1'] }
 * @param copied is given each object of the copy, and what it is a copy of
 * @param key under which the value stands, for `toJSON`
 * @param above the objects that this one is part of
 * @returns undefined for what is left out
 */
export const toPlain = (value: unknown, copied?: Copied, key = '', above: readonly object[] = []): unknown => {
  if (types.isDate(value)) return Number.isNaN(Date.prototype.getTime.call(value)) ? null : new Date(value)
  if (types.isUint8Array(value)) return new Uint8Array(value)
  if (isObject(value) && above.includes(value)) return value
  const path = isObject(value) ? [...above, value] : above
  const own = (value as { toJSON?: unknown } | null | undefined)?.toJSON
  if (typeof own === 'function' && (isObject(value) || typeof value === 'bigint'))
    // Once: JSON does not ask what `toJSON` gives for its own `toJSON`.
    return withoutToJson(own.call(value, key), path, copied)
  return withoutToJson(value, path, copied)
}

const isObject = (value: unknown): value is object =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)

const withoutToJson = (value: unknown, path: readonly object[], copied: Copied | undefined): unknown => {
  switch (typeof value) {
    case 'string':
      return value.toWellFormed()
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'bigint':
      return value.toString()
    case 'object':
      return value === null ? null : plainObject(value, path, copied)
    case 'boolean':
      return value
    default:
      return undefined
  }
}

const plainObject = (value: object, path: readonly object[], copied: Copied | undefined): unknown => {
  // What a `toJSON` gave.
  if (types.isDate(value) || types.isUint8Array(value)) return toPlain(value)
  if (types.isNumberObject(value)) return withoutToJson(Number(value), path, copied)
  if (types.isStringObject(value)) return withoutToJson(String(value), path, copied)
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value)
  if (types.isBigIntObject(value)) return withoutToJson(BigInt.prototype.valueOf.call(value), path, copied)
  // Not `map`, which leaves holes.
  if (Array.isArray(value))
    return Array.from(value, (item, index) => toPlain(item, undefined, String(index), path) ?? null)
  const out: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    if (key === LEFT_OUT) continue
    const item = toPlain((value as Record<string, unknown>)[key], copied, key, path)
    if (item !== undefined) out[key.toWellFormed()] = item
  }
  copied?.(out, value)
  return out
}
