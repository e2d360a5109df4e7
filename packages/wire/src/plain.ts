/** What of MessagePack is let through to msgpackr: only what its `Packr` writes of messages and of data, each value in one form. */
import { isUtf8 } from 'node:buffer'
import { SojournError } from '@sojourn/core/internal'

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
export const DATA: Grammar = { maxDepth: 300, isData: true }

/** The type of dates among extensions. */
const TIMESTAMP = 0xff

/** The latest moment that a `Date` can hold, milliseconds. */
const MAX_TIME = 8.64e15

/** Texts up to this length are looked through here, before the machinery for UTF-8 is asked. */
const SHORT_TEXT = 64

const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)

const refuse = (what: string, at: number): never => {
  throw new SojournError('FRAME_INVALID', `${what} (at byte ${at})`)
}

const need = (bytes: Uint8Array, at: number, count: number): void => {
  if (count > bytes.length - at) refuse(`${count} bytes are announced, ${bytes.length - at} are left`, at)
}

/**
 * Where the value ends that begins at `at`.
 * @throws FRAME_INVALID where it is not plain
 */
export const endOfPlain = (bytes: Uint8Array, at: number, grammar: Grammar, depth = 0): number => {
  if (at >= bytes.length) refuse('the bytes end too soon', at)
  const token = bytes[at]!
  const next = at + 1
  if (token < 0x80 || token >= 0xe0) return next
  if (token < 0x90) return endOfMap(bytes, next, token & 0x0f, grammar, depth)
  if (token < 0xa0) return endOfArray(bytes, next, token & 0x0f, grammar, depth)
  if (token < 0xc0) return endOfText(bytes, next, token & 0x1f)
  switch (token) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return next
    case 0xc4:
      return endOfBytes(bytes, next + 1, unsigned(bytes, next, 1, 0))
    case 0xc5:
      return endOfBytes(bytes, next + 2, unsigned(bytes, next, 2, 0x100))
    case 0xc6:
      return endOfBytes(bytes, next + 4, unsigned(bytes, next, 4, 0x1_0000))
    case 0xcb:
      return endOfDouble(bytes, next)
    case 0xcc:
      return next + (unsigned(bytes, next, 1, 0x80) && 1)
    case 0xcd:
      return next + (unsigned(bytes, next, 2, 0x100) && 2)
    case 0xce:
      return next + (unsigned(bytes, next, 4, 0x1_0000) && 4)
    case 0xd0:
      return endOfNegative(bytes, next, 1, 0x100 - 0x20)
    case 0xd1:
      return endOfNegative(bytes, next, 2, 0x1_0000 - 0x80)
    case 0xd2:
      return endOfNegative(bytes, next, 4, 0x1_0000_0000 - 0x8000)
    case 0xd9:
      return endOfText(bytes, next + 1, unsigned(bytes, next, 1, 0x20))
    case 0xda:
      return endOfText(bytes, next + 2, unsigned(bytes, next, 2, 0x100))
    case 0xdb:
      return endOfText(bytes, next + 4, unsigned(bytes, next, 4, 0x1_0000))
    case 0xdc:
      return endOfArray(bytes, next + 2, unsigned(bytes, next, 2, 0x10), grammar, depth)
    case 0xdd:
      return endOfArray(bytes, next + 4, unsigned(bytes, next, 4, 0x1_0000), grammar, depth)
    case 0xde:
      return endOfMap(bytes, next + 2, unsigned(bytes, next, 2, 0x10), grammar, depth)
    case 0xdf:
      return endOfMap(bytes, next + 4, unsigned(bytes, next, 4, 0x1_0000), grammar, depth)
    default:
      return endOfDate(bytes, next, token, grammar)
  }
}

/** An integer that would have been written shorter if it were less than `least`. */
const unsigned = (bytes: Uint8Array, at: number, count: number, least: number): number => {
  need(bytes, at, count)
  let value = 0
  for (let index = at; index < at + count; index++) value = value * 0x100 + bytes[index]!
  if (value < least) refuse('an integer is not in its shortest form', at)
  return value
}

