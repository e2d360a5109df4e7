/** What a message may be made of: each shape says, once, how a value is packed, what is taken for it when it was unpacked, and its type. */
import { SojournError } from '@sojourn/core/internal'

/**
 * Between a value and what msgpackr packs and unpacks. Nothing is taken that would not have been packed so: each value has one form.
 * Methods, so that a shape of any value is a `Shape<unknown>`.
 *
 * Byte strings, texts, and ids, which are hex here, stand one after the other in the *tail*, one byte string at the end of the message. To pack a
 * byte string msgpackr looks through half a dozen classes, and it unpacks a text character by character.
 */
export interface Shape<T> {
  /** How many values it packs beside what is in the tail. */
  readonly slots: number
  pack(value: T, out: unknown[], tail: OutgoingTail): void
  /**
   * @param at where in `values` its slots begin
   * @throws FRAME_INVALID
   */
  check(values: readonly unknown[], at: number, tail: IncomingTail): T
}

/** Texts up to this length are tried as ASCII, before the machinery for UTF-8 is asked. */
const SHORT_TEXT = 64

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Bytes, and ids as hex, in the order in which the fields are declared. */
export type OutgoingTail = (Uint8Array | string)[]

/** What of a tail is not taken yet. */
class IncomingTail {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  #take(count: number): number {
    if (count > this.left) refuse(`${count} bytes are announced, ${this.left} are left`)
    const at = this.#at
    this.#at += count
    return at
  }

  hex(count: number): string {
    const at = this.#take(count)
    return this.#bytes.toString('hex', at, this.#at)
  }

  text(count: number): string {
    const at = this.#take(count)
    if (count <= SHORT_TEXT) {
      let end = at
      while (end < this.#at && this.#bytes[end]! < 0x80) end++
      if (end === this.#at) return this.#bytes.toString('latin1', at, end)
    }
    try {
      return utf8.decode(this.#bytes.subarray(at, this.#at))
    } catch {
      return refuse('a text is not well-formed UTF-8')
    }
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    return this.#bytes.subarray(at, this.#at)
  }
}

/** The type of what a shape packs. */
export type Of<S> = S extends Shape<infer T> ? T : never

type Fields = { readonly [name: string]: Shape<unknown> }
export type Struct<F extends Fields> = { readonly [K in keyof F]: Of<F[K]> }
export type Sparse<F extends Fields> = { readonly [K in keyof F]?: Of<F[K]> | undefined }
type Variants = { readonly [type: string]: readonly [tag: number, fields: Fields] }
export type Union<V extends Variants> = {
  [K in keyof V & string]: { readonly type: K } & Struct<V[K][1]>
}[keyof V & string]

export const refuse = (what: string): never => {
  throw new SojournError('FRAME_INVALID', what)
}

const arrayAt = (values: readonly unknown[], at: number): readonly unknown[] => {
  const value = values[at]
  return Array.isArray(value) ? value : refuse('an array is missing')
}

/** What is packed as it is, and checked as one value. */
const single = <T>(check: (value: unknown) => T, pack: (value: T) => unknown = (value) => value): Shape<T> => ({
  slots: 1,
  pack: (value, out) => void out.push(pack(value)),
  check: (values, at) => check(values[at]),
})

const integerOf = (value: unknown, min: number): number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= min ? value : refuse('an integer is missing')

const uintOf = (value: unknown): number => integerOf(value, 0)

/** A non-negative safe integer. */
export const uint = single(uintOf)

/** A safe integer. */
export const int = single((value) => integerOf(value, Number.MIN_SAFE_INTEGER))

export const flag = single((value) => (typeof value === 'boolean' ? value : refuse('a flag is neither true nor false')))

/** What is packed as a non-negative integer. */
export const numbered = <T>(toNumber: (value: T) => number, fromNumber: (number: number) => T | undefined): Shape<T> =>
  single((value) => fromNumber(uintOf(value)) ?? refuse('a number that stands for nothing'), toNumber)

/** One of a few words, by its place in the list. */
export const word = <const W extends readonly string[]>(words: W): Shape<W[number]> =>
  numbered<W[number]>(
    (value) => words.indexOf(value),
    (place) => words[place],
  )

/** Well-formed UTF-8 of at most `maxBytes`: their number, and they in the tail. */
export const text = (maxBytes: number): Shape<string> => ({
  slots: 1,
  pack: (value, out, tail) => {
    const encoded = Buffer.from(value)
    out.push(encoded.length)
    tail.push(encoded)
  },
  check: (values, at, tail) => {
    const count = uintOf(values[at])
    return count <= maxBytes ? tail.text(count) : refuse(`a text of ${count} bytes`)
  },
})

/** Bytes: their number, and they in the tail. Unpacked, a view of the frame. */
export const bytes: Shape<Uint8Array> = {
  slots: 1,
  pack: (value, out, tail) => {
    out.push(value.length)
    tail.push(value)
  },
  check: (values, at, tail) => tail.bytes(uintOf(values[at])),
}

/** A fixed number of bytes, in the tail, as hex. */
export const hex = (count: number): Shape<string> => ({
  slots: 0,
  pack: (value, _out, tail) => void tail.push(value),
  check: (_values, _at, tail) => tail.hex(count),
})

/** Nil where it is undefined; where it is not, what it packs, or true. */
export const optional = <T>(inner: Shape<T>): Shape<T | undefined> => ({
  slots: 1,
  pack: (value, out, tail) => {
    if (value === undefined) out.push(null)
    else {
      if (inner.slots === 0) out.push(true)
      inner.pack(value, out, tail)
    }
  },
  check: (values, at, tail) => {
    if (values[at] === null) return undefined
    if (inner.slots === 0 && values[at] !== true) refuse('a flag is neither nil nor true')
    return inner.check(values, at, tail)
  },
})

/**
 * An array of the slots of all items, or where those have none, how many there are.
 * @param max items; the frame bounds them, too
 */
export const list = <T>(item: Shape<T>, max = Number.MAX_SAFE_INTEGER): Shape<readonly T[]> => ({
  slots: 1,
  pack: (all, out, tail) => {
    const values: unknown[] = []
    for (const one of all) item.pack(one, values, tail)
    out.push(item.slots === 0 ? all.length : values)
  },
  check: (values, at, tail) => {
    // Each item without a slot has a byte in the tail, at least.
    const count = item.slots === 0 ? uintOf(values[at]) : arrayAt(values, at).length / item.slots
    if (count > max || !Number.isInteger(count) || (item.slots === 0 && count > tail.left))
      refuse(`a list of ${count} items`)
    const all: T[] = []
    const slots = item.slots === 0 ? [] : arrayAt(values, at)
    for (let index = 0; index < count; index++) all.push(item.check(slots, index * item.slots, tail))
    return all
  },
})

/** Fields one after the other, in the order of the declaration. */
export const struct = <const F extends Fields>(fields: F): Shape<Struct<F>> => {
  const { slots, pack, fill } = structOf(fields)
  return { slots, pack, check: (values, at, tail) => fill({}, values, at, tail) as Struct<F> }
}

type Filled = { [name: string]: unknown }

const structOf = (fields: Fields) => {
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  return {
    slots: shapes.reduce((sum, { slots }) => sum + slots, 0),
    pack: (value: Readonly<Filled>, out: unknown[], tail: OutgoingTail): void => {
      for (let index = 0; index < names.length; index++) shapes[index]!.pack(value[names[index]!], out, tail)
    },
    fill: (value: Filled, values: readonly unknown[], at: number, tail: IncomingTail): Filled => {
      let place = at
      for (let index = 0; index < names.length; index++) {
        const shape = shapes[index]!
        value[names[index]!] = shape.check(values, place, tail)
        place += shape.slots
      }
      return value
    },
  }
}

/**
 * Fields most of which are left out, as one array: nil stands for one that is, and what follows the last one that is there is left out, too.
 * Each has one slot, or stands in an array of its own.
 */
export const sparse = <const F extends Fields>(fields: F): Shape<Sparse<F>> => {
  type T = Sparse<F>
  const names = Object.keys(fields)
  const shapes = Object.values(fields).map((shape) => (shape.slots === 1 ? shape : boxed(shape)))
  const none = Object.freeze({}) as T
  return {
    slots: 1,
    pack: (value, out, tail) => {
      const values: unknown[] = []
      for (let index = 0; index < names.length; index++) {
        const field = value[names[index]!]
        if (field === undefined) continue
        while (values.length < index) values.push(null)
        shapes[index]!.pack(field, values, tail)
      }
      out.push(values)
    },
    check: (unpacked, at, tail) => {
      const values = arrayAt(unpacked, at)
      if (values.length === 0) return none
      if (values.length > names.length || values.at(-1) === null) refuse('fields that are none')
      const value: Filled = {}
      for (let index = 0; index < values.length; index++)
        if (values[index] !== null) value[names[index]!] = shapes[index]!.check(values, index, tail)
      return value as T
    },
  }
}

const boxed = <T>(inner: Shape<T>): Shape<T> => ({
  slots: 1,
  pack: (value, out, tail) => {
    const values: unknown[] = []
    inner.pack(value, values, tail)
    out.push(values)
  },
  check: (values, at, tail) => {
    const box = arrayAt(values, at)
    if (box.length !== inner.slots) refuse(`an array of ${box.length} items`)
    return inner.check(box, 0, tail)
  },
})

/** A message: one of several structs, distinguished by a number in front: `{ type, ...fields }`. */
export interface Messages<T> {
  pack(value: T, out: unknown[], tail: OutgoingTail): void
  /** @throws FRAME_INVALID */
  check(unpacked: unknown): T
}

export type MessageOf<M> = M extends Messages<infer T> ? T : never

const NO_TAIL = new IncomingTail(Buffer.alloc(0))

export const union = <const V extends Variants>(variants: V): Messages<Union<V>> => {
  const all = Object.entries(variants).map(([type, [tag, fields]]) => ({
    type,
    tag,
    body: structOf(fields),
  }))
  const byType = new Map(all.map((variant) => [variant.type, variant]))
  const byTag = new Map(all.map((variant) => [variant.tag as unknown, variant]))
  return {
    pack: (value, out, tail) => {
      const { tag, body } = byType.get(value.type)!
      out.push(tag)
      body.pack(value, out, tail)
    },
    check: (unpacked) => {
      const values = Array.isArray(unpacked) ? unpacked : refuse('a message is an array')
      const { type, body } = byTag.get(values[0]) ?? refuse('an unknown type')
      const end = 1 + body.slots
      const bytes: unknown = values[end]
      if (values.length !== end && (values.length !== end + 1 || !Buffer.isBuffer(bytes) || bytes.length === 0))
        refuse(`a ${type} message of ${values.length} values`)
      const tail = values.length === end ? NO_TAIL : new IncomingTail(bytes as Buffer)
      const value = body.fill({ type }, values, 1, tail)
      if (tail.left > 0) refuse(`${tail.left} bytes are left over`)
      return value as Union<V>
    },
  }
}
