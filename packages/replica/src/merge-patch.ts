import { isPlainObject, thaw } from '@sojourn/core'

/** JSON merge patch (RFC 7396): objects are merged, `null` deletes a key, anything else replaces. */
export const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (!isPlainObject(patch)) return thaw(patch)
  const out: Record<string, unknown> = isPlainObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    // As an own property, whatever the key: a reserved one is refused when the result is written.
    else
      Object.defineProperty(out, key, {
        value: mergePatch(out[key], value),
        enumerable: true,
        configurable: true,
        writable: true,
      })
  }
  return out
}