/** @param above from there on it has a shorter form, in two's complement */
const endOfNegative = (bytes: Uint8Array, at: number, count: number, above: number): number => {
  if (unsigned(bytes, at, count, 2 ** (8 * count - 1)) >= above) refuse('an integer is not in its shortest form', at)
  return at + count
}

/** What is no integer of 32 bits. Minus zero has another form, see `client-data.ts`: msgpackr forgets its sign. */
const endOfDouble = (bytes: Uint8Array, at: number): number => {
  need(bytes, at, 8)
  // Big endian, into little.
  for (let index = 0; index < 8; index++) doubleBytes[7 - index] = bytes[at + index]!
  const value = double[0]!
  if (!Number.isFinite(value)) refuse('a number is not finite', at)
  if (value >>> 0 === value || value >> 0 === value) refuse('an integer is written as a double', at)
  return at + 8
}

const endOfBytes = (bytes: Uint8Array, at: number, count: number): number => {
  need(bytes, at, count)
  return at + count
}

const endOfText = (bytes: Uint8Array, at: number, count: number): number => {
  need(bytes, at, count)
  const end = at + count
  if (count <= SHORT_TEXT) {
    let index = at
    while (index < end && bytes[index]! < 0x80) index++
    if (index === end) return end
  }
  if (bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf)
    refuse('a text begins with a byte order mark, which msgpackr takes away', at)
  if (!isUtf8(bytes.subarray(at, end))) refuse('a text is not well-formed UTF-8', at)
  return end
}

/** Each item takes a byte at least. */
const endOfArray = (bytes: Uint8Array, at: number, count: number, grammar: Grammar, depth: number): number => {
  need(bytes, at, count)
  if (depth >= grammar.maxDepth) refuse('it is nested too deep', at)
  let end = at
  for (let index = 0; index < count; index++) end = endOfPlain(bytes, end, grammar, depth + 1)
  return end
}

const endOfMap = (bytes: Uint8Array, at: number, count: number, grammar: Grammar, depth: number): number => {
  if (!grammar.isData) refuse('a map, which no message has', at)
  need(bytes, at, 2 * count)
  if (depth >= grammar.maxDepth) refuse('it is nested too deep', at)
  let end = at
  for (let index = 0; index < count; index++) {
    const token = bytes[end]!
    if (!((token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb))) refuse('a key is no text', end)
    const start = end + 1
    end = endOfPlain(bytes, end, grammar)
    // msgpackr would give it another name.
    if (token === PROTO_TOKEN && PROTO.equals(bytes.subarray(start, end))) refuse('the key __proto__', start)
    end = endOfPlain(bytes, end, grammar, depth + 1)
  }
  return end
}

const PROTO = Buffer.from('__proto__')
const PROTO_TOKEN = 0xa0 | PROTO.length

/** Seconds, or seconds and nanoseconds (MessagePack's timestamp), of which a `Date` holds whole milliseconds. */
const endOfDate = (bytes: Uint8Array, at: number, token: number, grammar: Grammar): number => {
  const count = token === 0xd6 ? 4 : token === 0xd7 ? 8 : token === 0xc7 && bytes[at] === 12 ? 12 : 0
  if (count === 0 || !grammar.isData) refuse(`a token that no message has (0x${token.toString(16)})`, at)
  const type = count === 12 ? at + 1 : at
  need(bytes, type, 1 + count)
  if (bytes[type] !== TIMESTAMP) refuse('an extension that no message has', type)
  if (count === 12) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + type + 1, count)
    const nanoseconds = view.getUint32(0)
    const time = Number(view.getBigInt64(4)) * 1_000 + nanoseconds / 1e6
    if (nanoseconds >= 1e9 || Math.abs(time) > MAX_TIME) refuse('a date is out of range', type)
  }
  return type + 1 + count
}
