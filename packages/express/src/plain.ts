import { isPlainObject } from '@sojourn/core'

/**
 * The data of a session as other stores would keep it: what JSON leaves out (`undefined`) is left out, objects that say how they
 * are written (`toJSON`), and instances of classes, become plain. Dates and bytes stay what they are.
 */
export const toPlain = (value: unknown, depth = 0): unknown => {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value
  // A cycle is passed on as it is, and refused by the store, which names the place.
  if (depth > MAX_DEPTH) return value
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return toPlain(toJSON.call(value), depth + 1)
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : toPlain(item, depth + 1)))
  const out: Record<string, unknown> = isPlainObject(value) ? Object.create(Object.getPrototypeOf(value)) : {}
  for (const [key, item] of Object.entries(value))
    if (item !== undefined)
      // As an own property, whatever the key: the store refuses reserved ones.
      Object.defineProperty(out, key, {
        value: toPlain(item, depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      })
  return out
}

/** Deeper than any session that a store takes. */
const MAX_DEPTH = 256
