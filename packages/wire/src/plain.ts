/** What of MessagePack is let through to msgpackr: only what its `Packr` writes of messages and of data, each value in one form. */
import { isUtf8 } from 'node:buffer'
import { SojournError } from '@sojourn/core'

/**
 * Everything else is refused before the library sees it: record definitions, of which it makes code, extensions, of which it makes regular
 * expressions and errors, integers of 64 bits, which become bigints, and lengths that announce more than there is.
 */
export interface Grammar {
  /** Of arrays and maps. */
  readonly maxDepth: number
  /** Whether maps and dates may be there. A message is an array of arrays. */
  readonly isData: boolean
}

export const MESSAGE: Grammar = { maxDepth: 6, isData: false }

/** Deeper than any session: it may come from anybody. */
export const DATA: Grammar = { maxDepth: 256, isData: true }

/** The type of dates among extensions. */
const TIMESTAMP = 0xff

/** The latest moment that a `Date` can hold, milliseconds. */
const MAX_TIME = 8.64e15

/** Texts up to this length are looked through here, before the machinery for UTF-8 is asked. */
const SHORT_TEXT = 64

const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)

// Of the one value that is looked through at a time: an object for it would cost as much as a short message.
let bytes: Uint8Array = doubleBytes
let grammar = MESSAGE
let at = 0

/**
 * Where the value ends that begins at `start`.
 * @throws FRAME_INVALID where it is not plain
 */
export const endOfPlain = (source: Uint8Array, start: number, allowed: Grammar): number => {
  bytes = source
  grammar = allowed
  at = start
  passValue(0)
  return at
}

const refuse = (what: string): never => {
  throw new SojournError('FRAME_INVALID', `${what} (before byte ${at} of ${bytes.length})`)
}

const passValue = (depth: number): void => {
  if (at >= bytes.length) refuse('the bytes end too soon')
  const token = bytes[at++]!
  if (token < 0x80 || token >= 0xe0) return
  if (token < 0x90) passMap(token & 0x0f, depth)
  else if (token < 0xa0) passArray(token & 0x0f, depth)
  else if (token < 0xc0) passText(token & 0x1f)
  else passLong(token, depth)
}

const passLong = (token: number, depth: number): void => {
  if (token === 0xc0 || token === 0xc2 || token === 0xc3) return
  if (token >= 0xc4 && token <= 0xc6) passBytes(unsigned(token - 0xc4, token === 0xc4 ? 0 : undefined))
  else if (token === 0xcb) passDouble()
  else if (token >= 0xcc && token <= 0xce) unsigned(token - 0xcc, token === 0xcc ? 0x80 : undefined)
  else if (token >= 0xd0 && token <= 0xd2) passNegative(token - 0xd0)
  else if (token >= 0xd9 && token <= 0xdb) passText(unsigned(token - 0xd9, token === 0xd9 ? 0x20 : undefined))
  else if (token === 0xdc || token === 0xdd) passArray(unsigned(token - 0xdb, token === 0xdc ? 0x10 : undefined), depth)
  else if (token === 0xde || token === 0xdf) passMap(unsigned(token - 0xdd, token === 0xde ? 0x10 : undefined), depth)
  else if (token === 0xd6) passDate(4)
  else if (token === 0xd7) passDate(8)
  else if (token === 0xc7 && bytes[at++] === 12) passDate(12)
  else refuse(`a token that no message has (0x${token.toString(16)})`)
}

/**
 * An integer of one byte, two or four (the `power` of two).
 * @param least what is less has a shorter form
 */
const unsigned = (power: number, least = 2 ** (8 * power)): number => {
  const count = 1 << power
  need(count)
  let value = 0
  for (const end = at + count; at < end; at++) value = value * 0x100 + bytes[at]!
  if (value < least) refuse('an integer is not in its shortest form')
  return value
}

/** Two's complement; what has a shorter form is above -0x20, -0x80 and -0x8000. */
const passNegative = (power: number): void => {
  const bits = 8 << power
  const value = unsigned(power, 2 ** (bits - 1)) - 2 ** bits
  if (value >= (power === 0 ? -0x20 : -(2 ** (bits / 2 - 1)))) refuse('an integer is not in its shortest form')
}

const need = (count: number): void => {
  if (count > bytes.length - at) refuse(`${count} bytes are announced, ${bytes.length - at} are left`)
}

/** What is no integer of 32 bits. Minus zero has another form, see `client-data.ts`: msgpackr forgets its sign. */
const passDouble = (): void => {
  need(8)
  // Big endian, into little.
  for (let index = 7; index >= 0; index--) doubleBytes[index] = bytes[at++]!
  const value = double[0]!
  if (!Number.isFinite(value)) refuse('a number is not finite')
  if (value >>> 0 === value || value >> 0 === value) refuse('an integer is written as a double')
}

const passBytes = (count: number): void => {
  need(count)
  at += count
}

const passText = (count: number): void => {
  need(count)
  const start = at
  at += count
  if (count >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
    refuse('a text begins with a byte order mark, which msgpackr takes away')
  if (count <= SHORT_TEXT) {
    let index = start
    while (index < at && bytes[index]! < 0x80) index++
    if (index === at) return
  }
  if (!isUtf8(bytes.subarray(start, at))) refuse('a text is not well-formed UTF-8')
}

/** Each item takes a byte at least. */
const passArray = (count: number, depth: number): void => {
  need(count)
  if (depth >= grammar.maxDepth) refuse('it is nested too deep')
  for (let index = 0; index < count; index++) passValue(depth + 1)
}

const passMap = (count: number, depth: number): void => {
  if (!grammar.isData) refuse('a map, which no message has')
  need(2 * count)
  if (depth >= grammar.maxDepth) refuse('it is nested too deep')
  for (let index = 0; index < count; index++) {
    passKey()
    passValue(depth + 1)
  }
}

const PROTO = Buffer.from('__proto__')

const passKey = (): void => {
  const token = bytes[at]
  if (token === undefined || !((token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)))
    refuse('a key is no text')
  const start = at + 1
  passValue(0)
  // msgpackr would give it another name.
  if (token === (0xa0 | PROTO.length) && PROTO.equals(bytes.subarray(start, at))) refuse('the key __proto__')
}

/** Seconds, or seconds and nanoseconds (MessagePack's timestamp), of which a `Date` holds whole milliseconds. */
const passDate = (count: number): void => {
  need(1 + count)
  if (!grammar.isData || bytes[at++] !== TIMESTAMP) refuse('an extension that no message has')
  at += count
  if (count < 12) return
  const view = new DataView(bytes.buffer, bytes.byteOffset + at - count, count)
  const nanoseconds = view.getUint32(0)
  const time = Number(view.getBigInt64(4)) * 1_000 + nanoseconds / 1e6
  if (nanoseconds >= 1e9 || Math.abs(time) > MAX_TIME) refuse('a date is out of range')
}
