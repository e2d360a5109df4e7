/** What a JSON merge patch (RFC 7396) makes of data. */
import { isPlainObject } from '@sojourn/core/internal'

/** Deeper than any session; what is nested deeper, or in a cycle, is passed on, and refused when the result is written. */
const MAX_DEPTH = 256

/** JSON merge patch (RFC 7396): objects are merged, `null` deletes a key, anything else replaces. */
export const mergePatch = (target: unknown, patch: unknown, depth = 0): unknown => {
  if (!isPlainObject(patch) || depth > MAX_DEPTH) return patch
  const out: Record<string, unknown> = isPlainObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete out[key]
      continue
    }
    const merged = mergePatch(out[key], value, depth + 1)
    // As an own property, whatever the key: a reserved one is refused when the result is written.
    Object.defineProperty(out, key, { value: merged, enumerable: true, configurable: true, writable: true })
  }
  return out
}
