/** MessagePack as no sound peer writes it, byte by byte, and what of it a place that expects something else must refuse. */
import fc from 'fast-check'

type Part = Uint8Array | number | boolean | null

const encoded = (part: Part): Uint8Array =>
  typeof part === 'object' && part !== null ? part : typeof part === 'number' ? int(part) : byte(part)
const byte = (value: boolean | null): Uint8Array => Buffer.of(value === null ? 0xc0 : value ? 0xc3 : 0xc2)
const int = (value: number): Uint8Array => {
  if (value < 0x80) return Buffer.of(value)
  const bytes = Buffer.alloc(5, 0xce)
  bytes.writeUInt32BE(value, 1)
  return bytes
}

/** An array of at most 15 items: numbers are positive integers, everything else is there already. */
export const array = (...items: readonly Part[]): Uint8Array =>
  Buffer.concat([Buffer.of(0x90 | items.length), ...items.map(encoded)])

export const bin = (...bytes: readonly number[]): Uint8Array => Buffer.of(0xc4, bytes.length, ...bytes)

/** Of at most 31 bytes. */
export const text = (value: string): Uint8Array =>
  Buffer.concat([Buffer.of(0xa0 | Buffer.byteLength(value)), Buffer.from(value)])

/** Of at most 15 keys. */
export const map = (...entries: readonly (readonly [key: Uint8Array, value: Part])[]): Uint8Array =>
  Buffer.concat([Buffer.of(0x80 | entries.length), ...entries.flatMap(([key, value]) => [key, encoded(value)])])

const double = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(9, 0xcb)
  bytes.writeDoubleBE(value, 1)
  return bytes
}

const nested = (depth: number, open: readonly number[] = [0x91]): Uint8Array =>
  Buffer.concat([...Array.from({ length: depth }, () => Buffer.from(open)), Buffer.of(0xc0)])

/** Good frames in which a byte was changed or put in, or that were cut off. */
export const spoiled = (frames: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc.tuple(frames, fc.nat(), fc.nat(255), fc.constantFrom('change', 'cut', 'put')).map(([frame, at, byte, how]) => {
    const good = new Uint8Array(frame)
    const place = at % good.length
    if (how === 'cut') return good.subarray(0, place)
    if (how === 'put') return Uint8Array.of(...good.subarray(0, place), byte, ...good.subarray(place))
    return good.with(place, byte)
  })

export interface Hostile {
  readonly what: string
  readonly bytes: Uint8Array
}

/** What stands for nothing in messages and in data. */
const NOWHERE: readonly Hostile[] = [
  { what: 'a definition of a record', bytes: Buffer.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1) },
  { what: 'a definition of a record with two bytes', bytes: Buffer.of(0xd5, 0x72, 0x40, 0, 0x91, 0xa1, 0x61, 1) },
  {
    what: 'a definition of a record whose key is code',
    bytes: Buffer.of(0xd4, 0x72, 0x40, 0x91, 0xa4, 0x22, 0x7d, 0x3b, 0x2f, 1),
  },
  { what: 'a regular expression', bytes: Buffer.of(0xd4, 0x78, 0, 0x92, 0xa1, 0x61, 0xa0) },
  { what: 'a set', bytes: Buffer.of(0xd4, 0x73, 0, 0x91, 1) },
  { what: 'an error', bytes: Buffer.of(0xd4, 0x65, 0, 0x93, 0xa5, ...Buffer.from('Error'), 0xa0, 0xc0) },
  { what: 'a large integer of an extension', bytes: Buffer.of(0xc7, 9, 0x42, 1, 0, 0, 0, 0, 0, 0, 0, 0) },
  { what: 'a typed array', bytes: Buffer.of(0xc7, 5, 0x74, 5, 0, 0, 0, 1) },
  { what: 'a pointer to an object', bytes: Buffer.of(0xd6, 0x70, 0, 0, 0, 1) },
  { what: 'an object with an id', bytes: Buffer.of(0xd6, 0x69, 0, 0, 0, 1, 0x90) },
  { what: 'a bundle of texts', bytes: Buffer.of(0xd6, 0x62, 0, 0, 0, 5, 0xc1, 1, 0xa0, 0xa1, 0x61) },
  { what: 'undefined', bytes: Buffer.of(0xd4, 0, 0) },
  { what: 'an extension that is none', bytes: Buffer.of(0xd4, 0x55, 0) },
  { what: 'a date of one byte', bytes: Buffer.of(0xd4, 0xff, 0xff) },
  {
    what: 'a date out of range',
    bytes: Buffer.of(0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255),
  },
  { what: 'the byte that is never used', bytes: Buffer.of(0xc1) },
  { what: 'an integer of 64 bits', bytes: Buffer.of(0xcf, 0, 0, 0, 0, 0, 0, 0, 1) },
  { what: 'an integer beyond 2^53', bytes: Buffer.of(0xcf, 255, 255, 255, 255, 255, 255, 255, 255) },
  { what: 'a signed integer of 64 bits', bytes: Buffer.of(0xd3, 255, 255, 255, 255, 255, 255, 255, 255) },
  { what: 'a float of 32 bits', bytes: Buffer.of(0xca, 0x3f, 0x80, 0, 0) },
  { what: 'an integer as a double', bytes: double(1) },
  { what: 'minus zero as a double', bytes: double(-0) },
  { what: 'NaN', bytes: double(Number.NaN) },
  { what: 'infinity', bytes: double(Number.POSITIVE_INFINITY) },
  { what: 'an integer of two bytes for one', bytes: Buffer.of(0xcc, 5) },
  { what: 'an integer of three bytes for two', bytes: Buffer.of(0xcd, 0, 200) },
  { what: 'an integer of five bytes for three', bytes: Buffer.of(0xce, 0, 0, 2, 0) },
  { what: 'a negative integer of two bytes for one', bytes: Buffer.of(0xd0, 0xff) },
  { what: 'a positive integer as a negative one', bytes: Buffer.of(0xd0, 5) },
  { what: 'a negative integer of five bytes for three', bytes: Buffer.of(0xd2, 255, 255, 255, 0) },
  { what: 'a text that is no UTF-8', bytes: Buffer.of(0xa2, 0xc3, 0x28) },
  { what: 'a text with half a surrogate pair', bytes: Buffer.of(0xa3, 0xed, 0xa0, 0x80) },
  { what: 'a text with a byte order mark', bytes: Buffer.of(0xa4, 0xef, 0xbb, 0xbf, 0x61) },
  { what: 'a text with a long length', bytes: Buffer.of(0xd9, 1, 0x61) },
  { what: 'bytes with a long length', bytes: Buffer.of(0xc5, 0, 1, 0x61) },
  { what: 'an array with a long length', bytes: Buffer.of(0xdc, 0, 1, 0xc0) },
  { what: 'a map with a long length', bytes: Buffer.of(0xde, 0, 1, 0xa1, 0x61, 0xc0) },
  { what: 'a text of four billion bytes', bytes: Buffer.of(0xdb, 255, 255, 255, 255, 0x61) },
  { what: 'four billion bytes', bytes: Buffer.of(0xc6, 255, 255, 255, 255, 0x61) },
  { what: 'an array of four billion items', bytes: Buffer.of(0xdd, 255, 255, 255, 255, 0xc0) },
  { what: 'a map of four billion keys', bytes: Buffer.of(0xdf, 255, 255, 255, 255, 0xa1, 0x61, 0xc0) },
  { what: 'an extension of four billion bytes', bytes: Buffer.of(0xc9, 255, 255, 255, 255, 0xff, 0) },
  { what: 'a thousand arrays, each in the one before', bytes: nested(1_000) },
  { what: 'fifty thousand arrays, each in the one before', bytes: nested(50_000) },
  { what: 'a map with a key that is a number', bytes: map([Buffer.of(7), 1]) },
  { what: 'a map with the key __proto__', bytes: map([text('__proto__'), 1]) },
  { what: 'a map with a key that ends too soon', bytes: Buffer.of(0x81, 0xa5, 0x61) },
]

