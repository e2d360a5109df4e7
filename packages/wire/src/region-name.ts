/** What a region may be called. Names are keys of objects, labels of metrics, and lines of logs and tables. */

/** A region's name, in bytes of UTF-8. */
export const MAX_REGION_BYTES = 64

/** The end of a sentence that begins with "give". */
export const REGION_NAMES = `a name of 1 to ${MAX_REGION_BYTES} bytes, such as eu, without control characters, and none that every JavaScript object has, such as constructor`

/**
 * Whether a region may be called so. A name such as `__proto__` or `toString` would be found in objects that do not hold it; a control character
 * would write into the terminals of operators; half a surrogate pair does not survive being sent.
 */
export const isRegionName = (name: string): boolean =>
  name.length > 0 &&
  Buffer.byteLength(name) <= MAX_REGION_BYTES &&
  !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name) &&
  !(name in Object.prototype)
