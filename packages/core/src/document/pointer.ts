/** JSON pointers (RFC 6901) to the fields of a session's data. */
import { SojournError } from '../errors.js'
import { shownValue } from '../wording.js'

/** A JSON pointer (RFC 6901) to a field: `''` is the whole data, `/cart/items` a field two levels down. */
export type Pointer = string

/**
 * The key whose mere assignment replaces an object's prototype, in whoever copies data carelessly. `constructor` and `prototype` do not: an
 * assignment makes them own properties.
 */
const RESERVED = '__proto__'

/** Why a segment may not stand in a pointer, or undefined. */
export const segmentFault = (segment: string): string | undefined =>
  segment === RESERVED
    ? `the key ${JSON.stringify(segment)} is reserved`
    : segment.isWellFormed()
      ? undefined
      : 'a key is not well-formed Unicode (a lone surrogate)'

const escapeSegment = (segment: string): string =>
  segment.includes('~') || segment.includes('/') ? segment.replaceAll('~', '~0').replaceAll('/', '~1') : segment

export const childOf = (parent: Pointer, segment: string): Pointer => `${parent}/${escapeSegment(segment)}`

const unescapeSegment = (raw: string): string =>
  raw.includes('~') ? raw.replaceAll('~1', '/').replaceAll('~0', '~') : raw

/** From the top down: each segment of a pointer, with the pointer that ends in it. */
export const segmentsOf = (pointer: Pointer): { readonly segment: string; readonly pointer: Pointer }[] => {
  let at = ''
  return pointer
    .split('/')
    .slice(1)
    .map((raw) => {
      at += `/${raw}`
      return { segment: unescapeSegment(raw), pointer: at }
    })
}

/** The segments of a pointer, from the top down. */
export const keysOf = (pointer: Pointer): string[] => {
  // Most fields are at the top.
  if (pointer.lastIndexOf('/') === 0 && !pointer.includes('~')) return [pointer.slice(1)]
  return pointer.split('/').slice(1).map(unescapeSegment)
}

/** No pointer is longer: a server would not take it. */
export const MAX_POINTER_BYTES = 64 * 1_024

/** Why a string is no pointer to a field, or undefined. */
export const pointerFault = (pointer: string): string | undefined => {
  if (Buffer.byteLength(pointer) > MAX_POINTER_BYTES) return `a JSON pointer has at most ${MAX_POINTER_BYTES} bytes`
  if (!pointer.startsWith('/')) return 'a JSON pointer to a field starts with "/"'
  if (/~(?![01])/.test(pointer)) return 'a JSON pointer spells "~" as "~0" and "/" in a key as "~1"'
  for (const raw of pointer.slice(1).split('/')) {
    const fault = segmentFault(unescapeSegment(raw))
    if (fault) return fault
  }
  return undefined
}

/** Keys that were found sound, each once: sessions have the same fields, so one string can serve all records. */
const sound = new Map<string, string>()
const MAX_SOUND = 4_096
const MAX_SOUND_CHARS = 64

/** The one string for a key that came from a disk or a socket; undefined where {@link segmentFault} finds fault with it. */
export const internSegment = (text: string): string | undefined => {
  const known = sound.get(text)
  if (known !== undefined) return known
  if (segmentFault(text) !== undefined) return undefined
  if (text.length <= MAX_SOUND_CHARS) {
    if (sound.size >= MAX_SOUND) sound.clear()
    sound.set(text, text)
  }
  return text
}

/** @throws INVALID_DATA */
export const checkPointer = (pointer: string): Pointer => {
  const fault = typeof pointer === 'string' ? pointerFault(pointer) : 'a JSON pointer is a string'
  if (fault) throw new SojournError('INVALID_DATA', `${shownValue(pointer)}: ${fault}`, { path: String(pointer) })
  return pointer
}