/** What a message takes in no place of a number or a text. */
export const HOSTILE_VALUES: readonly Hostile[] = [
  ...NOWHERE,
  { what: 'a map', bytes: map([text('a'), 1]) },
  { what: 'an array', bytes: array(1) },
  { what: 'a date', bytes: Buffer.of(0xd6, 0xff, 0, 0, 0, 1) },
  { what: 'nil', bytes: Buffer.of(0xc0) },
  { what: 'true', bytes: Buffer.of(0xc3) },
  { what: 'a fraction', bytes: double(1.5) },
  { what: 'an integer beyond 2^53 as a double', bytes: double(2 ** 60) },
  { what: 'a negative integer', bytes: Buffer.of(0xff) },
]

/** What is the data of no session. */
export const HOSTILE_DATA: readonly Hostile[] = [
  { what: 'nothing', bytes: new Uint8Array(0) },
  ...NOWHERE,
  ...NOWHERE.map(({ what, bytes }) => ({ what: `${what} under a key`, bytes: map([text('a'), bytes]) })),
  ...NOWHERE.map(({ what, bytes }) => ({ what: `${what}, escaped`, bytes: array(map([text('.a'), bytes])) })),
  { what: 'a number', bytes: Buffer.of(7) },
  { what: 'nil', bytes: Buffer.of(0xc0) },
  { what: 'a text', bytes: text('x') },
  { what: 'an array', bytes: array() },
  { what: 'an array of two', bytes: array(map(), map()) },
  { what: 'an array of a number', bytes: array(7) },
  { what: 'an object and a rest', bytes: Buffer.of(0x80, 0) },
  { what: 'half an object', bytes: Buffer.of(0x81, 0xa1) },
  { what: 'objects, each in the one before, without end', bytes: nested(20_000, [0x81, 0xa1, 0x61]) },
  { what: 'a text that is not escaped', bytes: array(map([text('.a'), text('x')])) },
  { what: 'a key that is not escaped', bytes: array(map([text('a'), 1])) },
  { what: 'the key __proto__, escaped', bytes: array(map([text('.__proto__'), map([text('.polluted'), 1])])) },
]
