/** A session's data as the bytes of one msgpackr value. */
import { type Data, isBytes, isDate, isPlainObject, SojournError, type Value } from '@sojourn/core/internal'
import { pack, unpack } from './frame.js'
import { DATA } from './plain.js'

/**
 * Nearly all data is packed as it stands. What msgpackr would not give back as it was (minus zero, texts that begin with a byte order mark, what another
 * realm made) is packed escaped: the one item of an array, in which every text and every key has a `.` in front, and `-` is minus zero.
 */
const ESCAPE = '.'
const MINUS_ZERO = '-'
const MARK = '\ufeff'

export interface PackedData {
  readonly bytes: Uint8Array
  /** Whether it holds neither dates nor bytes, which change also where all around them is frozen. */
  readonly isPlain: boolean
}

/** @param data what a session can hold; anything else must have been refused before */
export const packData = (data: object): PackedData => {
  const nature = natureOf(data)
  const packed = pack(nature === ODD ? [escapeValue(data)] : data)
  return { bytes: new Uint8Array(packed), isPlain: nature === PLAIN }
}

/** As {@link packData}, where only the bytes matter. */
export const encodeData = (data: object): Uint8Array => packData(data).bytes

/** What JSON could hold, as well. */
const PLAIN = 0
const WITH_DATES_OR_BYTES = 1
const ODD = 2

const natureOf = (value: unknown): number => {
  if (typeof value === 'string') return value.startsWith(MARK) ? ODD : PLAIN
  if (typeof value === 'number') return Object.is(value, -0) ? ODD : PLAIN
  if (typeof value !== 'object' || value === null) return PLAIN
  let nature = PLAIN
  if (Array.isArray(value)) {
    for (const item of value) nature = Math.max(nature, natureOf(item))
    return nature
  }
  if (isDate(value)) return value instanceof Date ? WITH_DATES_OR_BYTES : ODD
  if (isBytes(value)) return value instanceof Uint8Array ? WITH_DATES_OR_BYTES : ODD
  for (const key in value) {
    if (key.startsWith(MARK)) return ODD
    nature = Math.max(nature, natureOf((value as Record<string, unknown>)[key]))
  }
  return nature
}

const escapeValue = (value: unknown): unknown => {
  if (typeof value === 'string') return ESCAPE + value
  if (Object.is(value, -0)) return MINUS_ZERO
  if (isDate(value)) return new Date(value.getTime())
  if (isBytes(value)) return Buffer.from(value.buffer, value.byteOffset, value.length)
  if (Array.isArray(value)) return value.map(escapeValue)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [ESCAPE + key, escapeValue(item)]))
}

/**
 * What {@link packData} was given, made anew. Whether a session can hold it is for who takes it to say.
 * @throws FRAME_INVALID
 */
export const decodeData = (bytes: Uint8Array): Data => {
  const unpacked = unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), DATA)
  const data = Array.isArray(unpacked) && unpacked.length === 1 ? unescapeValue(unpacked[0]) : unpacked
  if (!isPlainObject(data)) throw malformed('it is not an object')
  return data as Data
}

const malformed = (what: string) => new SojournError('FRAME_INVALID', `the data of a session is malformed: ${what}`)

const unescapeValue = (value: unknown): Value => {
  if (value === MINUS_ZERO) return -0
  if (typeof value === 'string') return unescapeText(value)
  if (Array.isArray(value)) return value.map(unescapeValue)
  if (!isPlainObject(value)) return value as Value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = unescapeText(key)
      if (name === '__proto__') throw malformed('the key __proto__')
      return [name, unescapeValue(item)]
    }),
  )
}

const unescapeText = (text: string): string => {
  if (!text.startsWith(ESCAPE)) throw malformed('a text is not escaped as it must be')
  return text.slice(ESCAPE.length)
}
