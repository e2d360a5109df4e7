import { isPlainObject } from '@sojourn/core'

/**
 * The data of a session as other stores would keep it: what JSON leaves out (`undefined`) is left out, objects that say how they
 * are written (`toJSON`), and instances of classes, become plain. Dates and bytes stay what they are. All of it is a copy.
 * @param above the objects that this one is part of
 */
export const toPlain = (value: unknown, above: readonly object[] = []): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  // A cycle is passed on as it is, and refused by the store, which names the place.
  if (above.includes(value)) return value
  const path = [...above, value]
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return toPlain(toJSON.call(value), path)
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : toPlain(item, path)))
  const out: Record<string, unknown> = isPlainObject(value) ? Object.create(Object.getPrototypeOf(value)) : {}
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue
    const plain = toPlain(item, path)
    // As an own property, whatever the key: the store refuses reserved ones.
    Object.defineProperty(out, key, { value: plain, enumerable: true, configurable: true, writable: true })
  }
  return out
}
